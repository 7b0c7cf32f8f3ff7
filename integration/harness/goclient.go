package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// GoAgent is an agent made with the official SDK for Go, in this process.
type GoAgent struct{ connections map[string]*mcp.ClientSession }

// NewGoAgent returns an agent without connections.
func NewGoAgent() *GoAgent { return &GoAgent{make(map[string]*mcp.ClientSession)} }

// Do implements [Agent].
func (a *GoAgent) Do(ctx context.Context, c Command) (shown Shown, err error) {
	switch c.Do {
	case "connect":
		shown, err = a.connect(ctx, c)
	case "tools":
		var listed *mcp.ListToolsResult
		if listed, err = a.connections[c.On].ListTools(ctx, nil); err == nil {
			shown.Tools = len(listed.Tools)
		}
	case "call":
		shown, err = a.call(ctx, c)
	default:
		return Shown{}, fmt.Errorf("an agent does not %q", c.Do)
	}
	if err != nil {
		shown.Error = err.Error()
	}
	return shown, nil
}

func (a *GoAgent) connect(ctx context.Context, c Command) (Shown, error) {
	login, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient: &oauthex.ClientCredentials{ClientID: "agent"},
		RedirectURL:         "http://127.0.0.1:1/callback",
		AuthorizationCodeFetcher: func(context.Context, *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			return nil, errors.New("nobody is there to log in")
		},
	})
	if err != nil {
		return Shown{}, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.URL, OAuthHandler: storedLogin{login, c.Token}, MaxRetries: -1,
	}, &mcp.ClientSessionOptions{ProtocolVersion: c.Revision})
	if err != nil {
		return Shown{}, err
	}
	a.connections[c.On] = session
	return Shown{Revision: session.InitializeResult().ProtocolVersion}, nil
}

func (a *GoAgent) call(ctx context.Context, c Command) (Shown, error) {
	if c.Arguments == nil {
		c.Arguments = map[string]any{}
	}
	result, err := a.connections[c.On].CallTool(ctx, &mcp.CallToolParams{Name: c.Tool, Arguments: c.Arguments})
	if err != nil {
		return Shown{}, err
	}
	var texts []string
	for _, part := range result.Content {
		if text, ok := part.(*mcp.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	return Shown{Text: strings.Join(texts, " "), IsError: result.IsError}, nil
}

// Stop implements [Agent].
func (a *GoAgent) Stop() {
	for _, session := range a.connections {
		session.Close()
	}
}

// storedLogin is the SDK's login with the token that an earlier one left.
type storedLogin struct {
	*auth.AuthorizationCodeHandler
	token string
}

// TokenSource implements [auth.OAuthHandler].
func (s storedLogin) TokenSource(context.Context) (oauth2.TokenSource, error) {
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.token}), nil
}
