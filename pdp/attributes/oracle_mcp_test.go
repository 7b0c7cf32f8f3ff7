package attributes

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	markmcp "github.com/mark3labs/mcp-go/mcp"
	markserver "github.com/mark3labs/mcp-go/server"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// heard is what a server took a message for; nothing where it refused it.
type heard struct {
	method string
	id     any
	params any
}

// check holds a message that is accepted against two MCP servers, made
// with the official SDK and with mcp-go: one that hears anything hears the same
// method, with the same id, name and arguments. They hear less than is accepted,
// as neither knows all methods of all revisions.
func (s *mcpServers) check(t *testing.T, body []byte, rpc *pdp.RPC) {
	t.Helper()
	for name, ask := range map[string]func([]byte) *heard{"the official SDK": s.official.ask, "mcp-go": s.askMark} {
		h := ask(body)
		if h == nil {
			continue
		}
		if h.method != rpc.Method || !sameID(h.id, rpc.ID) {
			t.Fatalf("%s is read by %s as %+v, and here as %+v", body, name, h, rpc)
		}
		text, err := json.Marshal(h.params)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := value.DecodeJSON(text)
		if err != nil || !within(theirs, rpc.Params, value.Equal) || !coversName(theirs, rpc) {
			t.Fatalf("%s is read by %s as %s, and here as %s %s: %v", body, name, text, rpc.Name, asJSON(rpc.Params), err)
		}
	}
}

