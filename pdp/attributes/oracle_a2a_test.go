package attributes

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// a2aServers are agents made with the official SDK for Go that say what they hear
// and do nothing: one of each binding, and one whose HTTP paths begin with a tenant.
type a2aServers struct {
	heard              *heard
	rpc, rest, tenants http.Handler
	types              *Descriptors
}

func newA2AServers() *a2aServers {
	s := &a2aServers{types: descriptors("a2a")}
	s.rpc = a2asrv.NewJSONRPCHandler(s)
	s.rest = http.StripPrefix("/a2a/v1", a2asrv.NewRESTHandler(s))
	s.tenants = http.StripPrefix("/a2a/v1", a2asrv.NewTenantRESTHandler("/{*}", s))
	return s
}

// check holds a request that is accepted against those agents, and its message
// against protobuf's JSON form, by which agents in other languages read it. What
// any of them hears is the call that was read, on the same task, and it says
// nothing that was not read. They may refuse it: then nothing comes of it.
func (s *a2aServers) check(t *testing.T, e *pdp.Envelope, q *pdp.Request) {
	t.Helper()
	servers := []http.Handler{s.rpc}
	if q.Binding == pdp.BindingHTTP {
		servers = []http.Handler{s.rest, s.tenants}
	}
	for _, server := range servers {
		h := s.ask(server, e)
		if h == nil {
			continue
		}
		if q.RPC == nil || h.method != q.RPC.Method && !watched(h, q.RPC) {
			t.Fatalf("%s %s %s is heard as %+v, and read as %+v", e.Method, e.Path, e.Body, h, q.RPC)
		}
		s.compare(t, e, h.params, q.RPC, true)
	}
	if q.RPC != nil && q.RPC.Known && len(e.Body) > 0 {
		if theirs, ok := s.byType(t, []byte(e.Body), q); ok {
			s.compare(t, e, theirs, q.RPC, q.Binding == pdp.BindingJSONRPC)
		}
	}
}

// watched reports whether h is what the SDK hears where a GET subscribes to a
// task, which it has no route for: the task whose name ends in ":subscribe". Both
// read of the one task or of none.
func watched(h *heard, rpc *pdp.RPC) bool {
	request, ok := h.params.(*a2a.GetTaskRequest)
	if !ok || rpc.Method != "SubscribeToTask" || request.ID != a2a.TaskID(rpc.Name+":subscribe") {
		return false
	}
	request.ID = a2a.TaskID(rpc.Name)
	return true
}

// compare holds what was heard against what was read; named says that it holds
// the task's name, which a body over HTTP leaves to the path.
func (s *a2aServers) compare(t *testing.T, e *pdp.Envelope, params any, rpc *pdp.RPC, named bool) {
	t.Helper()
	text, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := value.DecodeJSON(text)
	if err != nil || !within(theirs, rpc.Arguments, sameA2A) || !coversParts(theirs, rpc) || named && !coversTask(theirs, rpc) {
		t.Fatalf("%s %s %s is heard as %s, and read as %s %s: %v", e.Method, e.Path, e.Body, text, rpc.Method, asJSON(rpc.Arguments), err)
	}
}

// coversTask reports whether theirs names the task that a call is about.
func coversTask(theirs value.Value, rpc *pdp.RPC) bool {
	name := a2aMethods[rpc.Method].names
	return name == "" || theirs.Get(name).Text() == rpc.Name
}

// coversParts reports whether theirs says everything that the message says.
func coversParts(theirs value.Value, rpc *pdp.RPC) bool {
	ours, others := rpc.Arguments.Path("message", "parts"), theirs.Path("message", "parts")
	if rpc.Method != "SendMessage" && rpc.Method != "SendStreamingMessage" {
		return true // it has no message, whatever it says
	}
	if ours.Len() != others.Len() {
		return false
	}
	for i, part := range ours.Items() {
		for _, content := range []string{"text", "raw", "url", "data"} {
			if v := part.Get(content); !within(v, others.At(i).Get(content), func(a, b value.Value) bool { return sameA2A(b, a) }) {
				return false
			}
		}
	}
	return true
}

// sameA2A compares what an agent has made of a member with the member: numbers
// and times are texts in a query, and bytes have several spellings.
func sameA2A(theirs, ours value.Value) bool {
	text, isText := ours.Str()
	number, isNumber := theirs.Literal()
	truth, isBool := theirs.Bool()
	switch {
	case isText && isNumber:
		a, errA := strconv.ParseFloat(number, 64)
		b, errB := strconv.ParseFloat(text, 64)
		return errA == nil && errB == nil && a == b
	case isText && isBool:
		b, err := strconv.ParseBool(text)
		return err == nil && b == truth
	case isText && theirs.Kind() == value.String && theirs.Text() != text:
		a, errA := time.Parse(time.RFC3339, theirs.Text())
		b, errB := time.Parse(time.RFC3339, text)
		return errA == nil && errB == nil && a.Equal(b) || sameBytes(theirs.Text(), text)
	}
	return value.Equal(theirs, ours)
}

// sameBytes reports whether two different texts are the same bytes in base64,
// of either alphabet, with padding or without.
func sameBytes(a, b string) bool {
	plain := strings.NewReplacer("-", "+", "_", "/")
	x, errX := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain.Replace(a), "="))
	y, errY := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain.Replace(b), "="))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// byType reads the message in a body as protobuf's JSON form of the method's
// request. Unknown members are left aside, as agents do.
func (s *a2aServers) byType(t *testing.T, body []byte, q *pdp.Request) (any, bool) {
	t.Helper()
	params := json.RawMessage(body)
	if q.Binding == pdp.BindingJSONRPC {
		var message struct{ Params json.RawMessage }
		if err := json.Unmarshal(body, &message); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		params = message.Params
	}
	parsed := dynamicpb.NewMessage(s.types.method(a2aService + "/" + q.RPC.Method).Input())
	lenient := protojson.UnmarshalOptions{DiscardUnknown: true, Resolver: dynamicpb.NewTypes(s.types.files)}
	if lenient.Unmarshal(params, parsed) != nil {
		return nil, false
	}
	text, err := protojson.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return json.RawMessage(text), true
}

// ask sends a server the request, and returns what it hears.
func (s *a2aServers) ask(server http.Handler, e *pdp.Envelope) *heard {
	target, err := url.ParseRequestURI(e.Path)
	if err != nil {
		panic(err) // the reader accepted it
	}
	header := make(http.Header)
	for _, h := range e.Headers {
		header.Add(h.Name, h.Value)
	}
	s.heard = nil
	server.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: e.Method, URL: target, Host: e.Host, Header: header, Body: io.NopCloser(strings.NewReader(e.Body))})
	return s.heard
}
