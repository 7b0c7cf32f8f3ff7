package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const toolsList = `{"jsonrpc":"2.0","id":1,"result":{"tools":[
 {"name":"read_ticket","description":"Read a support ticket","inputSchema":{"type":"object"}},
 {"name":"purge","description":"Reads nothing but the log","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}}`

// says runs a command and fails where its output lacks something, or where it
// ends otherwise than expected.
func says(t *testing.T, fails bool, args []string, wants ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		out += err.Error()
	}
	if (err != nil) != fails {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%v does not say %q:\n%s", args, want, out)
		}
	}
	return out
}

// A server's tools are imported, listed for review, described, and seen to
// change: the way a person goes.
func TestCatalogFromImportToDrift(t *testing.T) {
	dir, config := workplace(t)
	tools := filepath.Join(dir, "tools.json")
	write(t, tools, toolsList)
	with := func(args ...string) []string { return append(args, "-c", config) }

	says(t, true, with("catalog", "import", tools, "--system", "crm"), "say which hosts")
	crm := with("catalog", "import", tools, "--system", "crm", "--host", "crm.example.com", "--path", "/mcp")
	says(t, false, append(crm, "--dry-run"), "added", "stays as it is")
	file := filepath.Join(dir, "policy", "remit", "catalog", "systems", "crm", "data.yaml")
	if _, err := os.Stat(file); err == nil {
		t.Error("a dry run wrote the file")
	}
	says(t, false, crm, "added    purge", "added    read_ticket", file)
	says(t, false, with("check"), "data.remit.catalog.systems.crm.mcp.tools.purge is still to be reviewed", "systems/crm/data.yaml:")
	says(t, false, with("catalog", "explain", "mcp:crm purge"), "operation    admin", "UNKNOWN", "still to be reviewed", "sha256:")

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(text), "review: true") // of read_ticket
	write(t, file, string(text)[:at]+"operation: read # by Ada"+string(text)[at+len("review: true"):])
	says(t, false, with("catalog", "explain", "mcp:crm.example.com/mcp read_ticket"), "operation    read", "(known)", "crm:tool/read_ticket")
	says(t, false, with("catalog", "import", tools, "--system", "crm"), "same     read_ticket", "waiting  purge")

	says(t, true, with("catalog", "drift"), "no catalog.definitions")
	text, err = os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, string(text)+"catalog: { definitions: [ { system: crm, file: tools.json } ] }\n")
	says(t, false, with("catalog", "drift"), "crm     purge        same", "crm     read_ticket  same")
	write(t, tools, strings.Replace(toolsList, "Read a support ticket", "Read any mailbox", 1))
	says(t, true, with("catalog", "drift"), "read_ticket  changed", "crm: the tool read_ticket is not the one that was reviewed")
	says(t, false, with("catalog", "import", tools, "--system", "crm"), "changed  read_ticket", "waiting  purge")
	says(t, false, with("catalog", "explain", "mcp:crm read_ticket"), "UNKNOWN", "still to be reviewed")
}

// What explain says of requests that are known, nearly known and not known.
func TestCatalogExplain(t *testing.T) {
	_, config := workplace(t)
	explain := func(args ...string) []string {
		return append(append([]string{"catalog", "explain"}, args...), "-c", config)
	}
	says(t, false, explain("GET https://api.example.test/v1/tickets/7"), "tickets:ticket 7", "catalog/data.yaml:", "its methods have GET")
	says(t, false, explain("DELETE https://api.example.test/v1/tickets/7"), "UNKNOWN", "its method is GET", "review: true", "path: /v1/tickets/{id2}")
	says(t, false, explain("mcp:support-tools read_ticket", "--arguments", `{"ticket":"7"}`), "support-tools:ticket 7")
	says(t, false, explain("mcp:support-tools read_ticket"), "UNKNOWN", "a part that the request does not have")
	says(t, false, explain("mcp:support-tools Read_Ticket"), "the case differs", "support-tools:", "Read_Ticket:")
	says(t, false, explain("grpc:api.example.test shop.v1.Shop/Buy"), "UNKNOWN", "shop.v1.Shop/Buy:")
	says(t, false, explain("GET https://elsewhere.example/x"), "no system has the host elsewhere.example", "elsewhere-example:")
	for _, bad := range []string{"GET", "GET /x", "mcp:nothing x", "grpc:h x"} {
		says(t, true, explain(bad))
	}
}
