package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/remit-pdp/remit/pdp/value"
)

// digestPrefix says what a digest was made with.
const digestPrefix = "sha256:"

// Digest returns the digest of a tool's definition: SHA-256 over the canonical
// JSON (RFC 8785) of what tells a model what the tool does and how it is called
// (MCP 2025-11-25, server/tools, "Tool"): `name`, `description` ("" where there
// is none), `inputSchema`, `outputSchema`, and in `annotations` the four hints,
// with the specification's defaults for those that are not given. So a server
// may write the same definition in several ways, and through any SDK. Titles,
// icons and `_meta` are for people and programs, and are not covered.
func Digest(tool value.Value) (string, error) {
	members := []value.Member{
		value.M("name", value.Str(tool.Get("name").Text())),
		value.M("description", value.Str(tool.Get("description").Text())),
		value.M("annotations", annotations(tool.Get("annotations"))),
	}
	for _, name := range []string{"inputSchema", "outputSchema"} {
		if schema := tool.Get(name); schema.Defined() && schema.Kind() != value.Null {
			members = append(members, value.M(name, schema))
		}
	}
	canonical, err := jcs.Transform(value.AppendJSON(nil, value.Obj(members...)))
	if err != nil {
		return "", fmt.Errorf("canonical JSON: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return digestPrefix + hex.EncodeToString(sum[:]), nil
}

// annotations are the hints of a tool, none left out.
func annotations(given value.Value) value.Value {
	members := make([]value.Member, len(hints))
	for i, hint := range hints {
		said, isFlag := given.Get(hint.name).Bool()
		members[i] = value.M(hint.name, value.Of(isFlag && said || !isFlag && hint.standard))
	}
	return value.Obj(members...)
}

// isDigest reports whether s is one that [Digest] could have returned.
func isDigest(s string) bool {
	digits, found := strings.CutPrefix(s, digestPrefix)
	return found && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}
