package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
)

// Load reads the configuration file at path, fills in defaults and validates.
// Relative paths in it are relative to the file's folder. Every error names the
// file, and the line or the key.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c.rebase(dir)
	return c, nil
}

// Parse reads a configuration from YAML text. Unknown and repeated keys are
// errors with their line.
func Parse(text []byte) (*Config, error) {
	c := &Config{}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	if err := decoder.Decode(c); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	c.fill()
	if err := errors.Join(c.problems()...); err != nil {
		return nil, err
	}
	return c, nil
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
	orString(&c.Policy.Entrypoint, "data.remit.authz.decision")
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
	if c.State.SegmentBytes == 0 {
		c.State.SegmentBytes = 64 << 20
	}
	c.Outcomes.TLS.fill()
	c.Outcomes.Connections.fill(outcomeAge)
	c.Shutdown.fill()
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
	under(&c.Policy.Bundle)
	under(&c.State.Dir)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		l.Address = rebaseSocket(l.Address, under)
		l.TLS.rebase(under)
		l.Identity.rebase(under)
		l.rebaseProtocols(under)
	}
	c.Outcomes.Address = rebaseSocket(c.Outcomes.Address, under)
	c.Outcomes.TLS.rebase(under)
}

func rebaseSocket(address string, under func(*string)) string {
	path, isSocket := cutSocket(address)
	if !isSocket {
		return address
	}
	under(&path)
	return socketScheme + path
}
