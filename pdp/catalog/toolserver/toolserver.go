// Package toolserver sees which tools an MCP server has: by asking it, as an
// MCP client of the official SDK, or from a file that something else writes. It
// is the only package that talks to tool servers, and never does in a decision.
package toolserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/remit-pdp/remit/pdp/value"
)

// File reads the answer to tools/list from a file, as text.
func File(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(text)) > max {
		err = fmt.Errorf("%s is longer than %d bytes", path, max)
	}
	return text, err
}

// Server is an MCP server that is asked over Streamable HTTP.
type Server struct {
	URL string
	// TokenFile holds the bearer token to ask with, read anew each time; "" is
	// none.
	TokenFile string
	// MaxBytes bounds what one answer may hold, and MaxTools the tools of all.
	MaxBytes int64
	MaxTools int
	Version  string // of remit, which the server is told
}

// patience is how long one request may take.
const patience = 30 * time.Second

// Tools asks for all tools, page by page, on a session of its own. It ends with
// ctx. The values are as the SDK read them: what it does not know is not there.
func (s *Server) Tools(ctx context.Context) (tools []value.Value, err error) {
	token, err := s.token()
	if err != nil {
		return nil, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "remit", Version: s.Version}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: s.URL, MaxRetries: -1, DisableStandaloneSSE: true,
		// Also for what the SDK sends on its own, which does not end with ctx.
		HTTPClient: &http.Client{Transport: asking{token, s.MaxBytes}, CheckRedirect: stay, Timeout: patience},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.URL, err)
	}
	defer session.Close()
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("tools/list of %s: %w", s.URL, err)
		}
		if len(tools) == s.MaxTools {
			return nil, fmt.Errorf("%s lists more than %d tools", s.URL, s.MaxTools)
		}
		v, err := read(tool)
		if err != nil {
			return nil, fmt.Errorf("tools/list of %s: %w", s.URL, err)
		}
		tools = append(tools, v)
	}
	return tools, nil
}

func read(tool *mcp.Tool) (value.Value, error) {
	text, err := json.Marshal(tool)
	if err != nil {
		return value.Nothing, err
	}
	return value.ParseJSON(text)
}

func (s *Server) token() (string, error) {
	if s.TokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.TokenFile)
	return strings.TrimSpace(string(text)), err
}

// stay follows no redirect: the token is for this server.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// asking sends requests with a token, and bounds their answers.
type asking struct {
	token string
	max   int64
}

// RoundTrip implements [http.RoundTripper].
func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("authorization", "Bearer "+a.token)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		response.Body = &bounded{response.Body, a.max}
	}
	return response, err
}

// bounded is a body that fails after left more bytes.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
