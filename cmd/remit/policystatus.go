package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/server"
)

// printPolicyStatus tells of what the remit with this state directory said last
// about its policy, where an operator should know.
func printPolicyStatus(out io.Writer, stateDir string) error {
	s, err := server.ReadPolicyStatus(stateDir)
	if err != nil || s == nil {
		return err
	}
	if s.LastGood {
		fmt.Fprintf(out, "warning: remit serves the last good policy, %s, which its source had last at %s (%s ago)\n",
			s.Generation, s.Since.Format(time.RFC3339), time.Since(s.Since).Round(time.Second))
	}
	printPolicyProblem(out, "a policy is refused", s.Refused)
	printPolicyProblem(out, "the source of the policy cannot be read", s.Unreachable)
	return nil
}

func printPolicyProblem(out io.Writer, what string, p *server.PolicyProblem) {
	if p != nil {
		problem := strings.ReplaceAll(strings.TrimSpace(p.Revision+" "+p.Problem), "\n", "\n  ")
		fmt.Fprintf(out, "warning: since %s %s: %s\n", p.Since.Format(time.RFC3339), what, problem)
	}
}
