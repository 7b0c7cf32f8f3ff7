package attributes

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/remit-pdp/remit/pdp"
)

// agents is a reader of a listener with agents: one at /a2a in JSON-RPC, and
// below /a2a/v1 in HTTP.
var agents = New(Settings{
	MCPPaths:    map[string][]string{"agents": {"/mcp"}},
	A2A:         map[string]A2A{"agents": {Paths: []string{"/a2a"}, HTTP: []string{"/a2a/v1"}}},
	Descriptors: map[string]*Descriptors{"agents": descriptors("a2a")},
})

const (
	userMessage = `{"contextId":"c1","messageId":"m1","parts":[{"text":"pay invoice 7"}],"role":"ROLE_USER"}`
	sendParams  = `{"message":` + userMessage + `}`
)

// wholeSend is a message with everything that one can have.
const wholeSend = `{"tenant":"acme","message":{"messageId":"m","contextId":"c","taskId":"t","role":"ROLE_USER","parts":[{"text":"x"},{"raw":"-_8","filename":"f"},{"url":"https://x.example","mediaType":"a/b"},` +
	`{"data":{"n":1.5},"metadata":{"k":null}}],"extensions":["e"],"referenceTaskIds":["r"],"metadata":{"a":true}},"metadata":{"b":{}},"configuration":{"acceptedOutputModes":["text/plain"],` +
	`"historyLength":3,"returnImmediately":true,"taskPushNotificationConfig":{"url":"https://x.example","authentication":{"scheme":"Bearer","credentials":"c"}}}}`

// a2aCall is a request of the JSON-RPC binding.
func a2aCall(method, params string, changes ...change) *pdp.Envelope {
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
	return posted("/a2a", jsonType, body, append([]change{header("a2a-version", "1.0")}, changes...)...)
}

// a2aHTTP is a request of the HTTP binding.
func a2aHTTP(method, path, body string, changes ...change) *pdp.Envelope {
	e := request(method, "/a2a/v1"+path, append([]change{header("a2a-version", "1.0")}, changes...)...)
	if body != "" {
		e.Body = body
		e.Headers = append(e.Headers, pdp.Header{Name: "content-type", Value: "application/a2a+json"})
	}
	return e
}

