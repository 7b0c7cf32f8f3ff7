package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/operators"
)

// What an operator may order about a session, for the help.
var sessionOrders = []struct {
	kind        pdp.SessionOrderKind
	names       string
	short, long string
}{
	{pdp.CloseSession, "SESSION", "End a session for good", `End a session for good. When the command returns, it counts: what resolves to the
session is refused as ended. A session that a token names stays closed under that
name. An agent's own session, which no token names, gives way to a new one, and
the admission policy is asked for it; one in quarantine does so only after its
maximum age, so release it first if the agent is to go on at once. To stop an
agent, revoke the agent: see remit revoke.

What was allowed before goes on and its outcome still settles.

  remit session close s_3x7… --reason "the task was handed to a person"`},
	{pdp.ReleaseSession, "SESSION", "Take a session's quarantine back", `Take a session's quarantine back, after somebody has looked at what it did:
remit session show prints it. The session goes on with its history, labels,
budgets and end; its denials in a row are counted anew. The policy that put it in
quarantine may do so again.

  remit session release s_3x7… --reason "the denials were a missing grant, 4711"`},
	{pdp.ClearLabel, "SESSION LABEL", "Take a label off a session", `Take a label off a session, after somebody has looked at what it came from:
remit session show prints its source and the action. The agent carries it no
longer, so it is also off the sessions that it had only reached and off those that
begin later. Another session that picked it up itself keeps it, and passes it on
to the agent's new ones; the command names these. What brings the label in again
brings it back.

  remit session clear-label s_3x7… untrusted-content --reason "read the page, 4711"`},
}

func newSessionOrders() (commands []*cobra.Command) {
	for _, o := range sessionOrders {
		commands = append(commands, newSessionOrder(o.kind, o.names, o.short, o.long))
	}
	return commands
}

func newSessionOrder(kind pdp.SessionOrderKind, names, short, long string) *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:   string(kind) + " " + names,
		Short: short,
		Long:  long,
		Args:  cobra.ExactArgs(len(strings.Fields(names))),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := operatorsOf(cmd)
			if err != nil {
				return err
			}
			order := operators.SessionOrder{Session: args[0], Label: strings.Join(args[1:], ""), Reason: reason}
			a, err := client.OrderSession(cmd.Context(), kind, order)
			if err == nil {
				printOrdered(cmd.OutOrStdout(), &a)
			}
			return err
		},
	}
	addClientFlags(command.Flags())
	command.Flags().StringVar(&reason, "reason", "", "why, for those who read the log (required)")
	if err := command.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag is defined above
	}
	return command
}

// printOrdered says what counts now, and since when.
func printOrdered(out io.Writer, a *operators.SessionAcknowledgement) {
	what := map[string]string{
		string(pdp.CloseSession):   "closed: session " + a.Session,
		string(pdp.ReleaseSession): "released: session " + a.Session,
		string(pdp.ClearLabel):     "cleared: " + a.Label + " off session " + a.Session,
	}[a.Kind]
	fmt.Fprintf(out, "%s, acknowledged %s\n", what, a.AcknowledgedAt.Format(time.RFC3339Nano))
	fmt.Fprintf(out, "  id %s, by %s\n", a.ID, a.Actor)
	fmt.Fprintln(out, "  "+meaning(a))
}

// meaning is what an order means for the agent from here on.
func meaning(a *operators.SessionAcknowledgement) string {
	switch kind := pdp.SessionOrderKind(a.Kind); {
	case kind == pdp.ReleaseSession:
		return "it goes on with its history, labels, budgets and end; its denials in a row are counted anew"
	case kind == pdp.ClearLabel && len(a.KeptBy) > 0 && a.Carried:
		return keepers(a) + "; the agent's other sessions, and those that begin, have it from there"
	case kind == pdp.ClearLabel && len(a.KeptBy) > 0:
		return keepers(a)
	case kind == pdp.ClearLabel && a.Carried:
		return "the session was admitted alone: the agent's other sessions, which may have had it before, keep it"
	case kind == pdp.ClearLabel:
		return "no session of the agent has it any more, and none that begins gets it, until it comes in again"
	case a.RefusedUntil != nil:
		return "the session is the agent's own and was in quarantine: what the agent asks is refused until " + a.RefusedUntil.Format(time.RFC3339)
	case a.OwnSession:
		return "the session is the agent's own: its next request asks to be admitted to a new one; to stop the agent, revoke the agent"
	default:
		return "what resolves to it is refused from now on; what was allowed before still settles"
	}
}

// keepers names the sessions that keep a cleared label.
func keepers(a *operators.SessionAcknowledgement) string {
	return "kept by what picked it up itself: " + strings.Join(a.KeptBy, ", ")
}
