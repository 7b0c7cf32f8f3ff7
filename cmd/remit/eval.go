package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

func newEval() *cobra.Command {
	var showInput bool
	var engine string
	eval := &cobra.Command{
		Use:   "eval SCENE",
		Short: "Decide requests from a file, and say why",
		Long: `Decide the requests of a file, one after the other, with the configuration and
policies that remit serve would use and an empty history of their own. Every
step prints the decision and its reasons. A step may say what it expects; one
that comes out differently makes the command fail.

  agent: { id: support-agent, for: "user:ada" }     # who acts, taken as proved
  session: demo                                      # what the token would name
  steps:
  - request: { method: GET, host: api.example.com, path: /v1/tickets/7 }
    expect: allow
  - after: 2h                                        # later
    outcome: failed                                  # how it ended: done, failed, unknown
    request:
      host: tools.example.com
      path: /mcp
      mcp: { tool: update_ticket, arguments: { ticket: "7" } }
    expect: write_too_late`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			if engine != "" {
				c.Policy.Engine = engine
			}
			s, err := readScene(args[0])
			if err != nil {
				return err
			}
			return playScene(cmd.Context(), cmd.OutOrStdout(), c, s, showInput)
		},
	}
	eval.Flags().StringVar(&engine, "engine", "", "evaluate with compiled, topdown or both, which fails where they differ (policy.engine)")
	eval.Flags().BoolVar(&showInput, "input", false, "print what the policy saw at the last step")
	return eval
}

func playScene(ctx context.Context, out io.Writer, c *config.Config, s *scene, showInput bool) (err error) {
	listener, err := s.listener(c)
	if err != nil {
		return err
	}
	rehearsal, err := server.NewRehearsal(ctx, c)
	if err != nil {
		return err
	}
	defer rehearsal.Close()
	unexpected := 0
	for i := range s.Steps {
		step := &s.Steps[i]
		rehearsal.Wait(step.After.D())
		envelope, err := step.envelope(listener)
		if err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		d := rehearsal.Ask(ctx, s.who(), envelope)
		as := step.printed(out, i+1, d)
		if step.Expect != "" && !as {
			unexpected++
		}
		if d.Effect == pdp.Allow && step.Outcome != pdp.OutcomeUnknown {
			// A decision about nobody leaves nothing to settle.
			if err := rehearsal.Settle(ctx, d.ID, step.Outcome); err != nil && s.Agent.ID != "" {
				return fmt.Errorf("steps[%d]: %w", i, err)
			}
		}
	}
	if showInput {
		fmt.Fprintln(out, "\nthe policy saw:")
		if err := printIndented(out, rehearsal.Saw()); err != nil {
			return err
		}
	}
	if unexpected > 0 {
		return fmt.Errorf("%d of %d steps came out differently than expected", unexpected, len(s.Steps))
	}
	return nil
}

// printed prints a decision and reports whether it is the expected one: an
// effect, or the code of one of the reasons.
func (s *step) printed(out io.Writer, n int, d pdp.Decision) (expected bool) {
	fmt.Fprintf(out, "%2d. %-9s %s\n", n, d.Effect, s.Request)
	if d.Class != "" {
		fmt.Fprintf(out, "      class: %s\n", d.Class)
	}
	expected = s.Expect == d.Effect.String()
	for _, reason := range d.Reasons {
		expected = expected || s.Expect == reason.Code
		fmt.Fprintf(out, "      %s\n", shown(&reason))
	}
	for _, o := range d.WouldDeny {
		expected = expected || s.Expect == o.Reason.Code
		fmt.Fprintf(out, "      not enforced (%s): %s: %s\n", o.Place, o.Reason.Code, o.Reason.Message)
	}
	if d.Retry > 0 {
		fmt.Fprintf(out, "      trying again can help after %s\n", d.Retry)
	}
	if s.Expect != "" && !expected {
		fmt.Fprintf(out, "      EXPECTED %s\n", s.Expect)
	}
	return expected
}

// shown is a reason in one line: its code, and what else it has.
func shown(r *pdp.Reason) string {
	text := r.Code
	if r.Message != "" {
		text += ": " + r.Message
	}
	if len(r.Controls) > 0 {
		text += " [" + strings.Join(r.Controls, " ") + "]"
	}
	return text
}
