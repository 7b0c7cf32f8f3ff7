package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Sources are what a configuration is made of; each wins over those before it.
type Sources struct {
	File    string    // path; "" for none
	Environ []string  // "NAME=value"; those that begin with [Prefix] count
	Flags   []Setting // in the order given
}

// Beyond reports whether something beyond the file says anything.
func (s *Sources) Beyond() bool { return len(overrides(s.Environ, s.Flags)) > 0 }

// Loaded is a configuration and where its values come from.
type Loaded struct {
	*Config
	Entries []Entry
}

// Where says where a key was set ("remit.yaml:12", a flag, a variable), "default"
// where it was not; "" for what is no key.
func (l *Loaded) Where(key string) string {
	for _, e := range l.Entries {
		if e.Key == key {
			return e.From
		}
	}
	return ""
}

// engine is the default of policy.engine. `make test-topdown` links the
// tests with the other one (-ldflags -X).
var engine = "compiled"

// Load reads the configuration file at path alone. See [Read].
func Load(path string) (*Config, error) {
	loaded, err := Read(Sources{File: path})
	if err != nil {
		return nil, err
	}
	return loaded.Config, nil
}

// Read reads a configuration, fills in defaults and validates. Relative paths in
// the file are relative to its folder, those of flags and environment to the
// working directory. Every error names the file and line, the flag or the
// variable, and the key.
func Read(s Sources) (*Loaded, error) { return read(s, (*Config).problems) }

// ReadClient reads what a command needs that gives an operator's order. Where the
// configuration names a remit to be called over TCP, nothing but the client block
// is validated: an operator's machine serves nothing.
func ReadClient(s Sources) (*Loaded, error) {
	return read(s, func(c *Config) []error {
		if c.Client.Operators == "" {
			return c.problems()
		}
		return c.clientProblems()
	})
}

func read(s Sources, problems func(*Config) []error) (*Loaded, error) {
	c := &Config{}
	var text []byte
	var err error
	if s.File != "" {
		if text, err = os.ReadFile(s.File); err != nil {
			return nil, fmt.Errorf("read the configuration: %w: --config names another one, remit config reference lists the keys", err)
		}
		if err := decode(text, c); err != nil {
			return nil, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	origins := newOrigins(s.File, text)
	dir, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		return nil, err
	}
	c.rebase(dir)
	if err := origins.override(c, overrides(s.Environ, s.Flags)); err != nil {
		return nil, err
	}
	c.fill()
	c.rebase(dir)
	if err := origins.locate(problems(c)); err != nil {
		return nil, err
	}
	return &Loaded{Config: c, Entries: origins.entries(c)}, nil
}

// override applies what flags and environment say. Relative paths in it are
// relative to the working directory.
func (o *origins) override(c *Config, all []override) error {
	var wrong []error
	for _, given := range all {
		key, err := given.apply(reflect.ValueOf(c))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		o.given[key] = given.origin
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	c.rebase(here)
	return nil
}

// locate adds to each problem where it is, and joins them.
func (o *origins) locate(problems []error) error {
	for _, err := range problems {
		if problem, ok := errors.AsType[*Problem](err); ok {
			problem.Where = o.around(problem.Key)
		}
	}
	return errors.Join(problems...)
}

// Parse reads a configuration from YAML text alone, and leaves relative paths as
// they are.
func Parse(text []byte) (*Config, error) {
	c := &Config{}
	if err := decode(text, c); err != nil {
		return nil, err
	}
	c.fill()
	if err := newOrigins("configuration", text).locate(c.problems()); err != nil {
		return nil, err
	}
	return c, nil
}

// decode reads YAML. Unknown and repeated keys are errors with their line.
func decode(text []byte, c *Config) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	err := decoder.Decode(c)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	wrong := errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	if _, unknown := errors.AsType[*yaml.UnknownFieldError](err); unknown {
		return fmt.Errorf("%w\nremit config reference lists the keys there are", wrong)
	}
	return wrong
}

func (c *Config) fill() {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		orString(&l.RequestID, "envoy")
		orString(&l.DenyAs, "tool_error")
		orDuration(&l.Deadline, time.Second)
		orDuration(&l.Margin, 20*time.Millisecond)
		l.TLS.fill()
		l.Connections.fill(checkAge)
		l.Identity.fill()
	}
	c.Policy.Bundle.fill()
	c.Agents.fill(c.Listeners)
	orString(&c.Policy.Entrypoint, "data.remit.authz.decision")
	orString(&c.Policy.Engine, engine)
	orDuration(&c.Policy.Timeout, 100*time.Millisecond)
	orString(&c.State.Dir, "data")
	orString(&c.State.Durability, "os")
	orDuration(&c.State.OutcomeTimeout, time.Minute)
	orDuration(&c.State.Session.Idle, 30*time.Minute)
	orDuration(&c.State.Session.MaxAge, 8*time.Hour)
	orDuration(&c.State.Session.Carry, 24*time.Hour)
	orInt(&c.State.Session.MaxOpen, 64)
	orInt(&c.State.Session.MaxPerMinute, 60)
	orInt(&c.State.Session.RecentActions, 8)
	orInt(&c.State.MaxPartitions, 2_000_000)
	if c.State.SegmentBytes == 0 {
		c.State.SegmentBytes = 64 << 20
	}
	c.Catalog.fill()
	c.DecisionLog.fill()
	c.Telemetry.Traces.fill()
	c.Outcomes.TLS.fill()
	c.Outcomes.Connections.fill(outcomeAge)
	c.Shutdown.fill()
	c.Process.fill()
	c.Operators.fill(c.State.Dir)
	orString(&c.Health.Address, "127.0.0.1:8282")
	orString(&c.Log.Level, "info")
	orString(&c.Log.Format, "text")
}

func orString(s *string, fallback string) {
	if *s == "" {
		*s = fallback
	}
}

func orInt(n *int, fallback int) {
	if *n == 0 {
		*n = fallback
	}
}

func orDuration(d *Duration, fallback time.Duration) {
	if *d == 0 {
		*d = Duration(fallback)
	}
}

// rebase makes relative paths relative to the configuration's folder.
func (c *Config) rebase(dir string) {
	under := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	c.Policy.Bundle.rebase(under)
	under(&c.State.Dir)
	c.DecisionLog.rebase(under)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		l.Address = rebaseSocket(l.Address, under)
		l.TLS.rebase(under)
		l.Identity.rebase(under)
		l.rebaseProtocols(under)
	}
	c.Outcomes.Address = rebaseSocket(c.Outcomes.Address, under)
	c.Outcomes.TLS.rebase(under)
	c.Catalog.rebase(under)
	under(&c.Telemetry.Traces.CAFile)
	c.Operators.rebase(under)
	c.Client.rebase(under)
	c.Agents.Address = rebaseSocket(c.Agents.Address, under)
}

func rebaseSocket(address string, under func(*string)) string {
	path, isSocket := cutSocket(address)
	if !isSocket {
		return address
	}
	under(&path)
	return socketScheme + path
}
