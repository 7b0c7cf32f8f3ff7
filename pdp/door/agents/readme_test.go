package agents

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// What README.md shows is answered, and it names every member of every answer.
func TestReadme(t *testing.T) {
	file, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	examples := regexp.MustCompile("(?s)`(POST [^`]+)`|```json\n(.*?)```").FindAllStringSubmatch(text, -1)
	d := &desk{
		answer: pdp.Decision{ID: "id", Effect: pdp.Allow, Session: "s_1", Opened: &pdp.Opened{Token: "t", Task: pdp.NoTask}},
		own:    value.Obj(),
	}
	method, path, sent := "", "", 0
	for _, example := range examples {
		if example[1] != "" {
			method, path, _ = strings.Cut(example[1], " ")
			continue
		}
		sent++
		status, _, answer := d.send(t, method, path, example[2])
		if status != http.StatusOK && status != http.StatusCreated {
			t.Errorf("%s %s: %d for\n%s", method, path, status, example[2])
		}
		answer.Range(func(name string, _ value.Value) bool {
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s %s answers with %s, which is not described", method, path, name)
			}
			return true
		})
	}
	if sent != 3 {
		t.Errorf("%d requests are shown", sent)
	}
	d.answer = pdp.Decision{ID: "id", Class: pdp.BudgetSpent, Reasons: []pdp.Reason{{Code: "x"}}, Retry: 1}
	_, _, answer := d.send(t, "POST", "/v1/decisions", `{"host":"h","path":"/x"}`)
	answer.Get("context").Range(func(name string, _ value.Value) bool {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("a denial has %s, which is not described", name)
		}
		return true
	})
}
