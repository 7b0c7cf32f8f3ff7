package catalog

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Into says what a listing is imported into.
type Into struct {
	System string
	// Hosts and Path are where the MCP server is, for a system that is new.
	Hosts []string
	Path  string
}

// Change is what an import did to one tool.
type Change struct {
	Tool string
	What Kind
}

// Kind is a kind of change.
type Kind string

// The kinds. What is new or changed describes nothing until a person has
// reviewed it.
const (
	Added   Kind = "added"   // for review
	Changed Kind = "changed" // its definition is another one: for review again
	Pinned  Kind = "pinned"  // it was described, and its definition is recorded now
	Same    Kind = "same"
	Waiting Kind = "waiting" // nothing changed, and it is still to be reviewed
	Gone    Kind = "gone"    // the server does not list it; the entry stays
)

// Merge puts a listing into a data file of a catalog and returns the file's new
// text. The file is one of a system alone, or of a catalog with several
// ("systems"); empty text is a new one of a system alone. What people decided
// stays as it is, comments included; layout may not.
func Merge(file []byte, l *Listing, into Into) (text []byte, changes []Change, err error) {
	comments := yaml.CommentMap{}
	var document yaml.MapSlice
	if len(strings.TrimSpace(string(file))) > 0 {
		if err := yaml.UnmarshalWithOptions(file, &document, yaml.UseOrderedMap(), yaml.CommentToMap(comments)); err != nil {
			return nil, nil, errors.New(yaml.FormatError(err, false, true))
		}
	}
	if !named(document) {
		return nil, nil, errors.New("it has keys that are not strings, or the same key twice")
	}
	path := []string{"mcp", "tools"}
	if _, shared := member(document, "systems"); shared {
		path = append([]string{"systems", into.System}, path...)
	}
	m := merger{comments: comments, at: path}
	document, err = m.system(document, path[:len(path)-2], l, into)
	if err != nil {
		return nil, nil, err
	}
	text, err = yaml.MarshalWithOptions(document, yaml.WithComment(comments), yaml.IndentSequence(false))
	if err == nil {
		err = saysTheSame(text, document)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("write the file anew: %w", err)
	}
	return text, m.changes, nil
}

// saysTheSame makes sure that nothing in a name or a comment has become
// something else on its way into the file.
func saysTheSame(text []byte, want yaml.MapSlice) error {
	var got yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(text, &got, yaml.UseOrderedMap()); err != nil {
		return err
	}
	plain, err := yaml.Marshal(want)
	if err != nil {
		return err
	}
	var wanted yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(plain, &wanted, yaml.UseOrderedMap()); err != nil {
		return err
	}
	if !reflect.DeepEqual(got, wanted) {
		return errors.New("it would not say what it should; describe these tools by hand")
	}
	return nil
}

// named reports whether every key of v and below it is a string of its own.
func named(v any) bool {
	switch v := v.(type) {
	case yaml.MapSlice:
		seen := make(map[any]bool, len(v))
		for _, item := range v {
			if _, isString := item.Key.(string); !isString || seen[item.Key] || !named(item.Value) {
				return false
			}
			seen[item.Key] = true
		}
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !named(item) })
	}
	return true
}

type merger struct {
	comments yaml.CommentMap
	at       []string // of the tools
	changes  []Change
}

// system merges into the system at path of document.
func (m *merger) system(document yaml.MapSlice, path []string, l *Listing, into Into) (yaml.MapSlice, error) {
	if len(path) > 0 {
		inner, err := object(document, path[0])
		if err != nil {
			return nil, err
		}
		if inner, err = m.system(inner, path[1:], l, into); err != nil {
			return nil, err
		}
		return setting(document, path[0], inner), nil
	}
	server, err := object(document, "mcp")
	if err != nil {
		return nil, err
	}
	if len(document) == 0 {
		if len(into.Hosts) == 0 || into.Path == "" {
			return nil, fmt.Errorf("the system %s is new: say which hosts requests to it are sent to, and the path of its MCP server", into.System)
		}
		document = yaml.MapSlice{{Key: "hosts", Value: into.Hosts}}
	}
	if _, there := member(server, "path"); !there {
		server = append(yaml.MapSlice{{Key: "path", Value: into.Path}}, server...)
	}
	tools, err := object(server, "tools")
	if err != nil {
		return nil, err
	}
	if tools, err = m.tools(tools, l); err != nil {
		return nil, err
	}
	return setting(document, "mcp", setting(server, "tools", tools)), nil
}

