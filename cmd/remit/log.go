package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
)

func newLog() *cobra.Command {
	log := &cobra.Command{
		Use:   "log",
		Short: "Read the decision log",
		Long: `Read the decision log: what was decided about whom and why, what became of it,
when the policies changed and what operators ordered. It is read from the journal
in the state directory, also while remit serves.`,
	}
	log.AddCommand(newLogTail(), newLogShow(), newLogVerify())
	return log
}

// openJournal opens the journal of the configured state directory for reading.
func openJournal(cmd *cobra.Command) (*localstore.Reader, error) {
	c, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return localstore.NewReader(c.State.Dir)
}

func newLogTail() *cobra.Command {
	var lines int
	var follow, asJSON bool
	tail := &cobra.Command{
		Use:   "tail",
		Short: "Print the latest decisions and outcomes",
		Long: `Print the latest decisions and outcomes, one a line. With --json each line is an
event in the form of OPA's decision log, with remit's own members added. The
last column is part of the decision's id: remit log show finds it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			journal, err := openJournal(cmd)
			if err != nil {
				return err
			}
			return printTail(cmd.Context(), cmd.OutOrStdout(), journal, lines, follow, asJSON)
		},
	}
	tail.Flags().IntVarP(&lines, "lines", "n", 20, "how many of the latest to print; 0 is all")
	tail.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing what is decided")
	tail.Flags().BoolVar(&asJSON, "json", false, "print JSON, one event a line")
	return tail
}

// located is an entry and where it is.
type located struct {
	at    state.Position
	entry *state.Entry
}

func (l located) print(out io.Writer, asJSON bool) error {
	text := audit.Line(l.entry)
	if asJSON {
		text = string(value.AppendJSON(nil, audit.Event(l.at, l.entry)))
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

func printTail(ctx context.Context, out io.Writer, journal *localstore.Reader, lines int, follow, asJSON bool) error {
	var last []located
	var end state.Position
	err := journal.Entries(ctx, 0, func(at state.Position, e *state.Entry) error {
		if last = append(last, located{at, e}); lines > 0 && len(last) > lines {
			last = last[1:]
		}
		end = at
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range last {
		if err := l.print(out, asJSON); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	err = journal.Follow(ctx, end, func(at state.Position, e *state.Entry) error {
		return located{at, e}.print(out, asJSON)
	})
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how following ends
	}
	return err
}

func newLogShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Print everything that is known of a decision, a revocation or an order",
		Long: `Print the record of a decision and its outcome, a revocation and its end, or an
operator's order about a session, as JSON. ID is its id, or a part of it of at
least 8 characters, as remit log tail prints it; before a part that begins with a
dash put --.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args[0]) < 8 {
				return fmt.Errorf("%q is too short for a part of an id: give at least 8 characters", args[0])
			}
			journal, err := openJournal(cmd)
			if err != nil {
				return err
			}
			found := false
			err = journal.Entries(cmd.Context(), 0, func(at state.Position, e *state.Entry) error {
				if !strings.Contains(idOf(e), args[0]) {
					return nil
				}
				found = true
				return printIndented(cmd.OutOrStdout(), audit.Event(at, e))
			})
			if err == nil && !found {
				err = fmt.Errorf("no decision, revocation or order %q is in the journal", args[0])
			}
			return err
		},
	}
}

func idOf(e *state.Entry) string {
	switch {
	case e.Record != nil:
		return e.Record.ID
	case e.Settling != nil:
		return e.Settling.ID
	case e.Revoking != nil:
		return e.Revoking.ID
	case e.Ordering != nil:
		return e.Ordering.ID
	default:
		return ""
	}
}

func newLogVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was changed, dropped or added",
		Long: `Check the journal from the first byte that is kept: every record against the
signed seals, and the state against the records. It fails, and names file and
byte, where a record was changed, taken out, put in or moved.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			journal, err := openJournal(cmd)
			if err != nil {
				return err
			}
			r, err := journal.Verify()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the journal is as it was written: %d entries in %d segments, %d seals, %d entries after the last seal\n",
				r.Entries, r.Segments, r.Seals, r.Unsealed)
			if r.Begin > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "what was before position %d was removed in order (decision_log.retain)\n", r.Begin)
			}
			return nil
		},
	}
}
