package mutant

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const program = `package main

import "fmt"

var limit = 3

type box[T any] struct{ value T }

func (b *box[T]) get(_ int, more ...T) (T, error) {
	if len(more) > 0 {
		return more[0], nil
	}
	return b.value, nil
}

func pick[T any](first, second T) T { return first }

func say(text string) { fmt.Println(text) }

func safe() {
	defer func() { recover() }()
	panic("x")
}

func main() {
	b := &box[string]{"kept"}
	got, _ := b.get(limit, "given")
	say(pick(got, "second"))
	safe()
}
`

// Each change is had by the run that names it, and by no other; what cannot be
// chosen is said.
func TestCombine(t *testing.T) {
	changes := []Change{
		{"1", "len(more) > 0", "false"},
		{"2", "return first", "return second"},
		{"3", "fmt.Println(text)", `fmt.Println(text + "!")`},
		{"4", "limit = 3", "limit = 4"},
		{"5", "recover()", ""},
		{"6", "more[0], nil", `b.value, fmt.Errorf("%v", more)`},
	}
	combined, alone, err := Combine(program, changes)
	if err != nil {
		t.Fatal(err)
	}
	if len(alone) != 2 || alone[0].ID != "4" || alone[1].ID != "5" {
		t.Errorf("alone are %v, want 4 and 5", alone)
	}
	dir := t.TempDir()
	name, choice := Switch("main")
	for file, text := range map[string]string{"main.go": combined, name: choice, "go.mod": "module m\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "m", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, combined)
	}
	for id, want := range map[string]string{"": "given", "1": "kept", "2": "second", "3": "given!", "6": "kept"} {
		run := exec.CommandContext(t.Context(), filepath.Join(dir, "m"))
		run.Env = append(os.Environ(), Env+"="+id)
		out, err := run.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("with change %q it says %q (%v), want %q", id, got, err, want)
		}
	}
}

func TestCombineRefuses(t *testing.T) {
	for name, c := range map[string]Change{
		"absent": {"1", "nowhere", ""},
		"twice":  {"1", "return", ""},
	} {
		if _, _, err := Combine(program, []Change{c}); err == nil || !strings.Contains(err.Error(), "want once") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Combine("package", nil); err == nil {
		t.Error("what does not parse is combined")
	}
}