// wholeCall is a call of 2026-07-28 that says all that servers ask for.
const wholeCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"id":7},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`

// The servers do hear: [FuzzRPC] compares something.
func TestServersHear(t *testing.T) {
	s := newMCPServers(t)
	for _, body := range []string{
		oldCall, wholeCall, oldList, `{"jsonrpc":"2.0","id":"a","method":"prompts/get","params":{"name":"greet","arguments":{"who":"Ada"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"docs://a"}}`, `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`,
	} {
		for name, h := range map[string]*heard{"the official SDK": s.official.ask([]byte(body)), "mcp-go": s.askMark([]byte(body))} {
			if h == nil {
				t.Errorf("%s does not hear %s", name, body)
			}
		}
	}
}

// coversName reports whether theirs are the params of what rpc acts on.
func coversName(theirs value.Value, rpc *pdp.RPC) bool {
	if rpc.Name == "" {
		return true
	}
	member := mcpMethods[rpc.Method].names
	return theirs.Get(member).Text() == rpc.Name && (!rpc.Arguments.Defined() || nothing(rpc.Arguments) || value.Equal(theirs.Get("arguments"), rpc.Arguments))
}

// sameID compares an id as a server has it with the text that it has here.
func sameID(theirs any, ours string) bool {
	if theirs == nil || ours == "" {
		return theirs == nil && ours == ""
	}
	a, errA := value.FromGo(theirs)
	b, errB := value.ParseJSON([]byte(ours))
	return errA == nil && errB == nil && value.Equal(a, b)
}

// within reports whether everything that theirs says ours says too, where same
// compares what is neither an object nor a list. Theirs are made of types that
// write some members although they were not said.
func within(theirs, ours value.Value, same func(theirs, ours value.Value) bool) bool {
	switch {
	case nothing(theirs):
		return true
	case theirs.Kind() == value.Array && ours.Kind() == value.Array && theirs.Len() == ours.Len():
		for i, item := range theirs.Items() {
			if !within(item, ours.At(i), same) {
				return false
			}
		}
		return true
	case theirs.Kind() == value.Map && ours.Kind() == value.Map:
		for _, m := range theirs.Members() {
			if !within(m.Value, ours.Get(m.Name), same) {
				return false
			}
		}
		return true
	default:
		return same(theirs, ours)
	}
}

// nothing reports whether v is what types have where nothing was said.
func nothing(v value.Value) bool {
	truth, _ := v.Bool()
	switch v.Kind() {
	case value.Null:
		return true
	case value.Bool:
		return !truth
	case value.Number:
		return value.Equal(v, value.Decimal("0"))
	case value.String:
		return v.Text() == ""
	case value.Array:
		return v.Len() == 0
	case value.Map:
		for _, m := range v.Members() {
			if !nothing(m.Value) {
				return false
			}
		}
		return true
	default:
		return true
	}
}

// mcpServers are servers that say what they hear and do nothing.
type mcpServers struct {
	official *officialServer
	mark     *markserver.MCPServer
	last     *heard // by mark, which answers before it returns
}

func newMCPServers(tb testing.TB) *mcpServers {
	s := &mcpServers{official: newOfficialServer(tb)}
	hooks := &markserver.Hooks{}
	hooks.AddBeforeAny(func(_ context.Context, id any, method markmcp.MCPMethod, request any) {
		text, err := json.Marshal(request)
		var params struct{ Params json.RawMessage }
		if err == nil {
			err = json.Unmarshal(text, &params)
		}
		if err != nil {
			panic(err)
		}
		s.last = &heard{string(method), id, params.Params}
	})
	s.mark = markserver.NewMCPServer("tools", "1", markserver.WithHooks(hooks), markserver.WithToolCapabilities(false), markserver.WithPromptCapabilities(false),
		markserver.WithResourceCapabilities(true, false), markserver.WithLogging(), markserver.WithCompletions(), markserver.WithTaskCapabilities(true, true, true))
	return s
}

func (s *mcpServers) askMark(body []byte) *heard {
	s.last = nil
	s.mark.HandleMessage(context.Background(), body)
	return s.last
}

// officialServer is a server made with the official SDK, and its only connection.
type officialServer struct {
	in, out chan jsonrpc.Message
	open    atomic.Bool // it was initialized: from here on nothing is done
	last    atomic.Pointer[heard]
	asked   int64
}

var errHeard = errors.New("heard")

func newOfficialServer(tb testing.TB) *officialServer {
	s := &officialServer{in: make(chan jsonrpc.Message), out: make(chan jsonrpc.Message)}
	server := mcp.NewServer(&mcp.Implementation{Name: "tools"}, nil)
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, request mcp.Request) (mcp.Result, error) {
			if !s.open.Load() {
				return next(ctx, method, request)
			}
			s.last.Store(&heard{method: method, params: request.GetParams()})
			return nil, errHeard
		}
	})
	ctx, end := context.WithCancel(context.Background())
	tb.Cleanup(end)
	if _, err := server.Connect(ctx, s, nil); err != nil {
		tb.Fatal(err)
	}
	s.ask([]byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`))
	s.open.Store(true)
	return s
}

// ask sends a message and waits for the answer. Of what is not answered it says
// how it was decoded.
func (s *officialServer) ask(body []byte) *heard {
	message, err := jsonrpc.DecodeMessage(body)
	if err != nil {
		return nil
	}
	request, isRequest := message.(*jsonrpc.Request)
	if !isRequest {
		return nil
	}
	id := request.ID.Raw()
	if id == nil {
		return &heard{method: request.Method, params: request.Params}
	}
	s.asked++ // as an id of our own, because those of calls under way are taken
	own, err := jsonrpc.MakeID(float64(s.asked))
	if err != nil {
		panic(err)
	}
	s.last.Store(nil)
	s.in <- &jsonrpc.Request{ID: own, Method: request.Method, Params: request.Params}
	<-s.out
	h := s.last.Load()
	if h != nil {
		h.id = id
	}
	return h
}

// Connect implements [mcp.Transport].
func (s *officialServer) Connect(context.Context) (mcp.Connection, error) { return s, nil }

// Read implements [mcp.Connection].
func (s *officialServer) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case message := <-s.in:
		return message, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write implements [mcp.Connection].
func (s *officialServer) Write(ctx context.Context, message jsonrpc.Message) error {
	select {
	case s.out <- message:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements [mcp.Connection].
func (s *officialServer) Close() error { return nil }

// SessionID implements [mcp.Connection].
func (s *officialServer) SessionID() string { return "" }
