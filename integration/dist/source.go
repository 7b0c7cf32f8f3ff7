package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// checkout clones the last commit of a working tree to a folder. What is built is
// built there: nothing that no commit has can get in, ignored files included, and
// the Go command records the commit, which it does not in a linked worktree. A
// tree with changes is refused, because its binary would not be what one sees.
func checkout(ctx context.Context, root, folder string) error {
	changed, err := output(ctx, root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("a release is made of a commit, and no commit has this: commit or stash it\n%s", changed)
	}
	_, err = output(ctx, root, nil, "git", "clone", "--quiet", root, folder)
	return err
}

// output runs a command with an environment, or this process's, and returns what
// it prints; an error has what it complained of.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = dir, env
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}
