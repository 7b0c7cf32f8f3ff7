package integration

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/remit-pdp/remit/integration/harness"
)

// A checkCase is one file of testdata/protocols/checks: a check as a proxy asks
// it, where its shape comes from, and what must be answered.
type checkCase struct {
	About    string          `json:"about"`
	Source   string          `json:"source"`
	Listener string          `json:"listener"` // which of remit's it is asked at
	Check    json.RawMessage `json:"check"`    // a CheckRequest in protobuf's JSON form
	Repeat   int             `json:"repeat"`   // it is asked so often: each is an action of its own
	Want     struct {
		Allowed bool           `json:"allowed"`
		Action  string         `json:"action"` // the target in the record of an allow
		Code    string         `json:"code"`   // the first reason of a denial
		Status  int32          `json:"status"` // HTTP, of a denial
		GRPC    int            `json:"grpc"`   // grpc-status of a denial that is one
		Body    map[string]any `json:"body"`   // members of the denial's body, by their paths
	} `json:"want"`
}

// protocolsRemit starts remit with testdata/protocols, the shipped packs
// included.
func protocolsRemit(t *testing.T, binary string) (*harness.Remit, *harness.Issuer, string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	issuer, err := harness.NewIssuer()
	if err == nil {
		err = issuer.WriteJWKS(filepath.Join(dir, "jwks.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	testdata := filepath.Join(root, "integration", "testdata", "protocols")
	sets := filepath.Join(root, "pdp", "attributes", "testdata")
	files := map[string]string{
		"tickets.binpb": filepath.Join(sets, "tickets.binpb"), "a2a.binpb": filepath.Join(sets, "a2a.binpb"),
		"remit.yaml": filepath.Join(testdata, "remit.yaml"),
	}
	health, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	for to, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if to == "remit.yaml" {
			text = []byte(strings.ReplaceAll(string(text), "{{.Health}}", health))
		}
		if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := harness.LayPolicy(t.Context(), binary, filepath.Join(dir, "policy"), filepath.Join(testdata, "policy")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	remit, err := harness.StartRemit(ctx, binary, filepath.Join(dir, "remit.yaml"), health)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remit.Stop)
	return remit, issuer, dir
}

// Every kind of proxy is answered right, from checks as it asks them.
func TestChecksOfEveryProxy(t *testing.T) {
	t.Parallel()
	eachReader(t, checksOfEveryProxy)
}

func checksOfEveryProxy(t *testing.T, binary string) {
	remit, issuer, dir := protocolsRemit(t, binary)
	files, err := filepath.Glob("testdata/protocols/checks/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d checks: %v", len(files), err)
	}
	for i, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			c := readCheck(t, file)
			// Each in a session of its own, so that none is judged by another.
			token, err := issuer.Token("support-agent", "user:ada", "s"+strconv.Itoa(i), nil)
			if err != nil {
				t.Fatal(err)
			}
			request := &authv3.CheckRequest{}
			if err := protojson.Unmarshal([]byte(strings.ReplaceAll(string(c.Check), "{{token}}", token)), request); err != nil {
				t.Fatal(err)
			}
			socket := map[string]string{"envoy": "authz"}[c.Listener]
			if socket == "" {
				socket = c.Listener
			}
			seen := make(map[string]bool)
			for range max(c.Repeat, 1) {
				answer := askAt(t, filepath.Join(dir, socket+".sock"), request)
				seen[answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue()] = true
				c.compare(t, remit, answer)
			}
			if len(seen) != max(c.Repeat, 1) || seen[""] {
				t.Errorf("asked %d times, decided %d times", max(c.Repeat, 1), len(seen))
			}
		})
	}
}

func readCheck(t *testing.T, file string) (c checkCase) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil || c.About == "" || c.Source == "" {
		t.Fatalf("it says neither what it is about nor its source: %v", err)
	}
	return c
}

func askAt(t *testing.T, socket string, request *authv3.CheckRequest) *authv3.CheckResponse {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *checkCase) compare(t *testing.T, remit *harness.Remit, answer *authv3.CheckResponse) {
	t.Helper()
	record, err := remit.Run(t.Context(), "log", "show", answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue())
	if err != nil {
		t.Fatalf("%v\n%s", err, record)
	}
	denied := answer.GetDeniedResponse()
	if c.Want.Allowed {
		system, resource, _ := strings.Cut(c.Want.Action, ":")
		if answer.GetStatus().GetCode() != 0 || answer.GetOkResponse() == nil ||
			!strings.Contains(record, `"system": "`+system+`"`) || !strings.Contains(record, `"resource": "`+resource+`"`) {
			t.Errorf("not allowed, or not as %s: %v\n%s", c.Want.Action, answer, record)
		}
		return
	}
	if answer.GetStatus().GetCode() == 0 || denied == nil || !strings.Contains(record, c.Want.Code) {
		t.Fatalf("not denied because of %s: %v\n%s", c.Want.Code, answer, record)
	}
	headers := make(map[string]string)
	for _, h := range denied.GetHeaders() {
		headers[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	if c.Want.GRPC != 0 {
		if headers["grpc-status"] != strconv.Itoa(c.Want.GRPC) || denied.GetStatus().GetCode() != 200 || denied.GetBody() != "" ||
			headers["content-type"] != "application/grpc" || !strings.Contains(headers["grpc-message"], c.Want.Code) {
			t.Errorf("the client is told %v", denied)
		}
		return
	}
	if int32(denied.GetStatus().GetCode()) != c.Want.Status || !strings.Contains(strings.ToLower(denied.GetBody()), c.Want.Code) {
		t.Errorf("the client is told %v", denied)
	}
	c.compareBody(t, denied.GetBody())
}

func (c *checkCase) compareBody(t *testing.T, text string) {
	t.Helper()
	for path, want := range c.Want.Body {
		var at any
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for name := range slices.Values(strings.Split(path, ".")) {
			object, _ := at.(map[string]any)
			at = object[name]
		}
		if at != want {
			t.Errorf("%s is %v, want %v", path, at, want)
		}
	}
}
