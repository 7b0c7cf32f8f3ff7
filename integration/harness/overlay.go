package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Change is a text that stands in one place of a file of the module, and what
// stands there instead in a mutated build.
type Change struct {
	File    string `yaml:"file"`    // from the module's folder
	Replace string `yaml:"replace"` // occurs exactly once in File
	With    string `yaml:"with"`
}

// Overlay writes changed copies of files into dir and returns what `go build
// -overlay` takes. It fails where a text does not occur, or twice. Nothing that
// ships can be built with it by mistake: the module's own files stay as they are.
func Overlay(root, dir string, changes ...Change) (string, error) {
	texts := make(map[string]string)
	for _, c := range changes {
		text, seen := texts[c.File]
		if !seen {
			read, err := os.ReadFile(filepath.Join(root, c.File))
			if err != nil {
				return "", err
			}
			text = string(read)
		}
		if n := strings.Count(text, c.Replace); n != 1 {
			return "", fmt.Errorf("%s contains %q %d times, want once", c.File, c.Replace, n)
		}
		texts[c.File] = strings.Replace(text, c.Replace, c.With, 1)
	}
	return OverlayTexts(root, dir, texts)
}

// OverlayTexts is an overlay of whole files, by their names from the module's
// folder: it replaces those that there are and adds the others.
func OverlayTexts(root, dir string, texts map[string]string) (string, error) {
	replace := make(map[string]string)
	for file, text := range texts {
		copied := filepath.Join(dir, "changed-"+strconv.Itoa(len(replace))+".go")
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = copied
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
