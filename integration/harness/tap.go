package harness

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// RevisionHeader tells the sample tools which MCP revision to speak; a [Tap]
// sets it.
const RevisionHeader = "x-sample-revision"

// Tap stands between one connection of a client and Envoy, and counts what the
// client sends. It changes the host, which Envoy routes by, and nothing else.
type Tap struct {
	URL    string // of the MCP endpoint, for the client
	server *httptest.Server

	mu     sync.Mutex
	counts map[string]int
}

// NewTap returns a tap in front of envoy, for a client that shall speak one MCP
// revision.
func NewTap(envoy *Envoy, revision string) *Tap {
	t := &Tap{counts: make(map[string]int)}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: envoy.Address})
		r.Out.Host = ToolsHost
		r.Out.Header.Set(RevisionHeader, revision)
	}, ModifyResponse: func(r *http.Response) error {
		t.count(http.StatusText(r.StatusCode))
		return nil
	}}
	t.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.see(r)
		proxy.ServeHTTP(w, r)
	}))
	t.URL = t.server.URL + "/mcp"
	return t
}

// see counts a request by its JSON-RPC method; anything beside the MCP endpoint
// is a client that looks for where to log in.
func (t *Tap) see(r *http.Request) {
	if r.URL.Path != "/mcp" {
		t.count("login")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var message struct{ Method string }
	if json.Unmarshal(body, &message) == nil {
		t.count(message.Method)
	}
}

func (t *Tap) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// Count returns how often the client sent a JSON-RPC method, looked for a
// "login", or got an answer with a status of this text.
func (t *Tap) Count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

// Stop ends the tap and its connections at once.
func (t *Tap) Stop() {
	t.server.CloseClientConnections()
	t.server.Config.Close()
}
