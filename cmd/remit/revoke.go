package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/operators"
)

// What each kind of revocation names, for the help.
var revocable = []struct {
	kind  pdp.RevocationKind
	names string
	short string
}{
	{pdp.RevokedSession, "ID", "End a session; an agent whose token names none must be admitted again"},
	{pdp.RevokedCredential, "FINGERPRINT", "End what one credential may do, by its fingerprint"},
	{pdp.RevokedAgent, "ID", "End what an agent may do, and whoever acts for it; it gets no new session"},
	{pdp.RevokedOwner, "OWNER", "End what all agents of an owner may do"},
	{pdp.RevokedRoot, "ID", "End what is done for a person, or another root of delegation"},
	{pdp.RevokedTarget, "SYSTEM[:RESOURCE]", "End access to a system, or to one resource of it"},
	{pdp.RevokedEverything, "", "End everything"},
}

func newRevoke() *cobra.Command {
	revoke := &cobra.Command{
		Use:   "revoke",
		Short: "End authority at once, or give it back",
		Long: `End authority at once. When the command returns, it counts: nothing that it
covers is allowed any more, whatever the policy says, also after a restart. It
is on the disk, with who did it and why: remit log tail shows it.

What was allowed before goes on and its outcome still settles. A stream that is
open ends with its connection or its maximum duration.

  remit revoke agent support-agent --reason "hijacked, incident 4711"
  remit revoke target crm --reason "maintenance" --for 2h
  remit revoke agent support-agent --lift --reason "rebuilt and reviewed"
  remit revoke list

The order goes to the remit that serves with this configuration, on its socket, or
to the one that client.operators names, over TLS:

  remit revoke list --operators https://remit.example.com:8181 \
    --operators-ca ca.crt --operators-token-file token`,
		Args: cobra.NoArgs, // a misspelt kind must not look as if it were done
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, r := range revocable {
		revoke.AddCommand(newRevokeKind(r.kind, r.names, r.short))
	}
	revoke.AddCommand(newRevokeList())
	addClientFlags(revoke.PersistentFlags())
	return revoke
}

func newRevokeKind(kind pdp.RevocationKind, names, short string) *cobra.Command {
	var reason, issuer string
	var lasts time.Duration
	var lift bool
	command := &cobra.Command{
		Use:   strings.TrimSpace(string(kind) + " " + names),
		Short: short,
		Args:  cobra.ExactArgs(len(strings.Fields(names))),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := operatorsOf(cmd)
			if err != nil {
				return err
			}
			if lasts < 0 || lasts%time.Second != 0 {
				return fmt.Errorf("--for %s is not a number of whole seconds", lasts)
			}
			order := operators.Order{Kind: string(kind), Subject: strings.Join(args, ""), Issuer: issuer, Reason: reason, ForSeconds: int64(lasts / time.Second)}
			if lift {
				a, err := client.Lift(cmd.Context(), order)
				if err == nil {
					printLifted(cmd.OutOrStdout(), &a)
				}
				return err
			}
			a, err := client.Revoke(cmd.Context(), order)
			if err == nil {
				printRevoked(cmd.OutOrStdout(), &a)
			}
			return err
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why, for those who read the log (required)")
	command.Flags().BoolVar(&lift, "lift", false, "take the revocation back")
	command.Flags().DurationVar(&lasts, "for", 0, "how long it lasts; without it, until it is lifted")
	command.MarkFlagsMutuallyExclusive("lift", "for")
	if kind == pdp.RevokedAgent || kind == pdp.RevokedRoot {
		command.Flags().StringVar(&issuer, "issuer", "", "only the one of this issuer")
	}
	if err := command.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag is defined above
	}
	return command
}

func printRevoked(out io.Writer, a *operators.Acknowledgement) {
	fmt.Fprintf(out, "revoked: %s, acknowledged %s\n", pointOf(&a.Revocation), a.AcknowledgedAt.Format(time.RFC3339Nano))
	fmt.Fprintf(out, "  id %s, by %s, %s\n", a.Revocation.ID, a.Revocation.Actor, untilOf(&a.Revocation))
	switch {
	case a.OpenSessions == nil:
		fmt.Fprintln(out, "  the open sessions that it covers were not counted in time")
	default:
		fmt.Fprintf(out, "  it covers %d open sessions\n", *a.OpenSessions)
	}
	if a.OwnSession {
		fmt.Fprintln(out, "  the session is the agent's own: its next request asks to be admitted to a new one; to stop the agent, revoke the agent")
	}
}

func printLifted(out io.Writer, a *operators.Acknowledgement) {
	fmt.Fprintf(out, "lifted: %s, acknowledged %s\n", pointOf(&a.Revocation), a.AcknowledgedAt.Format(time.RFC3339Nano))
}

func pointOf(r *operators.Revocation) string {
	text := strings.TrimSpace(r.Kind + " " + r.Subject)
	if r.Issuer != "" {
		text += " of " + r.Issuer
	}
	return text
}

func untilOf(r *operators.Revocation) string {
	if r.Until == nil {
		return "until it is lifted"
	}
	return "until " + r.Until.Format(time.RFC3339)
}

func newRevokeList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what is revoked, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := operatorsOf(cmd)
			if err != nil {
				return err
			}
			all, err := client.List(cmd.Context())
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "REVOKED\tSINCE\tUNTIL\tBY\tREASON\tID")
			for _, r := range all.Revocations {
				until := "lifted"
				if r.Until != nil {
					until = r.Until.Format(time.RFC3339)
				}
				fmt.Fprintln(out, strings.Join([]string{pointOf(&r), r.At.Format(time.RFC3339), until, r.Actor, r.Reason, r.ID}, "\t"))
			}
			return out.Flush()
		},
	}
}
