package state

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// newRecord returns the record of d.
func newRecord(c *pdp.Case, d *pdp.Decision) (r Record) {
	r = Record{
		ID: d.ID, Question: c.Question, Effect: d.Effect, Class: d.Class, Reasons: d.Reasons, WouldDeny: d.WouldDeny, Generation: d.Generation, Session: d.Session,
		Agent: pdp.Principal{ID: c.Agent.ID, Issuer: c.Agent.Issuer}, AgentKind: c.Agent.Kind, Owner: c.Agent.Owner,
		Chain: c.Agent.Chain, Credential: c.Agent.Credential.Fingerprint, CredentialKind: c.Agent.Credential.Kind,
		Protocol: c.Request.Protocol, Method: short(c.Request.Method), Host: short(c.Request.Host), Path: short(c.Request.Path),
		RequestID: short(c.Request.ID), Digest: d.Digest,
		Tool: short(c.Action.Tool), Operation: c.Action.Operation, System: c.Action.Target.System, Resource: c.Action.Target.Resource,
		Environment: c.Action.Target.Environment, Sensitivity: c.Action.Target.Sensitivity, Known: c.Action.Target.Known,
		Engine: d.Engine, PolicyMicros: c.PolicyTime.Microseconds(), Count: 1,
	}
	if c.Request.RPC != nil {
		r.RPC = short(c.Request.RPC.Method)
	}
	if w := c.Agent.Workload; w != nil {
		r.Workload, r.WorkloadCredential = w.Principal(), w.Credential.Fingerprint
	}
	if e := c.Caller; e != nil {
		r.Door, r.Listener, r.Proxy, r.Trace = e.Door, e.Listener, e.Proxy, traceOf(e.Headers)
		if !e.Received.IsZero() {
			r.TotalMicros = max(0, time.Since(e.Received).Microseconds())
		}
	}
	if c.Refusal != nil {
		r.Detail = short(c.Refusal.Detail)
	}
	return r
}

// traceOf is the id of the trace that a request belongs to, its 16 bytes (W3C
// Trace Context); "" where there is none. Like the request's id it correlates,
// and proves nothing.
func traceOf(h pdp.Headers) string {
	var id [16]byte
	header, lines := h.Get("traceparent") // 00-<trace id>-<span id>-<flags>
	if lines != 1 || len(header) < 55 || header[2] != '-' || header[35] != '-' {
		return ""
	}
	if _, err := hex.Decode(id[:], []byte(header[3:35])); err != nil || id == [16]byte{} {
		return ""
	}
	return string(id[:])
}

// maxRecorded bounds what a record keeps of a text that the caller chose, in
// bytes. Without a bound a caller could make records that the journal has no
// room for, and be denied without one (invariant 8).
const maxRecorded = 1024

// short returns a text within [maxRecorded]: the beginning of a longer one, told
// apart from others by its hash.
func short(s string) string {
	if len(s) <= maxRecorded {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	hash := "~" + hex.EncodeToString(sum[:12])
	return s[:maxRecorded-len(hash)] + hash
}
