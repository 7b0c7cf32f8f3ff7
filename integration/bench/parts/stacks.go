// Package parts says where a server's processor time goes: it reads a CPU
// profile, adds up what each part of a decision used, and draws it.
package parts

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Stack is where a process was, for a time.
type Stack struct {
	Time      time.Duration
	Functions []string // the innermost first
}

// Read reads a CPU profile, through `go tool pprof`.
func Read(ctx context.Context, profile string) ([]Stack, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", profile).Output()
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	return parse(string(out))
}

// parse reads what `pprof -traces` prints: blocks between rules, each with its
// time in front of its first function.
func parse(text string) (stacks []Stack, err error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for begun, open := false, false; lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "-----------+") {
			begun, open = true, false
			continue
		}
		fields := strings.Fields(line)
		if !begun || len(fields) == 0 || strings.HasSuffix(fields[0], ":") { // the head, or a label
			continue
		}
		if !open {
			took, err := time.ParseDuration(fields[0])
			if err != nil || len(fields) < 2 {
				return nil, fmt.Errorf("a stack begins with %q", line)
			}
			stacks, fields, open = append(stacks, Stack{Time: took}), fields[1:], true
		}
		last := &stacks[len(stacks)-1]
		last.Functions = append(last.Functions, fields[0])
	}
	if len(stacks) == 0 {
		return nil, errors.New("the profile is empty")
	}
	return stacks, lines.Err()
}

// depth is how far from the innermost function one of texts is in one.
func (s *Stack) depth(texts []string) int {
	for i, function := range s.Functions {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(function, text) }) {
			return i
		}
	}
	return len(s.Functions)
}

func (s *Stack) has(text string) bool {
	return slices.ContainsFunc(s.Functions, func(function string) bool { return strings.Contains(function, text) })
}
