// Command demo shows remit at work: a real Envoy, a real MCP tool server made
// with the official SDK, a plain HTTP API, and one agent whose session is
// played through Envoy and printed, request by request, with the decision and
// its reason. It then keeps serving until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/integration/sample"
)

func main() {
	once := flag.Bool("once", false, "end after the sample session instead of serving on")
	remit := flag.String("remit", "bin/remit", "remit's binary")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *remit, *once); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, once bool) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	// A short path: the name of a Unix socket has room for 107 bytes.
	dir, err := os.MkdirTemp("", "remit-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	fmt.Println("starting Envoy 1.40, remit, the sample tools and a sample API (Envoy is fetched the first time) ...")
	stack, err := harness.Start(ctx, harness.Options{
		Root: root, Dir: dir, Binary: binary, Bundle: filepath.Join(root, "integration", "demo", "bundle"),
	})
	if err != nil {
		return err
	}
	defer stack.Stop()
	if err := sample.Play(ctx, stack, os.Stdout); err != nil {
		return err
	}
	if once {
		return nil
	}
	serving(stack)
	<-ctx.Done()
	fmt.Println("\nstopping")
	return nil
}

// serving says how to go on by hand.
func serving(s *harness.Stack) {
	token, err := s.Issuer.Token(sample.Agent, sample.Person, "by-hand", nil)
	if err != nil {
		token = err.Error()
	}
	fmt.Printf(`
Still serving; Ctrl-C ends everything. In another terminal:

  TOKEN=%s
  curl -i -H "host: %s" -H "authorization: Bearer $TOKEN" http://%s/v1/tickets/7
  %s log tail --config %s
  %s session list --config %s

The policies in force are in %s.
`, token, harness.APIHost, s.Envoy.Address, s.Binary, s.Remit.Config, s.Binary, s.Remit.Config, s.Policy)
}
