// Command dist makes what is released of the last commit, in build/dist: a static
// binary for each processor in an archive with the licences, what is in it
// (CycloneDX), what a container image is made of, and the checksums of it all. The
// same commit and the same Go make the same bytes, wherever and whenever: nothing
// is read but the commit and its modules, and no time but the commit's is written.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	arch := flag.String("arch", "amd64,arm64", "the processors to build for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, strings.Split(*arch, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, archs []string) (err error) {
	root, err := output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("a release is made of a commit: begin from a git clone: %w", err)
	}
	temp, err := os.MkdirTemp("", "remit-dist-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	source := filepath.Join(temp, "source")
	if err := checkout(ctx, root, source); err != nil {
		return err
	}
	release := folder(filepath.Join(root, "build", "dist"))
	if err := os.RemoveAll(string(release)); err != nil {
		return err
	}
	for _, arch := range archs {
		b, err := build(ctx, source, filepath.Join(temp, arch), arch)
		if err != nil {
			return err
		}
		if err := release.add(ctx, source, b); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		fmt.Printf("%s/%s %s, commit %s\n", goos, arch, b.version(), b.commit())
	}
	return release.sums()
}
