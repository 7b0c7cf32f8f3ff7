package catalog

import (
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

const protocols = `{
	"tickets":{"hosts":["api.example.com"],"sensitivity":"internal","grpc":{
		"tickets.v1.Tickets/GetTicket":{"operation":"read","resource":"ticket {arguments.ticketId}"},
		"tickets.v1.Tickets/Watch":{"operation":"read","adds":["seen"]},
		"tickets.v1.Tickets/*":{"operation":"write","sensitivity":"confidential","resource":"{service}/{method}"}}},
	"planner":{"hosts":["agent.example.com","shared.example.com"],"sensitivity":"internal","a2a":{"paths":["/a2a","/a2a/v1"]}},
	"writer":{"hosts":["shared.example.com"],"sensitivity":"confidential","a2a":{"paths":["/writer"],
		"message":{"operation":"execute","resource":"tenant {arguments.tenant}","adds":["untrusted-content"]}}},
	"db":{"hosts":["db.example.com","10.0.0.7"],"sensitivity":"restricted","network":[
		{"ports":[5432,5433],"operation":"execute"},{"ports":[22],"operation":"admin","resource":"shell"}]}
}`

func init() {
	said["SendMessage"], said["GetTask"], said["GetAgentCard"] = pdp.Send, pdp.Read, pdp.Discover
}

// grpcCall, a2aCall and connection are requests as package attributes reads them.
func grpcCall(t testing.TB, host, name, arguments string) *pdp.Request {
	service, method, _ := strings.Cut(name, "/")
	q := &pdp.Request{Protocol: pdp.GRPC, Binding: pdp.BindingGRPC, Method: "POST", Host: host, Path: "/" + name,
		Segments: []string{service, method}, RPC: &pdp.RPC{Service: service, Method: method, Name: name}}
	if arguments != "" {
		q.RPC.Arguments = parse(t, arguments)
	}
	return q
}

func a2aCall(host, path, method string, operation pdp.Operation) *pdp.Request {
	return &pdp.Request{Protocol: pdp.A2A, Binding: pdp.BindingJSONRPC, Method: "POST", Host: host, Path: path,
		RPC: &pdp.RPC{Method: method, Known: operation != "", Operation: operation}}
}

func connection(host string, port uint32) *pdp.Request {
	return &pdp.Request{Protocol: pdp.Network, Host: host, Destination: pdp.Peer{Address: "10.0.0.7", Port: port}}
}

func TestFindGRPC(t *testing.T) {
	c := compiled(t, protocols)
	for _, test := range []struct{ host, name, arguments, want string }{
		{"api", "tickets.v1.Tickets/GetTicket", `{"ticketId":"7"}`, "tickets:ticket 7 read internal"},
		{"api", "tickets.v1.Tickets/GetTicket", `{"ticketId":7}`, "tickets:ticket 7 read internal"},
		{"api", "tickets.v1.Tickets/GetTicket", `{"ticket_id":"7"}`, "? tickets:ticket ? read restricted"},
		{"api", "tickets.v1.Tickets/GetTicket", "", "? tickets:ticket ? read restricted"},
		{"api", "tickets.v1.Tickets/Watch", "", "tickets:rpc/tickets.v1.Tickets/Watch read internal"},
		{"api", "tickets.v1.Tickets/Close", "", "tickets:tickets.v1.Tickets/Close write confidential"},
		{"api", "tickets.v1.Ticket/Close", "", "? api.example.com:tickets.v1.Ticket/Close admin restricted"},
		{"elsewhere", "tickets.v1.Tickets/Watch", "", "? elsewhere.example.com:tickets.v1.Tickets/Watch admin restricted"},
	} {
		q := grpcCall(t, test.host+".example.com", test.name, test.arguments)
		if a := c.Find(q); names(a) != test.want || a.Tool != test.name {
			t.Errorf("%s %s: found %s of the tool %s, want %s", test.name, test.arguments, names(a), a.Tool, test.want)
		}
	}
	// A request that is called gRPC and could not be read, and one of another protocol.
	if a := c.Find(&pdp.Request{Protocol: pdp.GRPC, Host: "api.example.com", Path: "/x"}); a.Target.Known {
		t.Errorf("found %s", names(a))
	}
	q := grpcCall(t, "api.example.com", "tickets.v1.Tickets/Watch", "")
	if q.Protocol = pdp.HTTP; c.Find(q).Target.Known {
		t.Error("an entry for gRPC describes another protocol")
	}
}

func TestFindA2A(t *testing.T) {
	c := compiled(t, protocols)
	for _, test := range []struct {
		host, path, method string
		binding            pdp.Binding
		want               string
	}{
		{"agent", "/a2a", "SendMessage", pdp.BindingJSONRPC, "planner:SendMessage send internal"},
		{"agent", "/a2a", "GetTask", pdp.BindingJSONRPC, "planner:GetTask read internal"},
		{"agent", "/a2a", "Other", pdp.BindingJSONRPC, "? planner:Other admin restricted"},
		{"agent", "/a2a/x", "SendMessage", pdp.BindingJSONRPC, "? agent.example.com:/a2a/x admin restricted"},
		{"agent", "/a2a/v1/message:send", "SendMessage", pdp.BindingHTTP, "planner:SendMessage send internal"},
		{"agent", "/a2ax/message:send", "SendMessage", pdp.BindingHTTP, "? agent.example.com:/a2ax/message:send admin restricted"},
		{"agent", "/.well-known/agent-card.json", "GetAgentCard", pdp.BindingHTTP, "planner:GetAgentCard discover public"},
		{"agent", "/lf.a2a.v1.A2AService/SendMessage", "SendMessage", pdp.BindingGRPC, "planner:SendMessage send internal"},
		{"shared", "/lf.a2a.v1.A2AService/SendMessage", "SendMessage", pdp.BindingGRPC, "? shared.example.com:/lf.a2a.v1.A2AService/SendMessage admin restricted"},
		{"shared", "/writer", "SendMessage", pdp.BindingJSONRPC, "? writer:tenant ? execute restricted"},
		{"shared", "/writer", "GetTask", pdp.BindingJSONRPC, "writer:GetTask read confidential"},
	} {
		q := a2aCall(test.host+".example.com", test.path, test.method, said[test.method])
		q.Binding = test.binding
		if a := c.Find(q); names(a) != test.want || a.Tool != test.method {
			t.Errorf("%s %s: found %s of the tool %s, want %s", test.path, test.method, names(a), a.Tool, test.want)
		}
	}
	q := a2aCall("shared.example.com", "/writer", "SendMessage", pdp.Send)
	q.RPC.Arguments = parse(t, `{"tenant":"t1"}`)
	if a := c.Find(q); names(a) != "writer:tenant t1 execute confidential" || len(a.Target.Adds) != 1 {
		t.Errorf("found %s, %v", names(a), a.Target.Adds)
	}
}

func TestFindConnection(t *testing.T) {
	c := compiled(t, protocols)
	for want, q := range map[string]*pdp.Request{
		"db:port/5432 execute restricted":                connection("db.example.com", 5432),
		"db:port/5433 execute restricted":                connection("", 5433), // by its address
		"db:shell admin restricted":                      connection("", 22),
		"? db.example.com:port/80 admin restricted":      connection("db.example.com", 80),
		"? other.example.com:port/22 admin restricted":   connection("other.example.com", 22),
		"? api.example.com:port/5432 admin restricted":   connection("api.example.com", 5432),
		"? agent.example.com:port/5432 admin restricted": connection("agent.example.com", 5432),
	} {
		if got := names(c.Find(q)); got != want {
			t.Errorf("found %s, want %s", got, want)
		}
	}
}

func TestProtocolMistakes(t *testing.T) {
	for data, about := range map[string]string{
		`{"grpc":{"a.B":{"operation":"read"}}}`:                     "package.Service/Method",
		`{"grpc":{"/a.B/C":{"operation":"read"}}}`:                  "package.Service/Method",
		`{"grpc":{"a.B/C/D":{"operation":"read"}}}`:                 "package.Service/Method",
		`{"grpc":{"a.B/C":{"operation":"read","resource":"{id}"}}}`: "{id}",
		`{"grpc":[]}`:                                       "not an object",
		`{"a2a":{}}`:                                        "has no paths",
		`{"a2a":{"paths":["a2a"]}}`:                         "not a path",
		`{"a2a":{"paths":["/a","/a"]}}`:                     "the same agent",
		`{"a2a":{"paths":["/a"],"message":{}}}`:             "operation",
		`{"network":{}}`:                                    "not a list",
		`{"network":[{"operation":"read"}]}`:                "has no ports",
		`{"network":[{"ports":[0],"operation":"read"}]}`:    "not a port",
		`{"network":[{"ports":["22"],"operation":"read"}]}`: "not a port",
		`{"network":[{"ports":[22],"operation":"read"},{"ports":[22],"operation":"read"}]}`: "already",
	} {
		whole := `{"systems":{"s":{"hosts":["h"],` + strings.TrimPrefix(data, "{") + `}}`
		if _, err := New(parse(t, whole), nil); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%s: %v, want %q", data, err, about)
		}
	}
}
