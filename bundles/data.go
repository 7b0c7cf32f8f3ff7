package bundles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// dataFile is one file of data.
type dataFile struct {
	name string
	root []string // where its content stands in the data
	data value.Value
	// find returns the line of the datum at a path within the file, or of the
	// last one on the way, and how far it got.
	find func(at []string) (line, depth int)
}

// parseData reads a data file strictly. JSON is read as JSON, not as the YAML
// that it nearly is.
func parseData(name, file string, text []byte) (f dataFile, err error) {
	f.name = name
	if dir := path.Dir(file); dir != "." {
		f.root = strings.Split(dir, "/")
	}
	if path.Ext(file) == ".json" {
		f.data, err = value.ParseJSON(text)
		f.find = func(at []string) (line, depth int) { return findJSON(text, at) }
	} else {
		f.data, f.find, err = parseYAML(text)
	}
	var refused *value.JSONError
	switch {
	case errors.As(err, &refused):
		return f, fmt.Errorf("%s:%d: %w", name, lineAt(text, refused.Offset), err)
	case err != nil:
		return f, fmt.Errorf("%s: %w", name, err)
	case f.data.Kind() != value.Map:
		return f, fmt.Errorf("%s: it does not hold an object", name)
	}
	return f, nil
}

// Locate returns the file and line of the datum at a path from the root of the
// data, or of the nearest one above it; "" where there is none. Where the datum
// is there only because folders are named after it, it is the file in them.
func (b *Bundle) Locate(at ...string) (file string, line int) {
	best := -1
	for _, f := range b.files {
		common := min(len(at), len(f.root))
		if !slices.Equal(at[:common], f.root[:common]) {
			continue
		}
		found, depth := f.find(at[common:])
		// A file that holds the datum is better than one in a folder below.
		score := 2 * (common + depth)
		if len(at) >= len(f.root) {
			score++
		}
		if score > best {
			best, file, line = score, f.name, found
		}
	}
	return file, line
}

// findJSON is [dataFile.find] for JSON that is known to be good.
func findJSON(text []byte, at []string) (line, depth int) {
	d := json.NewDecoder(bytes.NewReader(text))
	offset := skipTo(text, 0)
	for depth < len(at) {
		next, found := stepJSON(d, text, at[depth])
		if !found {
			break
		}
		offset, depth = next, depth+1
	}
	return lineAt(text, offset), depth
}

// stepJSON moves d from before an object or array to before its member name.
// It returns where the member begins.
func stepJSON(d *json.Decoder, text []byte, name string) (offset int, found bool) {
	opening, err := d.Token()
	if err != nil || opening != json.Delim('{') && opening != json.Delim('[') {
		return 0, false
	}
	for i := 0; d.More(); i++ {
		offset = skipTo(text, int(d.InputOffset()))
		here := strconv.Itoa(i)
		if opening == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return 0, false
			}
			here, _ = key.(string)
		}
		if here == name {
			return offset, true
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return 0, false
		}
	}
	return 0, false
}

// skipTo returns where the next token begins that is not a comma.
func skipTo(text []byte, offset int) int {
	for offset < len(text) && strings.IndexByte(" \t\r\n,", text[offset]) >= 0 {
		offset++
	}
	return offset
}

// lineAt returns the number of the line that an offset is on.
func lineAt(text []byte, offset int) int {
	return 1 + bytes.Count(text[:offset], []byte("\n"))
}
