package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

func newSession() *cobra.Command {
	session := &cobra.Command{
		Use:   "session",
		Short: "See the sessions and what each has done, and end, release or clear one",
		Long: `See the sessions and what is remembered of each, as a policy would see it now.
It is read from the state directory, also while remit serves, or from the remit that
--operators names.

An operator closes a session for good, releases one from quarantine, or clears a
label off one, with a reason. The remit that serves carries it out; when the
command returns, it counts, also after a restart. It is on the disk, with who did
it and why: remit log tail shows it.`,
		Args: cobra.NoArgs, // a misspelt order must not look as if it were done
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	session.AddCommand(newSessionList(), newSessionShow())
	session.AddCommand(newSessionOrders()...)
	return session
}

// eachSession visits every session as an operator sees it: those in the configured
// state directory, or those of the remit that client.operators names.
func eachSession(cmd *cobra.Command, visit func(id string, shown value.Value)) error {
	c, err := clientConfig(cmd)
	if err != nil {
		return err
	}
	if c.Client.Operators != "" {
		return eachRemoteSession(cmd, c, visit)
	}
	journal, err := openJournal(cmd)
	if err != nil {
		return err
	}
	revocations, err := journal.Revocations()
	if err != nil {
		return err
	}
	now := time.Now()
	return journal.Partitions(cmd.Context(), func(p *state.Partition) error {
		for id := range p.Sessions {
			visit(id, p.Show(id, server.StateSettings(c), revocations, now))
		}
		return nil
	})
}

func eachRemoteSession(cmd *cobra.Command, c *config.Config, visit func(id string, shown value.Value)) error {
	client, err := networkClient(&c.Client)
	if err != nil {
		return err
	}
	list, err := client.Sessions(cmd.Context())
	if err != nil {
		return err
	}
	for _, text := range list.Sessions {
		shown, err := value.ParseJSON(text)
		if err != nil {
			return fmt.Errorf("remit's answer cannot be read: %w", err)
		}
		visit(shown.Get("id").Text(), shown)
	}
	if list.Truncated {
		fmt.Fprintf(cmd.ErrOrStderr(), "these are %d of more sessions\n", len(list.Sessions))
	}
	return nil
}

func newSessionList() *cobra.Command {
	var all bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the sessions, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var shown []value.Value
			err := eachSession(cmd, func(_ string, v value.Value) {
				if all || v.Get("state").Text() != "ended" {
					shown = append(shown, v)
				}
			})
			if err != nil {
				return err
			}
			slices.SortFunc(shown, func(a, b value.Value) int {
				return cmp.Or(strings.Compare(b.Get("started_at").Text(), a.Get("started_at").Text()), strings.Compare(a.Get("id").Text(), b.Get("id").Text()))
			})
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "SESSION\tAGENT\tFOR\tSTATE\tBEGUN BY\tAGE\tACTIONS\tDENIED\tREACHED\tLABELS\tTASK")
			for _, v := range shown {
				fmt.Fprintln(out, strings.Join(row(v), "\t"))
			}
			return out.Flush()
		},
	}
	addClientFlags(list.Flags())
	list.Flags().BoolVar(&all, "all", false, "list sessions that have ended as well")
	return list
}

// row is a session in the list.
func row(v value.Value) []string {
	age, _ := v.Get("age_seconds").Int()
	actions, _ := v.Get("actions").Literal()
	denied, _ := v.Get("denied").Literal()
	var labels []string
	v.Get("labels").Range(func(name string, _ value.Value) bool {
		labels = append(labels, name)
		return true
	})
	slices.Sort(labels)
	return []string{
		v.Get("id").Text(), v.Path("agent", "id").Text(), v.Path("root", "id").Text(), v.Get("state").Text(), v.Get("begun").Text(),
		(time.Duration(age) * time.Second).String(), actions, denied, v.Get("max_sensitivity").Text(), strings.Join(labels, ","),
		purpose(v.Get("task")),
	}
}

// purpose is what a session is for, in a few printable words of its agent's or
// its issuer's: "-" where it has no task.
func purpose(task value.Value) string {
	words := []rune(task.Get("purpose").Text())
	switch {
	case task.Get("source").Text() == "none":
		return "-"
	case len(words) == 0:
		return "(without a purpose)"
	case len(words) > 48:
		words = append(words[:47], '…')
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '.'
	}, string(words))
}

func newSessionShow() *cobra.Command {
	show := &cobra.Command{
		Use:   "show SESSION",
		Short: "Print everything that is remembered of a session",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := findSession(cmd, args[0])
			if err != nil {
				return err
			}
			if !found.Defined() {
				return fmt.Errorf("there is no session %q; remit session list --all lists them", args[0])
			}
			return printIndented(cmd.OutOrStdout(), found)
		},
	}
	addClientFlags(show.Flags())
	return show
}

// findSession returns one session as an operator sees it; undefined where the
// configured state directory does not have it.
func findSession(cmd *cobra.Command, wanted string) (found value.Value, err error) {
	c, err := clientConfig(cmd)
	if err != nil {
		return value.Nothing, err
	}
	if c.Client.Operators == "" {
		err = eachSession(cmd, func(id string, v value.Value) {
			if id == wanted {
				found = v
			}
		})
		return found, err
	}
	client, err := networkClient(&c.Client)
	if err != nil {
		return value.Nothing, err
	}
	text, err := client.Session(cmd.Context(), wanted)
	if err != nil {
		return value.Nothing, err
	}
	return value.ParseJSON(text)
}
