package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Agents is the agents' door: where agents have sessions admitted and ask what
// would be allowed. Without an address there is none.
type Agents struct {
	// Address is "unix:PATH" or a loopback "HOST:PORT": agents reach it through
	// Envoy.
	Address string `yaml:"address"`
	// Listener names the listener whose rules hold at the door: who its callers
	// are, and which paths speak MCP. Not needed where there is one listener.
	Listener string `yaml:"listener"`
	// SessionHeader is the header that session tokens come in, at every
	// listener. It is taken off before the tool.
	SessionHeader         string `yaml:"session_header"`
	MaxBatch              int    `yaml:"max_batch"`                // questions in one request
	MaxQuestionsPerMinute int    `yaml:"max_questions_per_minute"` // of one agent
	// Deadline is the longest that a request may take, a batch included.
	Deadline Duration `yaml:"deadline"`
}

func (a *Agents) fill(listeners []Listener) {
	orString(&a.SessionHeader, "remit-session")
	orInt(&a.MaxBatch, 64)
	orInt(&a.MaxQuestionsPerMinute, 256)
	orDuration(&a.Deadline, 10*time.Second)
	if len(listeners) == 1 {
		orString(&a.Listener, listeners[0].Name)
	}
}

// notForSessions are headers that mean something else.
var notForSessions = []string{"authorization", "cookie", "host", "x-remit-decision", "x-request-id"}

func (a *Agents) problems(listeners []Listener, say sayFunc) {
	if strings.Trim(a.SessionHeader, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || slices.Contains(notForSessions, a.SessionHeader) {
		say("agents.session_header", "%q must be a header of its own, of lower-case letters, digits and dashes", a.SessionHeader)
	}
	if a.Address == "" {
		return
	}
	checkAddress("agents.address", a.Address, say)
	if a.MaxBatch < 1 || a.MaxBatch > 256 {
		say("agents.max_batch", "%d is not between 1 and 256", a.MaxBatch)
	}
	if a.MaxQuestionsPerMinute < 1 || a.MaxQuestionsPerMinute > 100_000 {
		say("agents.max_questions_per_minute", "%d is not between 1 and 100000", a.MaxQuestionsPerMinute)
	}
	between("agents.deadline", a.Deadline, 10*time.Millisecond, time.Minute, say)
	i := slices.IndexFunc(listeners, func(l Listener) bool { return l.Name == a.Listener })
	switch {
	case i < 0:
		say("agents.listener", "%q is no listener; name the one whose identity rules hold at the agents' door: %s", a.Listener, names(listeners))
	case listeners[i].Identity.JWT == nil:
		say("agents.listener", "listener %q does not verify a token itself, and only Envoy's checks carry what it goes by; name a listener with identity.jwt", a.Listener)
	}
}

func names(listeners []Listener) string {
	list := make([]string, len(listeners))
	for i, l := range listeners {
		list[i] = fmt.Sprintf("%q", l.Name)
	}
	return strings.Join(list, ", ")
}
