package catalog

import (
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The README's example compiles, and its table says what is found in it.
func TestReadmeExample(t *testing.T) {
	text := readme(t)
	example := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(text)
	if example == nil {
		t.Fatal("there is no example")
	}
	c, err := New(parse(t, example[1]), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `(\\w+)` \\| (unknown )?`([^`]+)` \\| `(\\w+)` \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) != 18 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		a := c.Find(asked(t, row[1]))
		if a.Operation != pdp.Operation(row[2]) || a.Target.Known == (row[3] != "") || a.Target.ID != row[4] || a.Target.Sensitivity != pdp.Sensitivity(row[5]) {
			t.Errorf("%s: found %s", row[1], names(a))
		}
	}
}

// asked returns the request that the first column of the table describes.
func asked(t *testing.T, row string) *pdp.Request {
	verb, rest, _ := strings.Cut(row, " ")
	switch verb {
	case "gRPC":
		name, arguments, _ := strings.Cut(rest, " ")
		return grpcCall(t, "api.example.com", name, arguments)
	case "A2A":
		return a2aCall("agent.example.com", "/a2a", rest, said[rest])
	case "connection":
		return connection("db.example.com", 5432)
	}
	if !strings.Contains(verb, "/") {
		host, path, _ := strings.Cut(rest, "/")
		return with(verb, get(host, "/"+path))
	}
	name, arguments, _ := strings.Cut(rest, " ")
	return call(t, "tools.example.com", verb, name, arguments)
}

// The README names every key that there is, and none that there is not.
func TestReadmeKeys(t *testing.T) {
	_, err := New(parse(t, `{"x":1,"systems":{"s":{"x":1,"hosts":["h"],"http":[{"x":1}],"mcp":{"x":1,"tools":{"t":{"x":1}}},"grpc":{"a/b":{"x":1}},"a2a":{"x":1},"network":[{"x":1}]}}}`), nil)
	if err == nil {
		t.Fatal("nobody's members are taken")
	}
	known := make(map[string]bool)
	for _, list := range regexp.MustCompile("known are (.*)").FindAllStringSubmatch(err.Error(), -1) {
		for key := range strings.SplitSeq(list[1], ", ") {
			known[key] = true
		}
	}
	text, described := readme(t), make(map[string]bool)
	for _, key := range regexp.MustCompile("(?m)^(?:\\| `(\\w+)` \\||### `(systems)`)").FindAllStringSubmatch(text, -1) {
		described[key[1]+key[2]] = true
	}
	if len(known) != 24 || !maps.Equal(known, described) {
		t.Errorf("there are %v\ndescribed %v", known, described)
	}
	for _, word := range pdp.Operations {
		if !strings.Contains(text, "`"+string(word)+"`") {
			t.Errorf("operation %s is not named", word)
		}
	}
}

// The README's example of a mistake is what a mistake looks like.
func TestReadmeMistake(t *testing.T) {
	data := parse(t, `{"systems":{"tickets":{"hosts":["h"],"http":[{"methods":["GET"],"path":"/","operation":"raed"}]}}}`)
	_, err := New(data, func(...string) (string, int) { return "catalog/data.yaml", 7 })
	if err == nil || !strings.Contains(readme(t), "\n"+err.Error()+"\n") {
		t.Errorf("the README does not show %v", err)
	}
}
