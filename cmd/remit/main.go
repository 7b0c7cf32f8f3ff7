// Command remit is the decision point for AI agents behind Envoy, and the
// tools to write, check and observe its policies. `remit help` teaches.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal has its usual effect: it ends the process at once.
	context.AfterFunc(ctx, stop)
	err := newRoot(os.Args[1:]).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "remit:", err)
		os.Exit(1)
	}
}
