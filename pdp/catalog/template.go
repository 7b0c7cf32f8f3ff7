package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// A template is the name of a resource with parts to be filled in:
// "customer/{id}".
type template []piece

// A piece is fixed text, or the name of what is filled in.
type piece struct {
	text string
	name string
}

// parseTemplate reads a template; known says which names may be filled in.
func parseTemplate(s string, known func(name string) bool) (t template, err error) {
	apart := true // no part since the last slash
	for s != "" {
		open := strings.IndexByte(s, '{')
		if open < 0 {
			return append(t, piece{text: s}), nil
		}
		if open > 0 {
			t = append(t, piece{text: s[:open]})
			apart = apart || strings.Contains(s[:open], "/")
		}
		end := strings.IndexByte(s[open:], '}')
		if end < 0 {
			return nil, fmt.Errorf("a brace is not closed")
		}
		name := s[open+1 : open+end]
		if !known(name) {
			return nil, fmt.Errorf("{%s} is filled in by nothing", name)
		}
		if !apart {
			return nil, fmt.Errorf("a slash is missing in front of {%s}: two parts without one between them could pass for two others", name)
		}
		t, apart = append(t, piece{name: name}), false
		s = s[open+end+1:]
	}
	return t, nil
}

// fill fills the template in, and returns the resource and the target's ID, which
// is the resource behind the system's name and a colon. Where a part is missing
// it stands as "?" and the result is not complete. A slash within a part is
// escaped, so that no part can pass for two.
func (t template) fill(system string, part func(string) (string, bool)) (id, resource string, complete bool) {
	var b strings.Builder
	b.Grow(len(system) + 48)
	b.WriteString(system)
	b.WriteByte(':')
	complete = true
	for _, p := range t {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		s, ok := part(p.name)
		if !ok {
			s, complete = "?", false
		} else if p.name != "uri" {
			s = escape.Replace(s)
		}
		b.WriteString(s)
	}
	id = b.String()
	whole := id[len(system)+1:]
	if resource = bounded(whole); resource != whole {
		id = system + ":" + resource
	}
	return id, resource, complete
}

var escape = strings.NewReplacer("%", "%25", "/", "%2F")

// maxResource bounds the name of a resource; the rest of a longer one is told
// apart by its hash.
const maxResource = 512

// bounded returns a resource's name within its bound and without control
// characters.
func bounded(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) <= maxResource {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:maxResource-32], "") + "~" + hex.EncodeToString(sum[:12])
}
