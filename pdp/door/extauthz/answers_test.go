package extauthz_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
)

// decider answers what a test says.
type decider func(context.Context, *pdp.Envelope) pdp.Decision

func (d decider) Decide(ctx context.Context, e *pdp.Envelope) pdp.Decision { return d(ctx, e) }

// A reader makes a server read checks in one of the two ways there are.
type reader func(*extauthz.Server) *extauthz.Server

// eachReader runs a test twice: what it shows holds for checks that are read off
// the wire and for those that the generated types read.
func eachReader(t *testing.T, test func(t *testing.T, read reader)) {
	t.Helper()
	t.Run("off the wire", func(t *testing.T) { test(t, (*extauthz.Server).OffTheWire) })
	t.Run("by the generated types", func(t *testing.T) { test(t, (*extauthz.Server).ByTypes) })
}

// named is who asks in the tests.
func named(context.Context) string { return "test" }

func door(t *testing.T, read reader, d decider) *extauthz.Server {
	t.Helper()
	return doorKeeping(t, 2, read, d)
}

// doorKeeping is a door that keeps so many workers.
func doorKeeping(t *testing.T, workers int, read reader, d decider) *extauthz.Server {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return read(extauthz.NewServer(extauthz.Settings{Listener: "l", Caller: named, DenyAs: extauthz.AsToolError, Deadline: 10 * time.Second, Margin: 50 * time.Millisecond, Workers: workers},
		d, keys, time.Now, func(any, []byte) {}))
}

func check(t *testing.T, read reader, d decider) *authv3.CheckResponse {
	t.Helper()
	response, err := door(t, read, d).Ask(t.Context(), &authv3.CheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// denies reports whether Envoy reads the answer as a denial.
func denies(r *authv3.CheckResponse) bool {
	return r.GetStatus().GetCode() != 0 && r.GetDeniedResponse() != nil && r.GetOkResponse() == nil
}

// Invariant 1: nothing half-built is an allow.
func TestOnlyARecordedAllowAllows(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		for name, d := range map[string]pdp.Decision{
			"zero":               {},
			"denial":             {ID: "id", Effect: pdp.Deny, Class: pdp.OutOfScope},
			"challenge":          {ID: "id", Effect: pdp.Challenge, Class: pdp.NeedsApproval},
			"unrecorded allow":   {Effect: pdp.Allow},
			"effect that is not": {ID: "id", Effect: 77},
		} {
			if r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision { return d }); !denies(r) {
				t.Errorf("%s: %v", name, r)
			}
		}
		if r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision { return pdp.Decision{ID: "id", Effect: pdp.Allow} }); r.GetOkResponse() == nil || r.GetStatus().GetCode() != 0 {
			t.Errorf("a recorded allow: %v", r)
		}
	})
}

func TestAPanicIsADenial(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		if r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision { panic("boom") }); !denies(r) {
			t.Errorf("got %v", r)
		}
	})
}

// A decision that hangs is answered for, before the caller's deadline, or the
// door's own where that comes first.
func TestTheAnswerLeavesBeforeTheDeadline(t *testing.T) {
	for _, c := range []struct{ callers, end time.Duration }{
		{150 * time.Millisecond, 150 * time.Millisecond},
		{time.Minute, 10 * time.Second},
	} {
		eachReader(t, func(t *testing.T, read reader) {
			synctest.Test(t, func(t *testing.T) { // where no busy machine takes the time of the margin
				block := make(chan struct{})
				time.AfterFunc(50*time.Second, func() { close(block) }) // long after the deadline
				s := doorKeeping(t, 0, read, func(context.Context, *pdp.Envelope) pdp.Decision {
					<-block
					return pdp.Decision{ID: "id", Effect: pdp.Allow}
				})
				ctx, cancel := context.WithTimeout(t.Context(), c.callers)
				defer cancel()
				began := time.Now()
				r, err := s.Ask(ctx, &authv3.CheckRequest{})
				if err != nil || !denies(r) || r.GetDeniedResponse().GetStatus().GetCode() != 503 {
					t.Errorf("got %v, %v", r, err)
				}
				if took := time.Since(began); took >= c.end {
					t.Errorf("the answer came after %s of %s", took, c.end)
				}
				time.Sleep(time.Minute) // until the decision has ended, too
			})
		})
	}
}

