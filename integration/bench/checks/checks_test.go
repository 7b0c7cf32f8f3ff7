package checks

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/harness"
)

func newAgents(t *testing.T, n, hot int) *Agents {
	t.Helper()
	issuer, err := harness.NewIssuer()
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAgents(issuer, n, hot)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newSource(t *testing.T, n, hot int) *Source {
	t.Helper()
	s, err := NewSource(newAgents(t, n, hot), true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is patched into a template is a check that protobuf reads, with ids and a
// time of its own, and the token of whose turn it is.
func TestQuestionsAreChecks(t *testing.T) {
	s := newSource(t, 40, 4)
	seen := make(map[string]bool)
	for i := range 2000 {
		if i == 1000 {
			if err := s.Rotate(10); err != nil {
				t.Fatal(err)
			}
		}
		var c load.Call
		before := time.Now()
		s.Next(&c)
		var check authv3.CheckRequest
		if err := proto.Unmarshal(c.Message(), &check); err != nil {
			t.Fatal(err)
		}
		http := check.GetAttributes().GetRequest().GetHttp()
		headers := make(map[string]string)
		for _, h := range http.GetHeaderMap().GetHeaders() {
			headers[h.GetKey()] = string(h.GetRawValue())
		}
		for _, id := range []string{http.GetId(), headers["x-request-id"]} {
			if seen[id] || len(id) < 19 {
				t.Fatalf("id %q", id)
			}
			seen[id] = true
		}
		sent := check.GetAttributes().GetRequest().GetTime()
		if sent.CheckValid() != nil || sent.AsTime().Sub(before).Abs() > 2*time.Second {
			t.Fatalf("time %v, it is %v", sent, before)
		}
		if int64(len(http.GetRawBody())) != http.GetSize() {
			t.Fatalf("size %d of %d bytes", http.GetSize(), len(http.GetRawBody()))
		}
		for _, mark := range []string{streamMark, requestMark, ticketMark, uniqueMark, "~~"} {
			if bytes.Contains(c.Message(), []byte(mark)) {
				t.Fatalf("%s is still there: %v", mark, &check)
			}
		}
		if !strings.HasPrefix(headers["authorization"], "Bearer ey") {
			t.Fatalf("authorization %q", headers["authorization"])
		}
	}
	if s.Rotated < 10 {
		t.Errorf("%d tokens were rotated", s.Rotated)
	}
}

// One in twenty is hostile when that is asked for, of every kind.
func TestHostileShare(t *testing.T) {
	s := newSource(t, 40, 4)
	s.Hostile = 5
	kinds := make(map[string]int)
	for range 4000 {
		var c load.Call
		s.Next(&c)
		kinds[s.kind(c.Kind).name]++
	}
	total := 0
	for _, h := range hostile {
		if kinds[h.name] == 0 {
			t.Errorf("%s was never sent", h.name)
		}
		total += kinds[h.name]
	}
	if total < 120 || total > 280 {
		t.Errorf("%d of 4,000 were hostile, want about 200", total)
	}
}

// What Envoy would take for an allow by mistake is none for the benchmark.
func TestAnswersAreReadStrictly(t *testing.T) {
	id := strings.Repeat("d", IDSize)
	metadata := &structpb.Struct{Fields: map[string]*structpb.Value{"decision_id": structpb.NewStringValue(id), "x": structpb.NewBoolValue(true)}}
	ok := &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "a"}}}}}
	denied := &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: 503}}}
	for name, c := range map[string]struct {
		response    *authv3.CheckResponse
		allow, busy bool
		id          string
	}{
		"allow":           {&authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: ok, DynamicMetadata: metadata}, true, false, id},
		"empty":           {&authv3.CheckResponse{}, false, false, ""},
		"no status":       {&authv3.CheckResponse{HttpResponse: ok}, false, false, ""},
		"denied":          {&authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, HttpResponse: denied, DynamicMetadata: metadata}, false, true, id},
		"denied, with OK": {&authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: denied}, false, true, ""},
		"OK, denied":      {&authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, HttpResponse: ok}, false, false, ""},
	} {
		message, err := proto.Marshal(c.response)
		if err != nil {
			t.Fatal(err)
		}
		a := read(message)
		if got := strings.Trim(string(a.ID[:]), "\x00"); a.Allow != c.allow || a.unavailable != c.busy || got != c.id {
			t.Errorf("%s: allow %v, unavailable %v, id %q", name, a.Allow, a.unavailable, got)
		}
	}
}

// A denial where an allow is due, and an allow where a denial is, are noticed.
func TestWrongAnswersAreNoticed(t *testing.T) {
	s := newSource(t, 4, 2)
	answer := func(kind string, allow bool) {
		response := &authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, DynamicMetadata: &structpb.Struct{
			Fields: map[string]*structpb.Value{"decision_id": structpb.NewStringValue(strings.Repeat(kind[:1], IDSize))}}}
		if allow {
			response.Status, response.HttpResponse = &rpcstatus.Status{}, &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}
		}
		message, err := proto.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		s.Answered(&load.Call{Kind: s.index(kind)}, "0", message)
	}
	answer("read_ticket", true)
	answer("delete_ticket", false)
	if len(s.Wrong) != 0 || len(s.Answers) != 2 {
		t.Fatalf("wrong: %v, %d answers", s.Wrong, len(s.Answers))
	}
	answer("read_ticket", false)
	answer("delete_ticket", true)
	if len(s.Wrong) != 2 {
		t.Errorf("wrong: %v", s.Wrong)
	}
}

// Outcomes are messages of Envoy's access log service, one entry for each allow.
func TestOutcomesAreAccessLogs(t *testing.T) {
	o, err := newOutcomes()
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Repeat("a", IDSize), strings.Repeat("b", IDSize)
	o.add([]byte(a), harness.ToolsHost)
	o.add([]byte(b), harness.APIHost)
	var m accesslogv3.StreamAccessLogsMessage
	if err := proto.Unmarshal(o.message(time.Now(), true), &m); err != nil {
		t.Fatal(err)
	}
	entries := m.GetHttpLogs().GetLogEntry()
	if m.GetIdentifier().GetLogName() != "remit" || len(entries) != 2 {
		t.Fatalf("got %v", &m)
	}
	for i, id := range []string{a, b} {
		common := entries[i].GetCommonProperties()
		if common.GetCustomTags()["remit_decision_id"] != id ||
			common.GetMetadata().GetFilterMetadata()["envoy.filters.http.ext_authz"].GetFields()["decision_id"].GetStringValue() != id {
			t.Errorf("entry %d: %v", i, entries[i])
		}
		if host := []string{harness.ToolsHost, harness.APIHost}[i]; entries[i].GetRequest().GetAuthority() != host {
			t.Errorf("entry %d is of %s, want %s", i, entries[i].GetRequest().GetAuthority(), host)
		}
	}
	if o.message(time.Now(), true) != nil {
		t.Error("they came twice")
	}
}
