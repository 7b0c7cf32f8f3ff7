package integration

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/jsonschema-go/jsonschema"
)

// staticBinary: it needs nothing of the machine it runs on, and says what it is.
func staticBinary(t *testing.T, binary, commit string) {
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a %v: it is not static", part.Type)
		}
	}
	if needed, err := file.ImportedLibraries(); err != nil || len(needed) != 0 {
		t.Errorf("the binary needs %v (%v)", needed, err)
	}
	out := command(t, ".", nil, binary, "version")
	for _, want := range []string{"remit " + distVersion + ", go1.", " linux/amd64\n", "\ncommit " + commit + " of " + distTime + "\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("remit version does not say %q:\n%s", want, out)
		}
	}
}

// inventoryIsTrue: it is CycloneDX by CycloneDX's own schema, and names what the Go
// command reads in the binary.
func inventoryIsTrue(t *testing.T, text []byte, binary string) {
	validInventory(t, text)
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	linked := make(map[string]string)
	for _, c := range *bom.Components {
		linked[c.Name] = c.Version
	}
	want := make(map[string]string)
	lines := strings.Split(command(t, ".", nil, "go", "version", "-m", binary), "\n")
	for _, line := range lines {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "dep" {
			want[f[1]] = f[2]
		}
	}
	if len(want) < 20 {
		t.Fatalf("the Go command reads %d modules in the binary", len(want))
	}
	want["stdlib"] = strings.TrimPrefix(strings.Fields(lines[0])[1], "go")
	if !maps.Equal(linked, want) {
		t.Errorf("the inventory has %v\nand the binary %v", linked, want)
	}
	released := bom.Metadata.Component
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if released.Version != distVersion || (*released.Hashes)[0].Value != fmt.Sprintf("%x", sha256.Sum256(content)) || bom.Metadata.Timestamp != distTime || bom.SerialNumber != "" {
		t.Errorf("the inventory is not of this binary: %s %v %s %q", released.Version, *released.Hashes, bom.Metadata.Timestamp, bom.SerialNumber)
	}
}

// validInventory holds an inventory against the schema that the library is tested
// with.
func validInventory(t *testing.T, text []byte) {
	t.Helper()
	library := strings.TrimSpace(command(t, ".", nil, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"))
	read := func(from *url.URL) (*jsonschema.Schema, error) {
		name := path.Base(from.Path)
		if strings.HasPrefix(name, "jsf-") { // of signatures, which an inventory of ours has none of
			return &jsonschema.Schema{Definitions: map[string]*jsonschema.Schema{"signature": {Not: &jsonschema.Schema{}}}}, nil
		}
		schema, err := os.ReadFile(filepath.Join(library, "schema", name))
		if err != nil {
			return nil, err
		}
		read := new(jsonschema.Schema)
		return read, json.Unmarshal(schema, read)
	}
	const address = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	schema, err := read(&url.URL{Path: address})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{BaseURI: address, Loader: read})
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(value); err != nil || value["specVersion"] != "1.6" {
		t.Errorf("no CycloneDX 1.6: %v", err)
	}
}
