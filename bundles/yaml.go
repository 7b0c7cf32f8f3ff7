package bundles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	// The reader that OPA has: the same text must say the same to the stock
	// `opa`, and readers of YAML differ.
	"go.yaml.in/yaml/v3"

	"github.com/remit-pdp/remit/pdp/value"
)

// maxAliased bounds how many values the aliases of one file may stand for: a
// few lines of aliases to aliases can stand for more than any memory holds.
const maxAliased = 1 << 20

// parseYAML reads one document of YAML that says no more than JSON could, and
// in which nothing depends on who reads it: no member twice, not even by way of
// a merge (<<), only strings for names, numbers as JSON spells them, no tags.
func parseYAML(text []byte) (v value.Value, find func([]string) (int, int), err error) {
	if !utf8.Valid(text) || bytes.HasPrefix(text, []byte("\ufeff")) {
		return value.Nothing, nil, errors.New("it must be UTF-8 without a byte order mark, which readers take for a part of the first name")
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := d.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it holds nothing")
		}
		return value.Nothing, nil, err
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("line %d: it must hold one document", second.Line)
		}
		return value.Nothing, nil, err
	}
	root := document.Content[0]
	v, err = new(yamlReader).value(root)
	return v, func(at []string) (int, int) { return findYAML(root, at) }, err
}

// yamlReader turns the nodes of a document into values.
type yamlReader struct {
	depth   int // arrays and objects around the node
	aliases int // aliases around the node
	aliased int // values that aliases stood for
}

func refuseNode(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}

func (r *yamlReader) value(n *yaml.Node) (value.Value, error) {
	if r.aliases > 0 {
		if r.aliased++; r.aliased > maxAliased {
			return value.Nothing, refuseNode(n, "the aliases stand for more than %d values", maxAliased)
		}
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return value.Nothing, refuseNode(n, "the tag %s is not allowed: write the value so that it needs none", n.Tag)
	}
	switch n.Kind {
	case yaml.AliasNode:
		r.aliases++
		defer func() { r.aliases-- }()
		return r.value(n.Alias)
	case yaml.ScalarNode:
		return scalar(n)
	}
	if r.depth == value.MaxJSONDepth {
		return value.Nothing, refuseNode(n, "lists and objects are nested more than %d deep, or in themselves", value.MaxJSONDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	if n.Kind == yaml.SequenceNode {
		items := make([]value.Value, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = r.value(item); err != nil {
				return value.Nothing, err
			}
		}
		return value.List(items...), nil
	}
	return r.object(n)
}

func (r *yamlReader) object(n *yaml.Node) (value.Value, error) {
	var members []value.Member
	lines := make(map[string]int) // of the names so far
	add := func(name string, v value.Value, line int) error {
		if before, twice := lines[name]; twice {
			return fmt.Errorf("line %d: %q is in line %d already", line, name, before)
		}
		lines[name] = line
		members = append(members, value.M(name, v))
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		v, err := r.value(n.Content[i+1])
		if err != nil {
			return value.Nothing, err
		}
		if isMerge(key) {
			err = mergeInto(add, key.Line, v)
		} else if name, nameErr := nameOf(key); nameErr != nil {
			err = nameErr
		} else {
			err = add(name, v, key.Line)
		}
		if err != nil {
			return value.Nothing, err
		}
	}
	return value.Obj(members...), nil
}

// isMerge reports whether a key is the plain <<, which is a name in quotes.
func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }

// mergeInto adds the members of the object, or of the objects in the list, that
// a merge names. One that is there already is not overridden: readers do not
// agree which of the two it is.
func mergeInto(add func(string, value.Value, int) error, line int, v value.Value) (err error) {
	sources := v.Items()
	if v.Kind() == value.Map {
		sources = []value.Value{v}
	}
	if len(sources) == 0 {
		return fmt.Errorf("line %d: << merges objects only", line)
	}
	for _, source := range sources {
		if source.Kind() != value.Map {
			return fmt.Errorf("line %d: << merges objects only", line)
		}
		source.Range(func(name string, member value.Value) bool {
			err = add(name, member, line)
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func nameOf(key *yaml.Node) (string, error) {
	if key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || !isText(key) {
		return "", refuseNode(key, "a name is not a string: put it in quotes")
	}
	v, err := scalar(key)
	return v.Text(), err
}

// isText reports whether a scalar is a string. YAML 1.1 takes plain dates for
// times; JSON has none, and OPA reads strings.
func isText(n *yaml.Node) bool { return n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp" }

func scalar(n *yaml.Node) (value.Value, error) {
	switch tag := n.ShortTag(); {
	case isText(n):
		if strings.ContainsRune(n.Value, 0) {
			return value.Nothing, refuseNode(n, "a string holds U+0000")
		}
		if n.Style == 0 && strings.HasSuffix(n.Value, ":") {
			return value.Nothing, refuseNode(n, "%s ends in a colon, which some readers take for the end of a name: put it in quotes", n.Value)
		}
		return value.Str(n.Value), nil
	case tag == "!!null":
		return value.NullValue(), nil
	case tag == "!!bool":
		return value.Of(strings.EqualFold(n.Value, "true")), nil
	case tag == "!!int" || tag == "!!float":
		v, err := value.ParseJSON([]byte(n.Value))
		if err != nil || strings.ContainsAny(n.Value, "eE") { // readers of YAML 1.1 take 1e3 for a string
			return value.Nothing, refuseNode(n, "%s is not a number that every reader reads alike: write it as in JSON, or in quotes", n.Value)
		}
		return v, nil
	default:
		return value.Nothing, refuseNode(n, "%s is neither a string, a number, true, false nor null: put it in quotes", n.Value)
	}
}

// findYAML is [dataFile.find] for YAML that is known to be good.
func findYAML(n *yaml.Node, at []string) (line, depth int) {
	line = n.Line
	for ; depth < len(at); depth++ {
		next, found := stepYAML(n, at[depth])
		if next == nil {
			break
		}
		n, line = next, found
	}
	return line, depth
}

func stepYAML(n *yaml.Node, name string) (next *yaml.Node, line int) {
	switch n.Kind {
	case yaml.AliasNode:
		return stepYAML(n.Alias, name)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if strconv.Itoa(i) == name {
				return item, item.Line
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, v := n.Content[i], n.Content[i+1]
			if !isMerge(key) && key.Value == name {
				return v, key.Line
			}
			if isMerge(key) {
				if next, line := stepMerge(v, name); next != nil {
					return next, line
				}
			}
		}
	}
	return nil, 0
}

// stepMerge is [stepYAML] into the object, or the objects in the list, that a
// merge names.
func stepMerge(n *yaml.Node, name string) (next *yaml.Node, line int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		return stepYAML(n, name)
	}
	for _, source := range n.Content {
		if next, line := stepMerge(source, name); next != nil {
			return next, line
		}
	}
	return nil, 0
}
