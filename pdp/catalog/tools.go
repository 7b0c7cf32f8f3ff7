package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Bounds of what a tool server may say about itself.
const (
	// MaxTools is the most tools, and MaxToolsBytes the longest text, that is
	// read of one server.
	MaxTools      = 4096
	MaxToolsBytes = 16 << 20

	maxToolName = 128 // MCP 2025-11-25, server/tools, "Tool Names"
)

// Tool is a tool as its server describes it. Nothing of it is believed.
type Tool struct {
	Name        string
	Description string
	Digest      string // see [Digest]
	// Claims are the server's annotations in words, those that would make the
	// tool harmless and those that would not.
	Claims []string
}

// Listing is what a server lists.
type Listing struct {
	Tools []Tool // by name
	// At is when the server said so; zero is now.
	At time.Time
	// More says that the server has more pages than there are here.
	More bool
	// Refused says what cannot be taken into a catalog, and why: calls to it
	// stay unknown.
	Refused []error
}

// ReadListing reads the answers to tools/list: results ({"tools": …}) or
// JSON-RPC responses with one, the pages of one server one after the other. A
// text that two readers could read differently is an error, and so are two
// tools of the same name.
func ReadListing(text []byte) (*Listing, error) {
	if len(text) > MaxToolsBytes {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxToolsBytes)
	}
	var tools []value.Value
	l := &Listing{}
	pages := json.NewDecoder(bytes.NewReader(text))
	for n := 1; ; n++ {
		var raw json.RawMessage
		if err := pages.Decode(&raw); errors.Is(err, io.EOF) && n > 1 {
			break
		} else if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		page, err := value.ParseJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		result := page
		if page.Get("jsonrpc").Defined() {
			result = page.Get("result")
		}
		if result.Get("tools").Kind() != value.Array {
			return nil, fmt.Errorf("page %d: it has no list of tools: want the result of tools/list, or the JSON-RPC response with it", n)
		}
		tools = append(tools, result.Get("tools").Items()...)
		l.More = result.Get("nextCursor").Text() != ""
	}
	return l, l.add(tools)
}

// List makes a listing of tools that were read.
func List(tools []value.Value) (*Listing, error) {
	l := &Listing{}
	return l, l.add(tools)
}

func (l *Listing) add(tools []value.Value) error {
	if len(tools) > MaxTools {
		return fmt.Errorf("it lists more than %d tools", MaxTools)
	}
	seen := make(map[string]bool, len(tools))
	for i, v := range tools {
		name := v.Get("name").Text()
		if seen[name] {
			return fmt.Errorf("two tools have the name %q: which one is called nobody can tell", name)
		}
		seen[name] = true
		if !isToolName(name) {
			l.Refused = append(l.Refused, fmt.Errorf("tool %d has the name %q: want 1 to %d letters, digits and any of _-./", i, name, maxToolName))
			continue
		}
		digest, err := Digest(v)
		if err != nil {
			return fmt.Errorf("tool %q: %w", name, err)
		}
		l.Tools = append(l.Tools, Tool{Name: name, Description: v.Get("description").Text(), Digest: digest, Claims: claims(v.Get("annotations"))})
	}
	slices.SortFunc(l.Tools, func(a, b Tool) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// isToolName reports whether a catalog can name the tool. The name "*" would
// stand for all others, and is not one.
func isToolName(name string) bool {
	return name != "" && len(name) <= maxToolName &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == ""
}

// hints are the annotations of a tool (MCP 2025-11-25, "ToolAnnotations"), what
// each claims, and what is claimed where it is not given.
var hints = []struct {
	name, yes, no string
	standard      bool
}{
	{"readOnlyHint", "changes nothing", "changes something", false},
	{"destructiveHint", "destroys", "only adds", true},
	{"idempotentHint", "can be repeated", "must not be repeated", false},
	{"openWorldHint", "reaches the outside world", "stays within its system", true},
}

func claims(annotations value.Value) (list []string) {
	for _, hint := range hints {
		switch yes, said := annotations.Get(hint.name).Bool(); {
		case said && yes:
			list = append(list, hint.yes)
		case said:
			list = append(list, hint.no)
		}
	}
	return list
}
