package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/operators"
)

// operatorsDoor is the operators' door and where it listens.
type operatorsDoor struct {
	server   *operators.Server
	listener net.Listener
}

// orders are who carries out what operators order.
type orders struct {
	revoker pdp.Revoker
	keeper  pdp.SessionKeeper
}

func openOperators(c *config.Config, orders orders, log *slog.Logger) (*operatorsDoor, error) {
	l, err := listenForOwner(c.Operators.Socket())
	if err != nil {
		return nil, fmt.Errorf("operators.address: %w", err)
	}
	told := func(what string, err error) {
		if err != nil {
			log.Warn("an operator's order was refused", "order", what, "error", err)
			return
		}
		log.Info("an operator's order was carried out", "order", what)
	}
	return &operatorsDoor{operators.NewServer(orders.revoker, orders.keeper, told), l}, nil
}

// maxSocketPath is how long the path of a Unix socket may be (unix(7)).
const maxSocketPath = 107

// listenForOwner opens a socket that nobody but the user who runs remit can
// open. Until its mode is set others may get to it: the door asks the kernel
// who they are.
func listenForOwner(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("%s is longer than the %d bytes that a socket's path may have: name a shorter one", path, maxSocketPath)
	}
	l, err := listenAt("unix:" + path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (d *operatorsDoor) serve() error { return d.server.Serve(d.listener) }

// close lets what is under way end: an order that was begun is carried out.
func (d *operatorsDoor) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.server.Shutdown(ctx) // whoever is cut off gives the order again
	d.listener.Close()
}
