package bundles

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/remit-pdp/remit/pdp/value"
)

// dataFile is one file of data.
type dataFile struct {
	name string
	root []string // where its content stands in the data
	data value.Value
	node ast.Node // for finding lines
}

// parseData reads a data file strictly. JSON is read as JSON, not as the YAML
// that it also is.
func parseData(name, file string, text []byte) (dataFile, error) {
	f := dataFile{name: name}
	if dir := path.Dir(file); dir != "." {
		f.root = strings.Split(dir, "/")
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return f, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return f, fmt.Errorf("%s: it must hold one document", name)
	}
	f.node = parsed.Docs[0].Body
	if path.Ext(file) == ".json" {
		f.data, err = value.ParseJSON(text)
	} else {
		f.data, err = yamlValue(text)
	}
	if err == nil && f.data.Kind() != value.Map {
		err = errors.New("it does not hold an object")
	}
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func yamlValue(text []byte) (value.Value, error) {
	var decoded any
	if err := yaml.UnmarshalWithOptions(text, &decoded, yaml.Strict()); err != nil {
		return value.Nothing, errors.New(yaml.FormatError(err, false, true))
	}
	return fromYAML(decoded)
}

func fromYAML(v any) (value.Value, error) {
	switch v := v.(type) {
	case nil:
		return value.NullValue(), nil
	case uint64:
		if v > 1<<53 {
			return value.Nothing, fmt.Errorf("the number %d is larger than every reader can hold", v)
		}
		return value.Int(int64(v)), nil
	case []any:
		items := make([]value.Value, len(v))
		for i, item := range v {
			var err error
			if items[i], err = fromYAML(item); err != nil {
				return value.Nothing, err
			}
		}
		return value.List(items...), nil
	case map[string]any:
		members := make([]value.Member, 0, len(v))
		for name, item := range v {
			member, err := fromYAML(item)
			if err != nil {
				return value.Nothing, err
			}
			members = append(members, value.M(name, member))
		}
		return value.Obj(members...), nil
	default:
		return value.FromGo(v)
	}
}

// Locate returns the file and line of the datum at a path from the root of the
// data, or of the nearest one above it; "" where there is none.
func (b *Bundle) Locate(at ...string) (file string, line int) {
	best := -1
	for _, f := range b.files {
		if len(at) < len(f.root) || strings.Join(at[:len(f.root)], "\x00") != strings.Join(f.root, "\x00") {
			continue
		}
		found, depth := find(f.node, at[len(f.root):])
		if depth += len(f.root); depth > best {
			best, file, line = depth, f.name, found
		}
	}
	return file, line
}

// find returns the line of the node at a path, or of the last one on the way,
// and how far it got.
func find(n ast.Node, at []string) (line, depth int) {
	line = n.GetToken().Position.Line
	for depth < len(at) {
		next, at := step(n, at[depth])
		if next == nil {
			return line, depth
		}
		n, line = next, at
		depth++
	}
	return line, depth
}

func step(n ast.Node, name string) (next ast.Node, line int) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if found, line := step(v, name); found != nil {
				return found, line
			}
		}
	case *ast.MappingValueNode:
		if n.Key.GetToken().Value == name {
			return n.Value, n.Key.GetToken().Position.Line
		}
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if fmt.Sprint(i) == name {
				return v, v.GetToken().Position.Line
			}
		}
	}
	return nil, 0
}
