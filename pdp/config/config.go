// Package config is remit's configuration file: its types, defaults and
// validation. It knows nothing of the parts it configures, and there is no
// global configuration: [Load] returns a value that the server is built from.
//
// A configuration that would weaken a promise is an error, never a warning:
// an identity without an audience, a TCP listener that anybody on the network
// could reach, a misspelt key.
package config

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Config is the whole configuration.
type Config struct {
	Listeners   []Listener  `yaml:"listeners"`
	Outcomes    Outcomes    `yaml:"outcomes"`
	Agents      Agents      `yaml:"agents"`
	Policy      Policy      `yaml:"policy"`
	Catalog     Catalog     `yaml:"catalog"`
	State       State       `yaml:"state"`
	DecisionLog DecisionLog `yaml:"decision_log"`
	Operators   Operators   `yaml:"operators"`
	Client      Client      `yaml:"client"`
	Health      Health      `yaml:"health"`
	Telemetry   Telemetry   `yaml:"telemetry"`
	Shutdown    Shutdown    `yaml:"shutdown"`
	Process     Process     `yaml:"process"`
	Log         Log         `yaml:"log"`
}

// Listener is one address that a proxy asks for decisions at.
type Listener struct {
	// Name is what records and metrics call the listener.
	Name string `yaml:"name"`
	// Address is "unix:PATH" or "HOST:PORT". TCP beyond loopback needs tls: the
	// caller of a decision must be authenticated, and a socket's folder or
	// its certificate does that.
	Address string `yaml:"address"`
	TLS     *TLS   `yaml:"tls"`
	// Connections bounds the proxy's connections.
	Connections Connections `yaml:"connections"`
	// RequestID says who chooses the ids of checks: "envoy" (its internal
	// stream id) makes a retried check one action; "caller" does not.
	RequestID string `yaml:"request_id"`
	// Deadline is the longest a decision may take where the caller sets none
	// or a longer one.
	Deadline Duration `yaml:"deadline"`
	// Margin of the deadline is kept free for the answer to travel.
	Margin Duration `yaml:"margin"`
	// DenyAs is how a denied MCP call is answered: "tool_error",
	// "jsonrpc_error" or "http".
	DenyAs   string   `yaml:"deny_as"`
	Identity Identity `yaml:"identity"`
	MCP      MCP      `yaml:"mcp"`
	A2A      A2A      `yaml:"a2a"`
	GRPC     GRPC     `yaml:"grpc"`
	// Network says that the proxy asks about connections as well, before a byte
	// is read of them (Envoy's network filter ext_authz).
	Network bool `yaml:"network"`
	// BodyIsExact says that the proxy sends bodies byte for byte although it
	// uses the text field for them (agentgateway, Envoy Gateway do not say).
	BodyIsExact bool `yaml:"body_is_exact"`
}

// Outcomes is where Envoy's access log service delivers what happened. Without
// an address nothing ever settles: every allowed action becomes unknown.
type Outcomes struct {
	// Address is "unix:PATH" or "HOST:PORT". TCP beyond loopback needs tls: who
	// reaches it can say that an action failed, and so get its budget back.
	Address     string      `yaml:"address"`
	TLS         *TLS        `yaml:"tls"`
	Connections Connections `yaml:"connections"`
}

// Policy says what decisions are made with.
type Policy struct {
	Bundle     Bundle `yaml:"bundle"`     // where policies, catalog and agents come from: a folder, or an object with one of dir, tarball, git
	Entrypoint string `yaml:"entrypoint"` // the rule that decides
	// Engine evaluates the policy: "compiled" (and "topdown" for what that cannot
	// do), "topdown" (OPA's own) or "both", which asks both and denies where they
	// differ.
	Engine  string   `yaml:"engine"`
	Timeout Duration `yaml:"timeout"` // of one evaluation of the policy
}

// State says where and how what happened is kept.
type State struct {
	Dir string `yaml:"dir"` // the folder of journal, snapshots and seed
	// Durability is "os" (survives the death of the process) or "sync"
	// (survives power loss).
	Durability     string   `yaml:"durability"`
	Session        Session  `yaml:"session"`
	OutcomeTimeout Duration `yaml:"outcome_timeout"` // after it an action without an outcome is unknown
	SegmentBytes   int64    `yaml:"segment_bytes"`   // size of one of the journal's files
	// MaxPartitions is how many roots are remembered, about: 500 to 1,000 bytes of
	// memory each. Beyond it counts are given up for new ones, visibly; where
	// nothing can be, new roots are denied.
	MaxPartitions int `yaml:"max_partitions"`
}

// Session bounds the sessions of an agent whose token names none, and all of
// them.
type Session struct {
	Idle          Duration `yaml:"idle"`               // a session without an action for as long has ended
	MaxAge        Duration `yaml:"max_age"`            // a session as old has ended
	Carry         Duration `yaml:"carry"`              // how long after a session its labels reach the agent's next one
	MaxOpen       int      `yaml:"max_open_per_agent"` // open sessions of one agent
	MaxPerMinute  int      `yaml:"max_new_per_minute"` // sessions that one agent may begin in a minute
	RecentActions int      `yaml:"recent_actions"`     // how many of the latest actions of a session policies see
}

// Health is the address of /health, /ready and /metrics. They tell whether remit
// lives and how its work goes: names from the configuration, counts, no request
// and no secret. So plain HTTP beyond loopback is accepted here.
type Health struct {
	// Address is "HOST:PORT" of /health, /ready and /metrics; they hold no secret
	// and change nothing, so that plain HTTP beyond loopback is accepted.
	Address string `yaml:"address"`
}

// Log is remit's own log (not the decision log).
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// Duration is a time.Duration written like "30m".
type Duration time.Duration

// UnmarshalText reads a duration as time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write 500ms, 30s, 15m or 8h", text)
	}
	*d = Duration(parsed)
	return nil
}

// UnmarshalYAML reads a duration; an error says where it stands.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	if err := d.UnmarshalText([]byte(node.GetToken().Value)); err != nil {
		return &yaml.SyntaxError{Message: err.Error(), Token: node.GetToken()}
	}
	return nil
}

// MarshalText writes the duration as [time.Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// D returns d as a time.Duration.
func (d Duration) D() time.Duration { return time.Duration(d) }
