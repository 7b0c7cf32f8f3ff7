package outcome

import (
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/remit-pdp/remit/pdp"
)

// logged is the access log entry of an allowed request that the tool answered;
// change makes it another.
func logged(change func(*datav3.HTTPAccessLogEntry)) *datav3.HTTPAccessLogEntry {
	e := &datav3.HTTPAccessLogEntry{
		CommonProperties: &datav3.AccessLogCommon{
			UpstreamRequestAttemptCount: 1,
			Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
				authzNamespace: {Fields: map[string]*structpb.Value{idField: structpb.NewStringValue("id")}},
			}},
		},
		Request: &datav3.HTTPRequestProperties{Authority: "API.example.test.:10000", RequestBodyBytes: 3},
		Response: &datav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(200), ResponseCodeDetails: "via_upstream", ResponseBodyBytes: 7,
			ResponseHeaders: map[string]string{"content-type": "application/json; charset=utf-8"},
		},
	}
	if change != nil {
		change(e)
	}
	return e
}

// eachReader runs a test twice: with entries that are read off the wire, and with
// ones that the generated types read. Nothing may depend on which it is.
func eachReader(t *testing.T, test func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry)) {
	t.Run("off the wire", func(t *testing.T) {
		test(t, func(e *datav3.HTTPAccessLogEntry) entry {
			entries, plain := fromWire(string(marshal(t, messageOf(e))))
			if !plain || len(entries) != 1 {
				t.Fatalf("plain: %v, entries: %+v", plain, entries)
			}
			return entries[0]
		})
	})
	t.Run("by the generated types", func(t *testing.T) {
		test(t, func(e *datav3.HTTPAccessLogEntry) entry {
			entries, err := fromTypes(string(marshal(t, messageOf(e))))
			if err != nil || len(entries) != 1 {
				t.Fatalf("%v, entries: %+v", err, entries)
			}
			return entries[0]
		})
	})
}

func TestAnEntryIsAnOutcome(t *testing.T) {
	eachReader(t, func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry) {
		e := read(logged(nil))
		o, ok := e.outcome(time.Unix(1, 0))
		want := pdp.Outcome{
			DecisionID: "id", State: pdp.OutcomeDone, Source: "access_log", At: time.Unix(1, 0), Status: 200, Attempts: 1,
			RequestBytes: 3, ResponseBytes: 7, ContentType: "application/json", Host: "api.example.test", Details: "via_upstream",
		}
		if !ok || o != want {
			t.Errorf("got %+v, %v", o, ok)
		}
	})
}

// How an action ended, and when nobody knows.
func TestStates(t *testing.T) {
	eachReader(t, func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry) {
		for name, c := range map[string]struct {
			change func(*datav3.HTTPAccessLogEntry)
			want   pdp.OutcomeState // "" is no outcome
		}{
			"answered":         {nil, pdp.OutcomeDone},
			"tool's own error": {func(e *datav3.HTTPAccessLogEntry) { e.Response.ResponseCode.Value = 500 }, pdp.OutcomeFailed},
			"not found":        {func(e *datav3.HTTPAccessLogEntry) { e.Response.ResponseCode.Value = 404 }, pdp.OutcomeFailed},
			"never connected": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.Response.ResponseCodeDetails = 503, "upstream_reset_before_response_started{connection_failure}"
				e.CommonProperties.ResponseFlags = &datav3.ResponseFlags{UpstreamConnectionFailure: true}
			}, pdp.OutcomeFailed},
			"answered at the second attempt": {func(e *datav3.HTTPAccessLogEntry) { e.CommonProperties.UpstreamRequestAttemptCount = 2 }, pdp.OutcomeDone},
			"failed at the second attempt": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.CommonProperties.UpstreamRequestAttemptCount = 500, 2
			}, ""},
			"never connected at the second attempt": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.Response.ResponseCodeDetails = 503, "upstream_reset_before_response_started{connection_failure}"
				e.CommonProperties.ResponseFlags = &datav3.ResponseFlags{UpstreamConnectionFailure: true}
				e.CommonProperties.UpstreamRequestAttemptCount = 2
			}, ""},
			"timed out at the tool": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.Response.ResponseCodeDetails = 504, "response_timeout"
			}, ""},
			"client gone": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.Response.ResponseCodeDetails = 0, "downstream_remote_disconnect"
			}, ""},
			"denied": {func(e *datav3.HTTPAccessLogEntry) {
				e.Response.ResponseCode.Value, e.Response.ResponseCodeDetails = 403, "ext_authz_denied"
			}, ""},
			"denied, by its flag": {func(e *datav3.HTTPAccessLogEntry) {
				e.CommonProperties.ResponseFlags = &datav3.ResponseFlags{UnauthorizedDetails: &datav3.ResponseFlags_Unauthorized{}}
			}, ""},
			"not over": {func(e *datav3.HTTPAccessLogEntry) {
				e.CommonProperties.AccessLogType = datav3.AccessLogType_DownstreamPeriodic
			}, ""},
			"of no decision": {func(e *datav3.HTTPAccessLogEntry) { e.CommonProperties.Metadata = nil }, ""},
			"by the tag": {func(e *datav3.HTTPAccessLogEntry) {
				e.CommonProperties.Metadata, e.CommonProperties.CustomTags = nil, map[string]string{idTag: "id"}
			}, pdp.OutcomeDone},
			"of another filter's word": {func(e *datav3.HTTPAccessLogEntry) {
				m := e.CommonProperties.Metadata.FilterMetadata
				m["envoy.filters.http.mcp"] = m[authzNamespace]
				delete(m, authzNamespace)
			}, ""},
			"of an id that is no text": {func(e *datav3.HTTPAccessLogEntry) {
				e.CommonProperties.Metadata.FilterMetadata[authzNamespace].Fields[idField] = structpb.NewNumberValue(1)
			}, ""},
			"empty": {func(e *datav3.HTTPAccessLogEntry) { proto.Reset(e) }, ""},
		} {
			e := read(logged(c.change))
			if o, ok := e.outcome(time.Now()); ok != (c.want != "") || (ok && o.State != c.want) {
				t.Errorf("%s: got %q, %v, want %q", name, o.State, ok, c.want)
			}
		}
	})
}
