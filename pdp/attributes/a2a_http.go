package attributes

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// A route is one way to call a method of A2A over HTTP (a2a.proto,
// google.api.http): the method, the literal segments of the path with "" for a
// parameter, the verb behind the last colon, and the parameters' names in order.
type route struct {
	method string
	verb   string // "cancel" of "/tasks/{id}:cancel"
	path   []string
	params []string
	call   string
}

var routes = []route{
	{method: "POST", path: []string{"message"}, verb: "send", call: "SendMessage"},
	{method: "POST", path: []string{"message"}, verb: "stream", call: "SendStreamingMessage"},
	{method: "GET", path: []string{"tasks"}, call: "ListTasks"},
	{method: "GET", path: []string{"tasks", ""}, params: []string{"id"}, call: "GetTask"},
	{method: "POST", path: []string{"tasks", ""}, verb: "cancel", params: []string{"id"}, call: "CancelTask"},
	{method: "GET", path: []string{"tasks", ""}, verb: "subscribe", params: []string{"id"}, call: "SubscribeToTask"},
	// The official SDKs post it.
	{method: "POST", path: []string{"tasks", ""}, verb: "subscribe", params: []string{"id"}, call: "SubscribeToTask"},
	{method: "POST", path: []string{"tasks", "", "pushNotificationConfigs"}, params: []string{"taskId"}, call: "CreateTaskPushNotificationConfig"},
	{method: "GET", path: []string{"tasks", "", "pushNotificationConfigs"}, params: []string{"taskId"}, call: "ListTaskPushNotificationConfigs"},
	{method: "GET", path: []string{"tasks", "", "pushNotificationConfigs", ""}, params: []string{"taskId", "id"}, call: "GetTaskPushNotificationConfig"},
	{method: "DELETE", path: []string{"tasks", "", "pushNotificationConfigs", ""}, params: []string{"taskId", "id"}, call: "DeleteTaskPushNotificationConfig"},
	{method: "GET", path: []string{"extendedAgentCard"}, call: "GetExtendedAgentCard"},
}

// readA2AHTTP reads the HTTP+JSON binding below base. A path that is no method
// of A2A is known to be none: the policy sees a request without a call.
func readA2AHTTP(e *asked, q *pdp.Request, base string) *pdp.Refusal {
	segments := q.Segments[strings.Count(base, "/"):]
	call, params, ways := match(e.Method, segments)
	if ways == 0 && otherwise(e.Method, segments) {
		return refuseRPC("the last part of the path has a colon: agents differ in whether it belongs to the name")
	}
	if ways == 0 {
		return nil
	}
	q.RPC = &pdp.RPC{Method: call}
	refusal := checkA2ARevision(e, q)
	if refusal != nil {
		return refusal
	}
	rule := ""
	if ways > 1 {
		rule = "the path means two things: one with a tenant, one without"
	}
	if rule == "" {
		rule = httpParams(q, params)
	}
	if rule == "" {
		rule = describeA2A(q.RPC)
	}
	if rule != "" {
		q.RPC = nil
		return refuseRPC(rule)
	}
	return nil
}

// match finds the method that a path calls, with its parameters, and in how many
// ways it can be taken: every route is there with a tenant in front as well.
func match(method string, segments []string) (call string, params []value.Member, ways int) {
	for _, r := range routes {
		if found, ok := r.match(method, segments); ok {
			call, params, ways = r.call, found, ways+1
		}
		if len(segments) < 2 {
			continue
		}
		if found, ok := r.match(method, segments[1:]); ok {
			call, params, ways = r.call, append(found, value.M("tenant", value.Str(segments[0]))), ways+1
		}
	}
	return call, params, ways
}

func (r *route) match(method string, segments []string) (params []value.Member, ok bool) {
	if method != r.method || len(segments) != len(r.path) {
		return nil, false
	}
	for i, segment := range segments {
		if i == len(segments)-1 {
			name, verb, _ := strings.Cut(segment, ":")
			if verb != r.verb {
				return nil, false
			}
			segment = name
		}
		switch {
		case r.path[i] == "" && segment != "":
			params = append(params, value.M(r.params[len(params)], value.Str(segment)))
		case r.path[i] != segment:
			return nil, false
		}
	}
	return params, true
}

// otherwise reports whether a path that calls nothing calls a method to an agent
// which takes a colon, or the first of several, for a part of the name.
func otherwise(method string, segments []string) bool {
	if len(segments) == 0 {
		return false
	}
	plain := slices.Clone(segments)
	last := &plain[len(plain)-1]
	colon := strings.LastIndexByte(*last, ':')
	if colon < 0 {
		return false
	}
	*last = strings.ReplaceAll((*last)[:colon], ":", "") + (*last)[colon:]
	_, _, cutAtTheLast := match(method, plain)
	*last = strings.ReplaceAll(*last, ":", "")
	_, _, uncut := match(method, plain)
	return cutAtTheLast+uncut > 0
}

// httpParams makes the request of a call: of the path and the query, or of the
// path and the body.
func httpParams(q *pdp.Request, params []value.Member) (rule string) {
	inPath, posted := value.Obj(slices.Clone(params)...), q.Method == "POST"
	add := func(name string, v value.Value) bool {
		if there := inPath.Get(name); there.Defined() && !value.Equal(there, v) {
			rule = "the path and the rest of the request differ about " + name
		}
		params = append(params, value.M(name, v))
		return rule == ""
	}
	q.Query.Range(func(name string, list value.Value) bool {
		switch {
		case strings.EqualFold(name, "A2A-Version"):
			if name != "A2A-Version" {
				rule = "the query has A2A-Version in another case"
			}
			return rule == ""
		case posted:
			rule = "the query of a POST has parameters"
		case list.Len() != 1:
			rule = "a parameter of the query is there twice"
		default:
			return add(name, list.At(0))
		}
		return false
	})
	if rule != "" {
		return rule
	}
	switch {
	case !posted && q.BodyState != pdp.BodyNone:
		return "the request has a body, which its method does not take"
	case q.BodyState == pdp.BodyComplete && q.Body.Kind() != value.Map:
		return "the body is not a JSON object"
	case q.BodyState == pdp.BodyComplete:
		q.Body.Range(add)
	}
	q.RPC.Params = value.Obj(params...)
	return rule
}
