package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Where string // "remit.yaml:12", "--policy.timeout", "REMIT_POLICY_TIMEOUT"; "" where it is said nowhere
	Key   string // "listeners[0].address"
	Text  string // what is wrong and what to do
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Where == "" {
		return p.Key + ": " + p.Text
	}
	return p.Where + ": " + p.Key + ": " + p.Text
}

// Entry is one value of a configuration that was read.
type Entry struct {
	Key   string // "listeners[0].deadline"
	Value string // as YAML in one line; a secret is not shown
	From  string // "remit.yaml:12", "--listeners.agents.deadline", "REMIT_…", "default"
}

// origins says where each key was set.
type origins struct {
	file  string
	lines map[string]int    // in the file
	given map[string]string // by flag or environment
}

// newOrigins finds the lines of a file's keys. Text that is not YAML has none.
func newOrigins(file string, text []byte) *origins {
	o := &origins{file: file, lines: make(map[string]int), given: make(map[string]string)}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return o
	}
	for _, doc := range parsed.Docs {
		o.note("", doc.Body)
	}
	return o
}

func (o *origins) note(key string, node ast.Node) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, value := range n.Values {
			o.note(key, value)
		}
	case *ast.MappingValueNode:
		inner := join(key, n.Key.GetToken().Value)
		o.lines[inner] = n.Key.GetToken().Position.Line
		o.note(inner, n.Value)
	case *ast.SequenceNode:
		for i, value := range n.Values {
			inner := fmt.Sprintf("%s[%d]", key, i)
			o.lines[inner] = value.GetToken().Position.Line
			o.note(inner, value)
		}
	case *ast.AnchorNode:
		o.note(key, n.Value)
	case *ast.TagNode:
		o.note(key, n.Value)
	}
}

// of is where a key was set; "" where it was not.
func (o *origins) of(key string) string {
	if given := o.given[key]; given != "" {
		return given
	}
	if line := o.lines[key]; line != 0 {
		return fmt.Sprintf("%s:%d", o.file, line)
	}
	return ""
}

// around is where a key was set, or the nearest thing that it is part of: a key
// that is missing has the place where it would stand.
func (o *origins) around(key string) string {
	for key != "" {
		if where := o.of(key); where != "" {
			return where
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return o.file
}

// entries are the values of c.
func (o *origins) entries(c *Config) (all []Entry) {
	for _, l := range leaves(reflect.ValueOf(c), false) {
		from := o.of(l.key)
		if from == "" {
			from = "default"
		}
		all = append(all, Entry{Key: l.key, Value: inOneLine(l.at()), From: from})
	}
	return all
}

// inOneLine is a value as YAML in its short form.
func inOneLine(v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return "[]"
	}
	text, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
