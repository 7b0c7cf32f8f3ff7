package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
)

// Setting is a value given for a key by a flag. Name is the flag without its
// dashes: "policy.timeout", "listeners.agents.deadline".
type Setting struct{ Name, Value string }

// Prefix begins the environment variables that are keys: REMIT_POLICY_TIMEOUT.
const Prefix = "REMIT_"

// FileVariable is the environment variable that names the configuration file.
const FileVariable = Prefix + "CONFIG"

// variable is the environment variable of a flag's name.
func variable(name string) string {
	return Prefix + notInNames.ReplaceAllString(strings.ToUpper(name), "_")
}

var notInNames = regexp.MustCompile(`[^A-Z0-9]+`)

// override is a value for a key from beyond the file.
type override struct {
	origin string // as the user wrote it: "--policy.timeout", "REMIT_POLICY_TIMEOUT"
	value  string
	names  func(*leaf) []string // the names of a key in this kind of source
}

// overrides are those of the environment and, after them, those of the flags,
// which win.
func overrides(environ []string, flags []Setting) (all []override) {
	environ = slices.Sorted(slices.Values(environ)) // REMIT_LISTENERS_0_… before _1_…
	asVariables := func(l *leaf) (names []string) {
		for _, name := range l.names {
			names = append(names, variable(name))
		}
		return names
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix) && name != FileVariable && !isServiceLink(name, environ) {
			all = append(all, override{name, value, asVariables})
		}
	}
	asFlags := func(l *leaf) (names []string) {
		for _, name := range l.names {
			names = append(names, "--"+name)
		}
		return names
	}
	for _, flag := range flags {
		all = append(all, override{"--" + flag.Name, flag.Value, asFlags})
	}
	return all
}

// serviceLink is a variable that Kubernetes sets for a Service: NAME_SERVICE_HOST,
// NAME_PORT_9191_TCP_ADDR, … (Kubernetes, "Accessing the Service", environment
// variables). A Service called remit must not stop remit.
var serviceLink = regexp.MustCompile(`^(REMIT(?:_[A-Z0-9_]+?)?)_(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$`)

func isServiceLink(name string, environ []string) bool {
	match := serviceLink.FindStringSubmatch(name)
	return match != nil && slices.ContainsFunc(environ, func(entry string) bool {
		return strings.HasPrefix(entry, match[1]+"_SERVICE_HOST=")
	})
}

// apply sets the value at the key that o names, and returns the key.
func (o *override) apply(root reflect.Value) (key string, err error) {
	all := leaves(root, true)
	var found []leaf
	for i := range all {
		if slices.Contains(o.names(&all[i]), o.origin) {
			found = append(found, all[i])
		}
	}
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("%s is no key of the configuration%s", o.origin, o.nearest(all))
	case len(found) > 1:
		return "", fmt.Errorf("%s can be %s or %s; name the element by its number", o.origin, found[0].key, found[1].key)
	case found[0].secret() && strings.HasPrefix(o.origin, "--"):
		return "", fmt.Errorf("%s is a secret, and flags can be read by every process on the machine; set it in the file or as %s", o.origin, variable(found[0].names[0]))
	}
	if err := assign(found[0].at(), o.value); err != nil {
		if found[0].secret() {
			err = errors.New("it cannot be read") // without its value
		}
		return "", fmt.Errorf("%s: %q is not a %s: %w", o.origin, shown(&found[0], o.value), typeName(found[0].typ), err)
	}
	return found[0].key, nil
}

func shown(l *leaf, value string) string {
	if l.secret() {
		return "(secret)"
	}
	return value
}

// nearest is what was probably meant by a name that is none.
func (o *override) nearest(all []leaf) string {
	best, distance := "", math.MaxInt
	for i := range all {
		for _, name := range o.names(&all[i]) {
			if d := levenshtein.ComputeDistance(o.origin, name); d < distance {
				best, distance = name, d
			}
		}
	}
	return "; the nearest is " + best
}

// assign reads a value given as text: text as it is, lists as "a,b" or as YAML's
// "[a, b]", everything else as YAML.
func assign(to reflect.Value, text string) error {
	if reader, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return reader.UnmarshalText([]byte(text))
	}
	switch {
	case to.Kind() == reflect.String:
		to.SetString(text)
		return nil
	case to.Type() == reflect.TypeFor[[]string]() && !strings.HasPrefix(strings.TrimSpace(text), "["):
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		to.Set(reflect.ValueOf(items))
		return nil
	}
	fresh := reflect.New(to.Type())
	if err := yaml.UnmarshalWithOptions([]byte(text), fresh.Interface(), yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return errors.New(firstLine(err.Error()))
	}
	to.Set(fresh.Elem())
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// typeName is what a user calls the type.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "duration"
	case t == reflect.TypeFor[Secret]():
		return "secret"
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem())
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case t.Kind() == reflect.Map:
		return "mapping"
	case t.Kind() == reflect.Bool:
		return "switch"
	case t.Kind() == reflect.Struct:
		return "text or object"
	case t.Kind() == reflect.String:
		return "text"
	default:
		return "number"
	}
}
