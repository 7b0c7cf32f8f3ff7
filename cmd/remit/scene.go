package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/value"
)

// scene is the file that remit eval reads.
type scene struct {
	Listener string `yaml:"listener"` // "" is the first of the configuration
	Agent    actor  `yaml:"agent"`
	Session  string `yaml:"session"`
	Steps    []step `yaml:"steps"`
}

// actor is who acts, taken as proved.
type actor struct {
	ID     string         `yaml:"id"`
	Issuer string         `yaml:"issuer"`
	For    string         `yaml:"for"`
	Owner  string         `yaml:"owner"`
	Claims map[string]any `yaml:"claims"`
	Scopes []string       `yaml:"scopes"`
}

// step is one request, how it ends, and what is expected of it.
type step struct {
	After   config.Duration  `yaml:"after"`
	Request request          `yaml:"request"`
	Outcome pdp.OutcomeState `yaml:"outcome"`
	Expect  string           `yaml:"expect"`
}

// request is a request as it reaches Envoy.
type request struct {
	Method  string            `yaml:"method"`
	Host    string            `yaml:"host"`
	Path    string            `yaml:"path"`
	Headers map[string]string `yaml:"headers"`
	Body    any               `yaml:"body"` // text as it is; anything else as JSON
	MCP     *toolCall         `yaml:"mcp"`
}

// toolCall is short for the body and headers of an MCP tools/call.
type toolCall struct {
	Tool      string         `yaml:"tool"`
	Arguments map[string]any `yaml:"arguments"`
}

// String says in one line what is asked.
func (r request) String() string {
	if r.MCP != nil {
		return fmt.Sprintf("%s%s %s", r.Host, r.Path, r.MCP.Tool)
	}
	return fmt.Sprintf("%s %s%s", r.Method, r.Host, r.Path)
}

func readScene(path string) (*scene, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &scene{}
	if err := yaml.UnmarshalWithOptions(text, s, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if len(s.Steps) == 0 {
		return nil, fmt.Errorf("%s: it has no steps", path)
	}
	for i := range s.Steps {
		if err := s.Steps[i].fill(); err != nil {
			return nil, fmt.Errorf("%s: steps[%d]: %w", path, i, err)
		}
	}
	return s, nil
}

func (s *step) fill() error {
	switch s.Outcome {
	case "":
		s.Outcome = pdp.OutcomeDone
	case pdp.OutcomeDone, pdp.OutcomeFailed, pdp.OutcomeUnknown:
	default:
		return fmt.Errorf("outcome is %q, want done, failed or unknown", s.Outcome)
	}
	if s.Request.Host == "" || s.Request.Path == "" {
		return errors.New("request has no host or no path")
	}
	if s.Request.Method == "" {
		s.Request.Method = "GET"
		if s.Request.MCP != nil || s.Request.Body != nil {
			s.Request.Method = "POST"
		}
	}
	return nil
}

// listener is the name of the listener that the requests come in by.
func (s *scene) listener(c *config.Config) (string, error) {
	if s.Listener == "" {
		return c.Listeners[0].Name, nil
	}
	for _, l := range c.Listeners {
		if l.Name == s.Listener {
			return l.Name, nil
		}
	}
	return "", fmt.Errorf("listener: the configuration has none named %q", s.Listener)
}

// who is the agent of all steps; nobody where the scene names none.
func (s *scene) who() pdp.Agent {
	if s.Agent.ID == "" {
		return pdp.Agent{}
	}
	claims, err := toValue(s.Agent.Claims)
	if err != nil || !claims.Defined() {
		claims = value.Obj()
	}
	a := pdp.Agent{
		ID: s.Agent.ID, Issuer: s.Agent.Issuer, Kind: "jwt", Owner: s.Agent.Owner, Claims: claims,
		Scopes: s.Agent.Scopes, SessionClaim: s.Session,
		Credential: pdp.Presented{Fingerprint: "rehearsal", Kind: "jwt"},
	}
	if s.Agent.For != "" {
		a.Chain = []pdp.Principal{{ID: s.Agent.For, Issuer: s.Agent.Issuer}}
	}
	return a
}

// envelope is the request as Envoy would put it to remit.
func (s *step) envelope(listener string) (*pdp.Envelope, error) {
	r := &s.Request
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	e := &pdp.Envelope{
		Door: "rehearsal", Listener: listener, Method: r.Method, Scheme: "https", Host: r.Host, Path: r.Path,
		Body: string(body), BodySize: int64(len(body)),
		Headers: pdp.Headers{
			{Name: ":method", Value: r.Method}, {Name: ":authority", Value: r.Host}, {Name: ":path", Value: r.Path},
		},
	}
	if len(body) > 0 {
		e.Headers = append(e.Headers, pdp.Header{Name: "x-envoy-auth-partial-body", Value: "false"})
		if _, given := r.Headers["content-type"]; !given {
			e.Headers = append(e.Headers, pdp.Header{Name: "content-type", Value: "application/json"})
		}
	}
	for name, v := range r.Headers {
		e.Headers = append(e.Headers, pdp.Header{Name: strings.ToLower(name), Value: v})
	}
	return e, nil
}

func (r *request) body() ([]byte, error) {
	switch {
	case r.MCP != nil && r.Body != nil:
		return nil, errors.New("request has both mcp and body")
	case r.MCP != nil:
		arguments := r.MCP.Arguments
		if arguments == nil {
			arguments = map[string]any{}
		}
		return json.Marshal(map[string]any{
			"jsonrpc": "2.0", "id": 1, "method": "tools/call",
			"params": map[string]any{"name": r.MCP.Tool, "arguments": arguments},
		})
	case r.Body == nil:
		return nil, nil
	}
	if text, ok := r.Body.(string); ok {
		return []byte(text), nil
	}
	return json.Marshal(r.Body)
}

// toValue turns decoded YAML into a value.
func toValue(decoded map[string]any) (value.Value, error) {
	text, err := json.Marshal(decoded)
	if err != nil {
		return value.Nothing, err
	}
	return value.ParseJSON(text)
}
