package outcome

import (
	"cmp"
	"strings"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/wire"
)

// An entry is what outcomes and passages are made of: the part of an
// HTTPAccessLogEntry that says something to remit. Its strings are slices of the
// message that it came in.
type entry struct {
	// id and tag are the decision's id: see decision.
	id, tag      string
	kind         datav3.AccessLogType
	unauthorized bool // by its flag
	never        bool // reached an upstream, by its flags
	upstream     wire.Address
	attempts     uint32
	authority    string
	sent         uint64 // bytes of the request's body
	status       uint32
	received     uint64 // bytes of the answer's body
	contentType  string
	details      string // response_code_details
}

// Where the decision's id is: in the metadata that ext_authz wrote, which no
// client can forge, or in the tag made of it.
const (
	authzNamespace = "envoy.filters.http.ext_authz"
	idField        = "decision_id"
	idTag          = "remit_decision_id"
)

// contentTypeHeader is the one header of answers that is looked for.
const contentTypeHeader = "content-type"

// decision is the id of the decision that the request passed, "" for none.
func (e *entry) decision() string { return cmp.Or(e.id, e.tag) }

// outcome turns an entry into an outcome; false for one that is none: of a
// request that was not allowed, or of one that is not over.
func (e *entry) outcome(now time.Time) (pdp.Outcome, bool) {
	id := e.decision()
	if id == "" || !e.final() || e.denied() {
		return pdp.Outcome{}, false
	}
	state, known := e.state()
	return pdp.Outcome{
		DecisionID:    id,
		State:         state,
		Source:        "access_log",
		At:            now,
		Status:        int(e.status),
		Attempts:      int(e.attempts),
		RequestBytes:  int64(e.sent),
		ResponseBytes: int64(e.received),
		ContentType:   mediaType(e.contentType),
		Host:          host(e.authority),
		Details:       e.details,
	}, known
}

// final reports whether the request is over: a stream that is still open is in
// flight for as long.
func (e *entry) final() bool {
	return e.kind == datav3.AccessLogType_NotSet || e.kind == datav3.AccessLogType_DownstreamEnd
}

// denied reports whether the request never went on to the tool because of the
// decision, or because the decision did not come.
func (e *entry) denied() bool { return e.unauthorized || strings.HasPrefix(e.details, "ext_authz_") }

// state says how an action ended; false where nobody knows, which leaves it in
// flight until it counts as unknown. An error has failed only where the tool
// itself said so or the request cannot have reached it: an answer that got lost
// on its way back leaves open whether the action was carried out, and how the
// last of several attempts ended does not tell how those before it did.
func (e *entry) state() (pdp.OutcomeState, bool) {
	answered := e.details == "via_upstream"
	switch {
	case answered && e.status >= 200 && e.status < 400:
		return pdp.OutcomeDone, true
	case e.attempts > 1:
		return pdp.OutcomeUnknown, false
	case answered && e.status >= 400, e.never:
		return pdp.OutcomeFailed, true
	default:
		return pdp.OutcomeUnknown, false
	}
}

// mediaType is a content type without its parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(kind)
}

// host is an authority in the spelling that requests have: lower case, without
// port and trailing dot.
func host(authority string) string {
	if end := strings.LastIndexByte(authority, ':'); end >= 0 && !strings.HasSuffix(authority, "]") {
		authority = authority[:end]
	}
	return strings.TrimSuffix(strings.ToLower(authority), ".")
}