// Whatever a handler returns, what leaves is explicit.
func TestTheGuardReplacesWhatIsNotExplicit(t *testing.T) {
	guard := extauthz.Guard(func(any, []byte) {})
	info := &grpc.UnaryServerInfo{FullMethod: authv3.Authorization_Check_FullMethodName}
	status, forbidden := []byte("\x0a\x00"), []byte("\x0a\x02\x08\x07")
	ok, denied, metadata := []byte("\x1a\x00"), []byte("\x12\x00"), []byte("\x22\x00")
	bytes := func(parts ...[]byte) grpc.UnaryHandler {
		return func(context.Context, any) (any, error) { return extauthz.Rendered(slices.Concat(parts...)), nil }
	}
	for name, handler := range map[string]grpc.UnaryHandler{
		"nil":       func(context.Context, any) (any, error) { return nil, nil },
		"no bytes":  bytes(),
		"nil bytes": func(context.Context, any) (any, error) { return extauthz.Rendered(nil), nil },
		"error":     func(context.Context, any) (any, error) { return nil, errors.New("down") },
		"error and ok": func(context.Context, any) (any, error) {
			return extauthz.Rendered("\x0a\x00\x1a\x00"), errors.New("down")
		},
		"panic":                func(context.Context, any) (any, error) { panic("boom") },
		"another type":         func(context.Context, any) (any, error) { return "yes", nil },
		"the generated type":   func(context.Context, any) (any, error) { return &authv3.CheckResponse{}, nil },
		"status alone":         bytes(status),
		"no http part":         bytes(forbidden),
		"http part alone":      bytes(ok),
		"ok and denied":        bytes(status, ok, denied),
		"ok of a denial":       bytes(forbidden, ok),
		"denial of an ok":      bytes(status, denied),
		"two statuses":         bytes(forbidden, status, ok),
		"two parts":            bytes(status, ok, ok),
		"a status of two":      bytes([]byte("\x0a\x04\x08\x07\x08\x00"), ok),
		"a status of a text":   bytes([]byte("\x0a\x02\x12\x00"), ok),
		"a status spelt out":   bytes([]byte("\x0a\x02\x08\x00"), ok),
		"an error response":    bytes(status, []byte("\x2a\x00")),
		"an error of a denial": bytes(forbidden, []byte("\x2a\x00")),
		"an unknown field":     bytes(status, ok, []byte("\x7a\x00")),
		"another encoding":     bytes(status, ok, []byte("\x20\x01")),
		"cut off":              bytes(status, ok, []byte("\x22\x05ab")),
		"cut off in a tag":     bytes(status, ok, []byte("\x80")),
		"metadata and no more": bytes(metadata),
	} {
		answer, err := guard(t.Context(), nil, info, handler)
		rendered, is := answer.(extauthz.Rendered)
		response := &authv3.CheckResponse{}
		if err != nil || !is || proto.Unmarshal(rendered, response) != nil || !denies(response) {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
	for name, handler := range map[string]grpc.UnaryHandler{
		"allow": bytes(status, ok), "allow with metadata": bytes(status, ok, metadata), "denial": bytes(forbidden, denied),
	} {
		want, _ := handler(t.Context(), nil)
		if answer, err := guard(t.Context(), nil, info, handler); err != nil || !slices.Equal(answer.(extauthz.Rendered), want.(extauthz.Rendered)) {
			t.Errorf("an explicit %s: %v, %v", name, answer, err)
		}
	}
}

// Headers of an answer replace what a client sent, and say so.
func TestHeadersAlwaysSayHowTheyAreSet(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision {
			return pdp.Decision{ID: "id", Effect: pdp.Allow, Response: pdp.Response{
				Headers:         pdp.Headers{{Name: "x-a", Value: "1"}, {Name: "x-a", Value: "2"}},
				ResponseHeaders: pdp.Headers{{Name: "x-b", Value: "3"}},
			}}
		})
		want := []corev3.HeaderValueOption_HeaderAppendAction{
			corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD,
			corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		}
		for i, h := range append(r.GetOkResponse().GetHeaders(), r.GetOkResponse().GetResponseHeadersToAdd()...) {
			if h.AppendAction != want[i] {
				t.Errorf("%s is set by %v, want %v", h.Header.Key, h.AppendAction, want[i])
			}
		}
		if stamp := r.GetOkResponse().GetHeaders()[2].GetHeader(); stamp.Key != "x-remit-decision" || stamp.Value == "" {
			t.Errorf("no stamp: %v", stamp)
		}
		if id := r.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue(); id != "id" {
			t.Errorf("decision_id is %q in the metadata", id)
		}
	})
}

