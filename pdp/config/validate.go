package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

const socketScheme = "unix:"

// problems returns everything that is wrong, each with its key and a remedy.
func (c *Config) problems() (found []error) {
	say := collect(&found)
	if len(c.Listeners) == 0 {
		say("listeners", "there is none; name at least one address for Envoy to ask at")
	}
	names := make(map[string]bool)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		key := fmt.Sprintf("listeners[%d]", i)
		if l.Name == "" {
			say(key+".name", "is required: records and metrics call the listener by it")
		}
		if names[l.Name] {
			say(key+".name", "%q is used twice", l.Name)
		}
		names[l.Name] = true
		l.problems(key, say)
	}
	if c.Outcomes.Address != "" {
		checkReach("outcomes", c.Outcomes.Address, c.Outcomes.TLS, say)
	}
	c.Outcomes.Connections.problems("outcomes.connections", say)
	c.Shutdown.problems(say)
	c.Process.problems(say)
	c.Policy.Bundle.problems(say)
	c.Agents.problems(c.Listeners, say)
	oneOf("policy.engine", c.Policy.Engine, []string{"compiled", "topdown", "both"}, say)
	if !strings.HasPrefix(c.Policy.Entrypoint, "data.") {
		say("policy.entrypoint", "%q must begin with \"data.\"", c.Policy.Entrypoint)
	}
	between("policy.timeout", c.Policy.Timeout, time.Millisecond, 10*time.Second, say)
	c.Catalog.problems(say)
	c.State.problems(say)
	c.DecisionLog.problems(c.State.SegmentBytes, say)
	checkHostPort("health.address", c.Health.Address, say)
	c.Operators.problems(c.Listeners, say)
	c.Client.problems(say)
	c.Telemetry.Traces.problems(say)
	oneOf("log.level", c.Log.Level, []string{"debug", "info", "warn", "error"}, say)
	oneOf("log.format", c.Log.Format, []string{"text", "json"}, say)
	return found
}

type sayFunc func(key, format string, args ...any)

// collect appends what is said to found.
func collect(found *[]error) sayFunc {
	return func(key, format string, args ...any) {
		*found = append(*found, &Problem{Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

func (l *Listener) problems(key string, say sayFunc) {
	checkReach(key, l.Address, l.TLS, say)
	l.Connections.problems(key+".connections", say)
	oneOf(key+".request_id", l.RequestID, []string{"envoy", "caller"}, say)
	oneOf(key+".deny_as", l.DenyAs, []string{"tool_error", "jsonrpc_error", "http"}, say)
	between(key+".deadline", l.Deadline, 10*time.Millisecond, time.Minute, say)
	between(key+".margin", l.Margin, time.Millisecond, l.Deadline.D()/2, say)
	l.protocolProblems(key, say)
	l.Identity.problems(key+".identity", say)
}

func (s *State) problems(say sayFunc) {
	oneOf("state.durability", s.Durability, []string{"os", "sync"}, say)
	between("state.outcome_timeout", s.OutcomeTimeout, time.Second, time.Hour, say)
	between("state.session.idle", s.Session.Idle, time.Second, 24*time.Hour, say)
	between("state.session.max_age", s.Session.MaxAge, time.Minute, 30*24*time.Hour, say)
	between("state.session.carry", s.Session.Carry, 0, 30*24*time.Hour, say)
	if s.Session.RecentActions < 1 || s.Session.RecentActions > 64 {
		say("state.session.recent_actions", "%d is not between 1 and 64", s.Session.RecentActions)
	}
	if s.MaxPartitions < 10_000 || s.MaxPartitions > 1_000_000_000 {
		say("state.max_partitions", "%d is not between 10,000 and 1,000,000,000", s.MaxPartitions)
	}
	if s.SegmentBytes < 1<<20 || s.SegmentBytes > 1<<30 {
		say("state.segment_bytes", "%d is not between 1 MiB and 1 GiB", s.SegmentBytes)
	}
}

// checkAddress accepts a socket, and TCP on loopback: whoever reaches one of
// remit's addresses is believed to be the proxy.
func checkAddress(key, address string, say sayFunc) {
	if path, isSocket := cutSocket(address); isSocket {
		if path == "" {
			say(key, "%q names no path", address)
		}
		return
	}
	host, ok := checkHostPort(key, address, say)
	if !ok {
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		say(key, "%q can be reached from other machines, and its callers would not be authenticated; use unix:PATH, a loopback address, or mutual TLS (tls: cert_file, key_file, client_ca_file, client_names) where there is a tls key beside it", address)
	}
}

func cutSocket(address string) (path string, isSocket bool) {
	return strings.CutPrefix(address, socketScheme)
}

func oneOf(key, got string, want []string, say sayFunc) {
	if !slices.Contains(want, got) {
		say(key, "%q is not one of %s", got, strings.Join(want, ", "))
	}
}

func between(key string, got Duration, low, high time.Duration, say sayFunc) {
	if got.D() < low || got.D() > high {
		say(key, "%s is not between %s and %s", got.D(), low, high)
	}
}
