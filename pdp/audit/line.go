package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Line returns an entry as one line for a person: when, who, what, and why.
func Line(e *state.Entry) string {
	when := time.Unix(0, e.At).Format("15:04:05.000")
	switch {
	case e.Record != nil:
		return when + " " + decisionLine(e.Record)
	case e.Settling != nil:
		s := e.Settling
		return fmt.Sprintf("%s  outcome    %s, status %d  (%s)", when, s.State, s.Status, short(s.ID))
	case e.Revoking != nil:
		return when + revocationLine(e)
	case e.Ordering != nil:
		return when + orderLine(e.Ordering)
	case e.Problem != "":
		return fmt.Sprintf("%s  generation %s was refused: %s", when, e.Generation, e.Problem)
	default:
		return fmt.Sprintf("%s  generation %s is in force", when, e.Generation)
	}
}

func revocationLine(e *state.Entry) string {
	r, what := e.Revoking, "REVOKED"
	if e.Kind == state.Lifted {
		what = "LIFTED"
	}
	line := fmt.Sprintf("  %-9s  %s  by %s: %s", what, strings.TrimSpace(string(r.Kind)+" "+r.Subject), r.Actor, r.Reason)
	if !r.Until.IsZero() && e.Kind == state.Revoked {
		line += "  until " + r.Until.Format(time.RFC3339)
	}
	return printable(line + "  (" + r.ID + ")")
}

// done are the words for orders that were carried out.
var done = map[pdp.SessionOrderKind]string{pdp.CloseSession: "CLOSED", pdp.ReleaseSession: "RELEASED", pdp.ClearLabel: "CLEARED"}

func orderLine(o *state.Ordering) string {
	what := "session " + o.Order.Session
	if o.Order.Label != "" {
		what = o.Order.Label + " off " + what
	}
	return printable(fmt.Sprintf("  %-9s  %s  by %s: %s  (%s)", done[o.Order.Kind], what, o.Order.Actor, o.Order.Reason, o.ID))
}

func decisionLine(r *state.Record) string {
	who := r.Agent.ID
	if who == "" {
		who = "nobody"
	}
	what := r.Method + " " + r.Host + r.Path
	if r.RPC != "" {
		what = strings.TrimSpace(r.RPC + " " + r.Tool)
	}
	done := fmt.Sprintf("%s on %s", r.Operation, r.System)
	switch r.Question {
	case pdp.AboutSession:
		done = "a session for a task"
	case pdp.AboutEnding, pdp.AboutItself:
		done = "its session"
	case pdp.Supposed:
		done += ", only asked about"
	}
	times := ""
	if r.Count > 1 {
		times = fmt.Sprintf(" (%d times)", r.Count)
	}
	line := fmt.Sprintf(" %-9s  %s  %s  %s%s", strings.ToUpper(r.Effect.String()), who, what, done, times)
	if codes := reasonCodes(r); codes != "" {
		line += "  [" + codes + "]"
	}
	for _, o := range r.WouldDeny {
		line += "  would deny: " + o.Reason.Code + " (" + o.Place + ")"
	}
	if r.Detail != "" {
		line += "  " + r.Detail
	}
	return printable(line + "  (" + short(r.ID) + ")")
}

func reasonCodes(r *state.Record) string {
	codes := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		codes[i] = reason.Code
	}
	return strings.Join(codes, ", ")
}

// short is enough of a decision id to find it: its part that changes.
func short(id string) string {
	if len(id) < 32 {
		return id
	}
	return id[21:32]
}

// printable keeps what a request said from speaking to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x202e {
			return '.'
		}
		return r
	}, s)
}