// A caller does not speak for remit: what it says under remit's names is
// overwritten or removed, however the proxy sends headers.
func TestForgedHeadersDoNotReachTheTool(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		sent := []string{"X-Remit-Decision", "x-remit-agent", "X_Remit_Decision", "x-remit-agent", "x-remitter", "accept"}
		joined := &authv3.AttributeContext_HttpRequest{Headers: make(map[string]string)}
		raw := &authv3.AttributeContext_HttpRequest{HeaderMap: &corev3.HeaderMap{}}
		for _, name := range sent {
			joined.Headers[name] = "forged"
			raw.HeaderMap.Headers = append(raw.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte("forged")})
		}
		allow := func(context.Context, *pdp.Envelope) pdp.Decision {
			return pdp.Decision{ID: "id", Effect: pdp.Allow, Response: pdp.Response{RemoveHeaders: []string{"x-internal"}}}
		}
		for kind, http := range map[string]*authv3.AttributeContext_HttpRequest{"joined": joined, "raw": raw} {
			r, err := door(t, read, allow).Ask(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
				Request: &authv3.AttributeContext_Request{Http: http}}})
			if err != nil {
				t.Fatal(err)
			}
			removed := slices.Sorted(slices.Values(r.GetOkResponse().GetHeadersToRemove()))
			if want := []string{"x-internal", "x-remit-agent", "x_remit_decision"}; !slices.Equal(removed, want) {
				t.Errorf("%s: removes %q, want %q", kind, removed, want)
			}
			if set := r.GetOkResponse().GetHeaders(); len(set) != 1 || set[0].GetHeader().GetKey() != "x-remit-decision" || set[0].GetHeader().GetValue() == "forged" {
				t.Errorf("%s: sets %v", kind, set)
			}
		}
	})
}

// How a denial reads, by class and by the language of the question.
func TestDenials(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		mcp := pdp.Reply{Protocol: pdp.MCP, RPCMethod: "tools/call", RPCID: `"a"`, Revision: "2025-11-25"}
		list := mcp
		list.RPCMethod = "tools/list"
		newer := mcp
		newer.Revision = "2026-07-28"
		for _, c := range []struct {
			name   string
			class  pdp.Class
			reply  pdp.Reply
			status int
			shape  string // a member the body has
		}{
			{"http", pdp.OutOfScope, pdp.Reply{Protocol: pdp.HTTP}, 403, "reasons"},
			{"budget", pdp.BudgetSpent, pdp.Reply{}, 429, "retry_after_seconds"},
			{"nobody", pdp.Unauthenticated, mcp, 401, "reasons"},
			{"unreadable", pdp.Unreadable, pdp.Reply{Protocol: pdp.MCP}, 400, "reasons"},
			{"outage", pdp.Unavailable, mcp, 503, "error"},
			{"outage of http", pdp.Unavailable, pdp.Reply{}, 503, "reasons"},
			{"tool", pdp.OutOfScope, mcp, 200, "result"},
			{"newer tool", pdp.OutOfScope, newer, 200, "result"},
			{"other method", pdp.OutOfScope, list, 200, "error"},
		} {
			answer := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision {
				return pdp.Decision{ID: "id", Class: c.class, Reply: c.reply, Retry: 1500 * time.Millisecond, Reasons: []pdp.Reason{{Code: "why", Message: "because"}}}
			})
			r := answer.GetDeniedResponse()
			if !denies(answer) { // whatever its HTTP status
				t.Errorf("%s is no denial: %v", c.name, answer)
			}
			if int(r.GetStatus().GetCode()) != c.status {
				t.Errorf("%s: status %d, want %d", c.name, r.GetStatus().GetCode(), c.status)
			}
			var body map[string]any
			if err := json.Unmarshal([]byte(r.GetBody()), &body); err != nil || body[c.shape] == nil {
				t.Errorf("%s: %v, body %s", c.name, err, r.GetBody())
			}
			result, isResult := body["result"].(map[string]any)
			if isResult && (result["isError"] != true || body["id"] != "a" || (result["resultType"] == "complete") != (c.name == "newer tool")) {
				t.Errorf("%s: %s", c.name, r.GetBody())
			}
			if result["structuredContent"] != nil || strings.Contains(r.GetBody(), "isError") != strings.Contains(r.GetBody(), `"remit/denial":{`) {
				t.Errorf("%s: the explanation is not where clients leave it alone: %s", c.name, r.GetBody())
			}
		}
	})
}

// Invariant 6 and 10: the envelope names the proxy that the transport has
// authenticated, and one without a name is denied before anything is asked.
func TestTheCallerIsNamed(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
		if err != nil {
			t.Fatal(err)
		}
		for name, asked := range map[string]bool{"spiffe://example.test/envoy": true, "": false} {
			var saw []string
			d := decider(func(_ context.Context, e *pdp.Envelope) pdp.Decision {
				saw = append(saw, e.Proxy)
				return pdp.Decision{}
			})
			server := read(extauthz.NewServer(extauthz.Settings{
				Caller: func(context.Context) string { return name }, Deadline: time.Second, Margin: time.Millisecond,
			}, d, keys, time.Now, func(any, []byte) {}))
			response, err := server.Ask(t.Context(), &authv3.CheckRequest{})
			if err != nil || !denies(response) {
				t.Errorf("%q: %v, %v", name, response, err)
			}
			if asked != (len(saw) == 1 && saw[0] == name) {
				t.Errorf("%q: the decision saw %q", name, saw)
			}
		}
	})
}