func (m *merger) tools(tools yaml.MapSlice, l *Listing) (yaml.MapSlice, error) {
	listed := make(map[string]bool)
	for _, tool := range l.Tools {
		listed[tool.Name] = true
		entry, err := object(tools, tool.Name)
		if err != nil {
			return nil, err
		}
		entry, what := merged(entry, tool)
		if what == Added || what == Changed {
			m.remark(tool)
		}
		m.changes = append(m.changes, Change{tool.Name, what})
		tools = setting(tools, tool.Name, entry)
	}
	for _, item := range tools {
		if name := fmt.Sprint(item.Key); !listed[name] && name != fallback && !l.More {
			m.changes = append(m.changes, Change{name, Gone})
		}
	}
	return tools, nil
}

// merged is an entry with what a tool says now. Nothing is concluded from what
// the tool claims: its server may lie.
func merged(entry yaml.MapSlice, tool Tool) (yaml.MapSlice, Kind) {
	pinned, isPinned := member(entry, "definition")
	review, _ := member(entry, "review")
	switch {
	case len(entry) == 0:
		return yaml.MapSlice{{Key: "review", Value: true}, {Key: "definition", Value: tool.Digest}}, Added
	case !isPinned:
		return setting(entry, "definition", tool.Digest), Pinned
	case pinned != tool.Digest:
		return setting(setting(entry, "definition", tool.Digest), "review", true), Changed
	case review == true:
		return entry, Waiting
	default:
		return entry, Same
	}
}

// remark puts what a tool says of itself above its entry, for the person who
// reviews it. Comments that people wrote there stay.
func (m *merger) remark(tool Tool) {
	path := (&yaml.PathBuilder{}).Root()
	for _, name := range append(slices.Clone(m.at), tool.Name) {
		path = path.Child(name)
	}
	key := path.Build().String()
	kept := slices.DeleteFunc(slices.Clone(m.comments[key]), func(c *yaml.Comment) bool { return c.Position == yaml.CommentHeadPosition })
	lines := []string{remarkMark + oneLine(tool.Description)}
	if len(tool.Claims) > 0 {
		lines = append(lines, " Its server claims: "+strings.Join(tool.Claims, ", ")+".")
	}
	for _, c := range m.comments[key] {
		if c.Position == yaml.CommentHeadPosition {
			lines = append(others(c.Texts), lines...)
		}
	}
	m.comments[key] = append(kept, yaml.HeadComment(lines...))
}

// remarkMark begins a remark; an earlier one is replaced.
const remarkMark = " It says: "

// others are the lines that are not a remark's.
func others(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.HasPrefix(line, remarkMark) || strings.HasPrefix(line, " Its server claims: ")
	})
}

// maxRemark bounds a remark, in bytes.
const maxRemark = 200

// oneLine is a text that cannot end the comment it stands in.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxRemark {
		s = strings.ToValidUTF8(s[:maxRemark], "") + "…"
	}
	return `"` + strings.TrimSpace(s) + `"`
}

func member(m yaml.MapSlice, key string) (any, bool) {
	for _, item := range m {
		if item.Key == key {
			return item.Value, true
		}
	}
	return nil, false
}

func setting(m yaml.MapSlice, key string, v any) yaml.MapSlice {
	for i, item := range m {
		if item.Key == key {
			m = slices.Clone(m)
			m[i].Value = v
			return m
		}
	}
	return append(m[:len(m):len(m)], yaml.MapItem{Key: key, Value: v})
}

// object is the object under a key; one that is not there is empty.
func object(m yaml.MapSlice, key string) (yaml.MapSlice, error) {
	v, _ := member(m, key)
	inner, isObject := v.(yaml.MapSlice)
	if v != nil && !isObject {
		return nil, fmt.Errorf("%s is not an object", key)
	}
	return inner, nil
}
