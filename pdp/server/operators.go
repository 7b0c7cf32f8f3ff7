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
	server    *operators.Server
	listeners []net.Listener
	// tcp is nil where the door is on its socket alone.
	tcp *operatorsTCP
}

// orders are who carries out what operators order, and shows what they look at.
type orders struct {
	revoker pdp.Revoker
	keeper  pdp.SessionKeeper
	looking operators.Sessions
}

// openOperators opens the operators' door on its socket, and over TCP where that is
// configured. Nothing stays open with an error.
func openOperators(c *config.Config, keys *pdp.Keys, orders orders, log *slog.Logger) (_ *operatorsDoor, err error) {
	d := &operatorsDoor{}
	settings := operatorsSettings(orders, log)
	if c.Operators.TCP() != "" {
		if d.tcp, err = newOperatorsTCP(c, keys, NewIssuers(c, log), log); err != nil {
			return nil, err
		}
		settings.Network = d.tcp.network(&c.Operators)
	}
	d.server = operators.NewServer(settings)
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	socket, err := listenForOwner(c.Operators.SocketPath())
	if err != nil {
		return nil, fmt.Errorf("operators.socket: %w", err)
	}
	d.listeners = append(d.listeners, socket)
	if d.tcp == nil {
		return d, nil
	}
	overTCP, err := d.tcp.listen(&c.Operators)
	if err != nil {
		return nil, fmt.Errorf("operators.address: %w", err)
	}
	d.listeners = append(d.listeners, overTCP)
	return d, nil
}

// operatorsSettings are what holds on every way to the door. What anybody can cause
// must not fill the log.
func operatorsSettings(orders orders, log *slog.Logger) operators.Settings {
	refusals, broken := &sparing{now: time.Now}, &sparing{now: time.Now}
	return operators.Settings{
		Revoker: orders.revoker, Keeper: orders.keeper, Sessions: orders.looking,
		Told: func(what string, err error) {
			if err != nil {
				log.Warn("an operator's order was refused", "order", what, "error", err)
				return
			}
			log.Info("an operator's order was carried out", "order", what)
		},
		Refused: func(from string, err error) {
			refusals.tell(func(untold int) {
				log.Warn("a caller of the operators' door was refused", "from", from, "error", err, "and_before", untold)
			})
		},
		Broken: broken.logger(log, "a connection to the operators' door came to nothing"),
	}
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

// serve answers everywhere until it is closed, or one of the listeners fails.
func (d *operatorsDoor) serve() error {
	ended := make(chan error, len(d.listeners))
	for _, l := range d.listeners {
		go func() { ended <- d.server.Serve(l) }()
	}
	return <-ended
}

// close lets what is under way end: an order that was begun is carried out.
func (d *operatorsDoor) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.server.Shutdown(ctx) // whoever is cut off gives the order again
	for _, l := range d.listeners {
		l.Close()
	}
	if d.tcp != nil {
		d.tcp.issuers.Close()
	}
}