func TestA2ARead(t *testing.T) {
	for _, test := range []struct {
		name           string
		e              *pdp.Envelope
		binding        pdp.Binding
		method, on, id string
		operation      pdp.Operation
		arguments      string
		unknown        bool
	}{
		{name: "a message", e: a2aCall("SendMessage", sendParams), binding: pdp.BindingJSONRPC, method: "SendMessage", id: "1", operation: pdp.Send, arguments: sendParams},
		{name: "its version in the query", e: a2aCall("SendMessage", sendParams, func(e *pdp.Envelope) { e.Headers = e.Headers[:1] }, target("/a2a?A2A-Version=1.0")), binding: pdp.BindingJSONRPC, method: "SendMessage", id: "1", operation: pdp.Send, arguments: sendParams},
		{name: "a stream", e: a2aCall("SendStreamingMessage", sendParams), binding: pdp.BindingJSONRPC, method: "SendStreamingMessage", id: "1", operation: pdp.Send, arguments: sendParams},
		{name: "a task", e: a2aCall("GetTask", `{"id":"t-1"}`), binding: pdp.BindingJSONRPC, method: "GetTask", on: "t-1", id: "1", operation: pdp.Read, arguments: `{"id":"t-1"}`},
		{name: "its end", e: a2aCall("CancelTask", `{"id":"t-1"}`), binding: pdp.BindingJSONRPC, method: "CancelTask", on: "t-1", id: "1", operation: pdp.Write, arguments: `{"id":"t-1"}`},
		{name: "a URL to push to", e: a2aCall("CreateTaskPushNotificationConfig", `{"taskId":"t-1","url":"https://x.example"}`), binding: pdp.BindingJSONRPC, method: "CreateTaskPushNotificationConfig", on: "t-1", id: "1", operation: pdp.Send, arguments: `{"taskId":"t-1","url":"https://x.example"}`},
		{name: "its credentials", e: a2aCall("ListTaskPushNotificationConfigs", `{"taskId":"t-1"}`), binding: pdp.BindingJSONRPC, method: "ListTaskPushNotificationConfigs", on: "t-1", id: "1", operation: pdp.Credential, arguments: `{"taskId":"t-1"}`},
		{name: "an unknown method", e: a2aCall("message/send", `{"x":1}`), binding: pdp.BindingJSONRPC, method: "message/send", id: "1", unknown: true, arguments: `{"x":1}`},
		{name: "one of MCP", e: a2aCall("tools/call", `{"name":"x"}`), binding: pdp.BindingJSONRPC, method: "tools/call", id: "1", unknown: true, arguments: `{"name":"x"}`},
		{name: "what nobody knows of is seen", e: a2aCall("GetTask", `{"id":"t","extra":1}`), binding: pdp.BindingJSONRPC, method: "GetTask", on: "t", id: "1", operation: pdp.Read, arguments: `{"extra":1,"id":"t"}`},
		{name: "the public card", e: request("GET", "/.well-known/agent-card.json"), binding: pdp.BindingHTTP, method: AgentCard, operation: pdp.Discover},

		{name: "HTTP: a message", e: a2aHTTP("POST", "/message:send", sendParams), binding: pdp.BindingHTTP, method: "SendMessage", operation: pdp.Send, arguments: sendParams},
		{name: "HTTP: to a tenant", e: a2aHTTP("POST", "/acme/message:stream", sendParams), binding: pdp.BindingHTTP, method: "SendStreamingMessage", operation: pdp.Send, arguments: `{"message":` + userMessage + `,"tenant":"acme"}`},
		{name: "HTTP: a task", e: a2aHTTP("GET", "/tasks/t-1?historyLength=3", ""), binding: pdp.BindingHTTP, method: "GetTask", on: "t-1", operation: pdp.Read, arguments: `{"historyLength":"3","id":"t-1"}`},
		{name: "HTTP: all of them", e: a2aHTTP("GET", "/tasks", ""), binding: pdp.BindingHTTP, method: "ListTasks", operation: pdp.Read, arguments: `{}`},
		{name: "HTTP: the end of one", e: a2aHTTP("POST", "/tasks/t-1:cancel", ""), binding: pdp.BindingHTTP, method: "CancelTask", on: "t-1", operation: pdp.Write, arguments: `{"id":"t-1"}`},
		{name: "HTTP: the end of one, said twice", e: a2aHTTP("POST", "/tasks/t-1:cancel", `{"id":"t-1"}`), binding: pdp.BindingHTTP, method: "CancelTask", on: "t-1", operation: pdp.Write, arguments: `{"id":"t-1"}`},
		{name: "HTTP: to watch one", e: a2aHTTP("GET", "/acme/tasks/t-1:subscribe", ""), binding: pdp.BindingHTTP, method: "SubscribeToTask", on: "t-1", operation: pdp.Read, arguments: `{"id":"t-1","tenant":"acme"}`},
		{name: "HTTP: to watch one, as SDKs do", e: a2aHTTP("POST", "/tasks/t-1:subscribe", ""), binding: pdp.BindingHTTP, method: "SubscribeToTask", on: "t-1", operation: pdp.Read, arguments: `{"id":"t-1"}`},
		{name: "HTTP: where to push to", e: a2aHTTP("POST", "/tasks/t-1/pushNotificationConfigs", `{"url":"https://x.example"}`), binding: pdp.BindingHTTP, method: "CreateTaskPushNotificationConfig", on: "t-1", operation: pdp.Send, arguments: `{"taskId":"t-1","url":"https://x.example"}`},
		{name: "HTTP: no more", e: a2aHTTP("DELETE", "/tasks/t-1/pushNotificationConfigs/p", ""), binding: pdp.BindingHTTP, method: "DeleteTaskPushNotificationConfig", on: "t-1", operation: pdp.Delete, arguments: `{"id":"p","taskId":"t-1"}`},
		{name: "HTTP: the extended card", e: a2aHTTP("GET", "/extendedAgentCard", ""), binding: pdp.BindingHTTP, method: "GetExtendedAgentCard", operation: pdp.Discover, arguments: `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := agents.Read(test.e)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if q.Protocol != pdp.A2A || q.Binding != test.binding || q.RPC == nil {
				t.Fatalf("read %+v", q)
			}
			rpc := q.RPC
			if rpc.Method != test.method || rpc.Name != test.on || rpc.ID != test.id || rpc.Operation != test.operation ||
				rpc.Known == test.unknown || rpc.Revision != "1.0" || rpc.Notification || rpc.Response {
				t.Errorf("read %+v", rpc)
			}
			if test.arguments != "" && asJSON(rpc.Arguments) != test.arguments || test.arguments == "" && rpc.Arguments.Defined() {
				t.Errorf("arguments are %s", asJSON(rpc.Arguments))
			}
		})
	}
	// The same message over gRPC has the same arguments.
	message := wire{}.text(2, string(wire{}.text(1, "m1").text(2, "c1").varint(4, 1).text(5, string(wire{}.text(1, "pay invoice 7")))))
	q, err := agents.Read(grpcCall("/"+a2aService+"/SendMessage", frame(message)))
	if err != nil || q.Protocol != pdp.A2A || q.Binding != pdp.BindingGRPC || q.RPC.Method != "SendMessage" || q.RPC.Operation != pdp.Send || !q.RPC.Known {
		t.Fatalf("over gRPC: %+v, %v", q.RPC, err)
	}
	part := q.RPC.Arguments.Path("message", "parts").At(0).Get("text")
	if part.Text() != "pay invoice 7" || q.RPC.Arguments.Path("message", "contextId").Text() != "c1" {
		t.Errorf("over gRPC the arguments are %s", asJSON(q.RPC.Arguments))
	}
}

// A path below the base that is none of A2A's calls nothing, and says so.
func TestA2APathsOfNothing(t *testing.T) {
	for _, e := range []*pdp.Envelope{
		a2aHTTP("GET", "", ""), a2aHTTP("GET", "/message:send", ""), a2aHTTP("POST", "/message", sendParams), a2aHTTP("POST", "/tasks/t:archive", ""),
		a2aHTTP("GET", "/a/b/tasks", ""), a2aHTTP("PUT", "/tasks/t", "{}"),
	} {
		if q, err := agents.Read(e); err != nil || q.Protocol != pdp.A2A || q.RPC != nil {
			t.Errorf("%s %s: %+v, %v", e.Method, e.Path, q.RPC, err)
		}
	}
}

func TestA2ARefuses(t *testing.T) {
	message := func(m string) string { return `{"message":` + m + `}` }
	for name, test := range map[string]struct {
		e           *pdp.Envelope
		code, about string
	}{
		"no version":                    {a2aCall("SendMessage", sendParams, without("a2a-version")), pdp.CodeRevision, "does not say"},
		"version 0.3":                   {a2aCall("SendMessage", sendParams, without("a2a-version"), header("a2a-version", "0.3")), pdp.CodeRevision, "another revision"},
		"version 2.0":                   {a2aHTTP("POST", "/message:send", sendParams, without("a2a-version"), header("a2a-version", "2.0")), pdp.CodeRevision, "another revision"},
		"two versions":                  {a2aCall("SendMessage", sendParams, header("a2a-version", "1.0")), CodeHeader, "a2a-version"},
		"a version here, another there": {a2aCall("SendMessage", sendParams, target("/a2a?A2A-Version=0.3")), CodeRPC, "two ways"},
		"a version twice in the query":  {a2aHTTP("GET", "/tasks?A2A-Version=1.0&A2A-Version=0.3", "", without("a2a-version")), CodeRPC, "two ways"},
		"a GET":                         {request("GET", "/a2a"), CodeRPC, "is a POST"},
		"a batch":                       {posted("/a2a", jsonType, "["+sendParams+"]", header("a2a-version", "1.0")), CodeRPC, "batch"},
		"a notification":                {posted("/a2a", jsonType, `{"jsonrpc":"2.0","method":"SendMessage","params":`+sendParams+`}`, header("a2a-version", "1.0")), CodeRPC, "requests with an id"},
		"a response":                    {posted("/a2a", jsonType, `{"jsonrpc":"2.0","id":1,"result":{}}`, header("a2a-version", "1.0")), CodeRPC, "requests with an id"},
		"no message":                    {a2aCall("SendMessage", `{}`), CodeRPC, "no parts"},
		"null for a message":            {a2aCall("SendMessage", `{"message":null}`), CodeRPC, "message is not what"},
		"a message that is a text":      {a2aCall("SendMessage", `{"message":"pay"}`), CodeRPC, "message is not what"},
		"no parts":                      {a2aCall("SendMessage", message(`{"parts":[]}`)), CodeRPC, "no parts"},
		"parts that are one":            {a2aCall("SendMessage", message(`{"parts":{"text":"x"}}`)), CodeRPC, "parts is not what"},
		"a part that is a text":         {a2aCall("SendMessage", message(`{"parts":["x"]}`)), CodeRPC, "holds something else"},
		"a part that is two":            {a2aCall("SendMessage", message(`{"parts":[{"text":"x","url":"y"}]}`)), CodeRPC, "exactly one"},
		"a part that is null and one":   {a2aCall("SendMessage", message(`{"parts":[{"text":null,"url":"y"}]}`)), CodeRPC, "not a string"},
		"a part of version 0.3":         {a2aCall("SendMessage", message(`{"parts":[{"kind":"file","file":{"uri":"x"}}]}`)), CodeRPC, "exactly one"},
		"a text that is a number":       {a2aCall("SendMessage", message(`{"parts":[{"text":1}]}`)), CodeRPC, "not a string"},
		"the proto's own spelling":      {a2aCall("SendMessage", message(`{"context_id":"c2","parts":[{"text":"x"}]}`)), CodeRPC, "contextId"},
		"another case":                  {a2aCall("SendMessage", `{"Message":{},"message":`+userMessage+`}`), CodeBody, "case"},
		"another case alone":            {a2aCall("SendMessage", message(`{"parts":[{"Text":"y"}]}`)), CodeRPC, "text"},
		"one in the configuration":      {a2aCall("SendMessage", `{"message":`+userMessage+`,"configuration":{"task_push_notification_config":{"url":"https://x"}}}`), CodeRPC, "taskPushNotificationConfig"},
		"one deeper":                    {a2aCall("SendMessage", `{"message":`+userMessage+`,"configuration":{"taskPushNotificationConfig":{"authentication":{"Credentials":"x"}}}}`), CodeRPC, "credentials"},
		"a task without an id":          {a2aCall("GetTask", `{}`), CodeRPC, "id is not a name"},
		"a task's id that is a number":  {a2aCall("CancelTask", `{"id":7}`), CodeRPC, "id is not a name"},
		"repeated members":              {a2aCall("GetTask", `{"id":"a","id":"b"}`), CodeBody, ""},
		"a number for a role":           {a2aCall("SendMessage", message(`{"role":2,"parts":[{"text":"x"}]}`)), CodeRPC, "role is not what"},
		"a number for a status":         {a2aCall("ListTasks", `{"status":2}`), CodeRPC, "status is not what"},
		"a push as in drafts":           {a2aCall("SendMessage", `{"message":`+userMessage+`,"configuration":{"pushNotificationConfig":{"url":"https://x"}}}`), CodeRPC, "taskPushNotificationConfig"},
		"another push as in drafts":     {a2aCall("CreateTaskPushNotificationConfig", `{"taskId":"t","config":{"url":"https://x"}}`), CodeRPC, "another spelling of url"},
		"HTTP: a colon in a name":       {a2aHTTP("GET", "/tasks/a:b", ""), CodeRPC, "colon"},
		"HTTP: two colons":              {a2aHTTP("POST", "/tasks/a:b:cancel", ""), CodeRPC, "colon"},
		"HTTP: a colon with a tenant":   {a2aHTTP("DELETE", "/acme/tasks/t/pushNotificationConfigs/a:b", ""), CodeRPC, "colon"},
		"HTTP: two things":              {a2aHTTP("GET", "/tasks/tasks", ""), CodeRPC, "means two things"},
		"HTTP: another id in the body":  {a2aHTTP("POST", "/tasks/a:cancel", `{"id":"b"}`), CodeRPC, "differ about id"},
		"HTTP: another tenant":          {a2aHTTP("POST", "/acme/message:send", `{"tenant":"other","message":`+userMessage+`}`), CodeRPC, "differ about tenant"},
		"HTTP: another id in the query": {a2aHTTP("GET", "/tasks/a?id=b", ""), CodeRPC, "differ about id"},
		"HTTP: a query on a POST":       {a2aHTTP("POST", "/message:send?tenant=x", sendParams), CodeRPC, "query of a POST"},
		"HTTP: a parameter twice":       {a2aHTTP("GET", "/tasks?contextId=a&contextId=b", ""), CodeRPC, "there twice"},
		"HTTP: a parameter in snake":    {a2aHTTP("GET", "/tasks?context_id=a", ""), CodeRPC, "contextId"},
		"HTTP: the version in another":  {a2aHTTP("GET", "/tasks?a2a-version=0.3", ""), CodeRPC, "another case"},
		"HTTP: a GET with a body":       {a2aHTTP("GET", "/tasks", `{"tenant":"x"}`), CodeRPC, "has a body"},
		"HTTP: a body that is a list":   {a2aHTTP("POST", "/message:send", `[]`), CodeRPC, "not a JSON object"},
		"HTTP: no body":                 {a2aHTTP("POST", "/message:send", ``), CodeRPC, "no parts"},
		"gRPC: version 0.3":             {grpcCall("/"+a2aService+"/GetTask", frame(wire{}.text(2, "t")), header("a2a-version", "0.3")), pdp.CodeRevision, "another revision"},
		"gRPC where JSON-RPC is":        {grpcCall("/a2a", frame(nil)), CodeRPC, "not one JSON-RPC message"},
	} {
		t.Run(name, func(t *testing.T) {
			q := refusedBy(t, agents, test.e, test.code, test.about)
			if q.Protocol != pdp.A2A && test.code != CodeHeader {
				t.Errorf("it is said to be %s", q.Protocol)
			}
		})
	}
	both := New(Settings{MCPPaths: map[string][]string{"agents": {"/a2a"}}, A2A: map[string]A2A{"agents": {Paths: []string{"/a2a"}}}})
	refusedBy(t, both, a2aCall("SendMessage", sendParams), CodeRPC, "MCP and A2A")
}

// The tables say what the protocol's own descriptor says.
func TestA2ATablesAreTheProtocols(t *testing.T) {
	d := descriptors("a2a")
	for name := range a2aMethods {
		method := d.method(a2aService + "/" + name)
		if name == AgentCard {
			continue // it is no method of the service
		}
		if method == nil {
			t.Errorf("the service has no %s", name)
			continue
		}
		sameShape(t, name, a2aShapes[name], method.Input())
	}
	for name := range d.methods {
		if _, listed := a2aMethods[strings.TrimPrefix(name, a2aService+"/")]; !listed {
			t.Errorf("the service has %s, which is not in the table", name)
		}
	}
	for _, r := range routes {
		if _, listed := a2aMethods[r.call]; !listed {
			t.Errorf("a route calls %s", r.call)
		}
	}
}

func sameShape(t *testing.T, path string, s shape, message protoreflect.MessageDescriptor) {
	t.Helper()
	var fields []string
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		name := field.JSONName()
		fields = append(fields, name)
		below, named := s[name]
		if !named {
			t.Errorf("%s has no %s", path, name)
		}
		if (field.Enum() != nil) != a2aNames[name] {
			t.Errorf("%s.%s is a name of a list: %v", path, name, field.Enum() != nil)
		}
		own := field.Message() != nil && field.Message().ParentFile().Package() == "lf.a2a.v1"
		if own != (below != nil) {
			t.Errorf("%s.%s is a message of A2A: %v, has a shape: %v", path, name, own, below != nil)
		}
		if own && below != nil {
			sameShape(t, path+"."+name, below, field.Message())
		}
	}
	for name := range s {
		if !slices.Contains(fields, name) {
			t.Errorf("%s has %s, which the protocol does not", path, name)
		}
	}
}

// FuzzA2A reads requests of the bindings in JSON. One that is accepted agents
// made with the official SDK, and protobuf's JSON form, read the same; they may
// refuse it.
func FuzzA2A(f *testing.F) {
	f.Add("POST", "/a2a", "1.0", []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":`+sendParams+`}`))
	f.Add("POST", "/a2a/v1/acme/message:send", "1.0", []byte(sendParams))
	f.Add("GET", "/a2a/v1/tasks/t?historyLength=1", "1.0", []byte{})
	f.Add("POST", "/a2a/v1/tasks/t:cancel", "1.0", []byte(`{"id":"t"}`))
	f.Add("GET", "/a2a/v1/tasks/tasks", "0.3", []byte{})
	for _, target := range []string{
		"/a/tasks", "/tasks/a:b", "/tasks/a:subscribe", "/tasks/t/pushNotificationConfigs", "/tasks/t/pushNotificationConfigs/p", "/extendedAgentCard", "/a/tasks/t", "/tasks/", "/tasks/a%20b",
		"/tasks?contextId=c&status=TASK_STATE_WORKING&pageSize=3&includeArtifacts=true&statusTimestampAfter=2026-01-01T00:00:00Z", "/tasks?pageSize=x", "/message:send/tasks",
	} {
		f.Add("GET", "/a2a/v1"+target, "1.0", []byte{})
	}
	for _, target := range []string{"/tasks/a:b:cancel", "/tasks/a:subscribe", "/a/tasks/a:cancel", "/message:stream", "/acme/message:send", "/tasks/message:send", "/tasks/t/pushNotificationConfigs"} {
		f.Add("POST", "/a2a/v1"+target, "1.0", []byte(`{"url":"https://x.example","token":"s","authentication":{"scheme":"Bearer","credentials":"c"}}`))
		f.Add("POST", "/a2a/v1"+target, "1.0", []byte(wholeSend))
	}
	f.Add("DELETE", "/a2a/v1/tasks/t/pushNotificationConfigs/p", "1.0", []byte{})
	for method, params := range map[string]string{
		"SendStreamingMessage": wholeSend, "ListTasks": `{"status":"TASK_STATE_WORKING","pageSize":"3","statusTimestampAfter":"2026-01-01T01:00:00+01:00"}`, "GetTask": `{"id":"t","historyLength":1e0}`,
		"CancelTask": `{"id":"t","metadata":{"a":[1]}}`, "SubscribeToTask": `{"id":"t"}`, "GetExtendedAgentCard": `{"tenant":"a"}`,
		"CreateTaskPushNotificationConfig": `{"taskId":"t","config":{"url":"https://evil.example"}}`, "GetTaskPushNotificationConfig": `{"taskId":"t","id":"p"}`,
		"SendMessage":                      `{"message":` + userMessage + `,"configuration":{"pushNotificationConfig":{"url":"https://evil.example"}}}`,
		"DeleteTaskPushNotificationConfig": `{"taskId":"t","id":"p"}`, "ListTaskPushNotificationConfigs": `{"taskId":"t","pageSize":1}`,
	} {
		f.Add("POST", "/a2a", "1.0", []byte(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`))
	}
	servers := newA2AServers()
	f.Fuzz(func(t *testing.T, method, path, version string, body []byte) {
		e := request(method, path, header("a2a-version", version, "content-type", "application/json"))
		e.Body = string(body)
		q, err := agents.Read(e)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if q.Protocol != pdp.A2A || q.RPC != nil && q.RPC.Method == AgentCard {
			return
		}
		servers.check(t, e, &q)
		if q.RPC == nil {
			return
		}
		if version != "1.0" && !strings.Contains(path, "A2A-Version=1.0") {
			t.Fatalf("read version %q", version)
		}
		// Whoever follows the path and whoever follows the body agree.
		for _, name := range []string{"id", "taskId", "tenant"} {
			if said := q.Body.Get(name); q.Binding == pdp.BindingHTTP && said.Defined() && asJSON(said) != asJSON(q.RPC.Arguments.Get(name)) {
				t.Fatalf("%s is %s in the body and %s in the arguments", name, asJSON(said), asJSON(q.RPC.Arguments.Get(name)))
			}
		}
		if _, listed := a2aMethods[q.RPC.Method]; listed != q.RPC.Known || (q.RPC.Operation == "") == listed {
			t.Fatalf("read %+v", q.RPC)
		}
	})
}
