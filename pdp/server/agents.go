package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/agents"
)

// agentsDoor is the agents' HTTP door and where it listens; nil where it is
// not configured.
type agentsDoor struct {
	server   *http.Server
	listener net.Listener
}

func openAgents(c *config.Config, decider agents.Decider, log *slog.Logger, crashed func(any, []byte)) (*agentsDoor, error) {
	if c.Agents.Address == "" {
		return nil, nil
	}
	listener, err := listenAt(c.Agents.Address)
	if err != nil {
		return nil, fmt.Errorf("agents: %w", err)
	}
	door := agents.New(agents.Settings{
		Listener: c.Agents.Listener, Proxy: c.Agents.Address, SessionHeader: c.Agents.SessionHeader,
		MaxBatch: c.Agents.MaxBatch, Deadline: c.Agents.Deadline.D(),
	}, decider, time.Now, crashed)
	return &agentsDoor{listener: listener, server: &http.Server{
		Handler:           door.Handler(),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      c.Agents.Deadline.D() + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}}, nil
}
