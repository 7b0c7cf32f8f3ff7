// Package outcome is the door that outcomes come in by: Envoy's access log
// service (envoy.service.accesslog.v3.AccessLogService over gRPC). Every final
// entry of a request that was allowed settles its action.
//
// The log is best-effort by design of Envoy: no acknowledgements, and its own
// counters do not show a loss. So an outcome may confirm and clear, and what
// never arrives stays in doubt: it is the session's `outcomes` and its
// unknown actions that show it.
package outcome

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"

	"github.com/remit-pdp/remit/pdp"
)

// Settler settles an action once. It is [pdp.Point].
type Settler interface {
	Settle(context.Context, pdp.Outcome) error
}

// AccessLog receives access logs. Safe for concurrent use.
type AccessLog struct {
	accesslogv3.UnimplementedAccessLogServiceServer
	settler Settler
	now     func() time.Time
	// lost is told of every outcome that could not be settled.
	lost func(pdp.Outcome, error)
	// seen is told of every passage, but for those to own; nil where nobody
	// counts them.
	seen func(Passage)
	own  string
}

// NewAccessLog returns the service; lost is told of every outcome that could
// not be settled, and why.
func NewAccessLog(s Settler, now func() time.Time, lost func(pdp.Outcome, error)) *AccessLog {
	return &AccessLog{settler: s, now: now, lost: lost}
}

// Service is the name of the service, which its health is asked for by.
const Service = "envoy.service.accesslog.v3.AccessLogService"

// Register makes server answer the service.
func (l *AccessLog) Register(server grpc.ServiceRegistrar) {
	accesslogv3.RegisterAccessLogServiceServer(server, l)
}

// patience bounds how long one outcome waits for its partition: a stream must
// not stop because of one that is stuck.
const patience = 5 * time.Second

// StreamAccessLogs implements the service. Each worker of Envoy holds one
// stream; nothing is ever answered but its end.
func (l *AccessLog) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&accesslogv3.StreamAccessLogsResponse{})
		}
		if err != nil {
			return err
		}
		for _, entry := range message.GetHttpLogs().GetLogEntry() {
			l.tell(entry)
			if o, ok := read(entry, l.now()); ok {
				l.settle(stream.Context(), o)
			}
		}
	}
}

func (l *AccessLog) settle(ctx context.Context, o pdp.Outcome) {
	// What Envoy has sent is settled even when the stream ends meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := l.settler.Settle(ctx, o); err != nil {
		l.lost(o, err)
	}
}

// Where the decision's id is: in the metadata that ext_authz wrote, which no
// client can forge, or in the tag made of it.
const (
	authzNamespace = "envoy.filters.http.ext_authz"
	idField        = "decision_id"
	idTag          = "remit_decision_id"
)

// read turns an entry into an outcome; false for one that is none: of a
// request that was not allowed, or of one that is not over.
func read(entry *datav3.HTTPAccessLogEntry, now time.Time) (pdp.Outcome, bool) {
	common, response := entry.GetCommonProperties(), entry.GetResponse()
	o := pdp.Outcome{
		DecisionID:    decisionID(common),
		Source:        "access_log",
		At:            now,
		Status:        int(response.GetResponseCode().GetValue()),
		Attempts:      int(common.GetUpstreamRequestAttemptCount()),
		RequestBytes:  int64(entry.GetRequest().GetRequestBodyBytes()),
		ResponseBytes: int64(response.GetResponseBodyBytes()),
		ContentType:   contentType(response),
		Host:          host(entry.GetRequest().GetAuthority()),
		Details:       response.GetResponseCodeDetails(),
	}
	if o.DecisionID == "" || !final(common) || denied(common, o.Details) {
		return pdp.Outcome{}, false
	}
	var known bool
	o.State, known = state(&o, common.GetResponseFlags())
	return o, known
}

func decisionID(common *datav3.AccessLogCommon) string {
	if id := common.GetMetadata().GetFilterMetadata()[authzNamespace].GetFields()[idField].GetStringValue(); id != "" {
		return id
	}
	return common.GetCustomTags()[idTag]
}

// final reports whether the request is over: a stream that is still open is in
// flight for as long.
func final(common *datav3.AccessLogCommon) bool {
	switch common.GetAccessLogType() {
	case datav3.AccessLogType_NotSet, datav3.AccessLogType_DownstreamEnd:
		return true
	default:
		return false
	}
}

// denied reports whether the request never went on to the tool because of the
// decision, or because the decision did not come.
func denied(common *datav3.AccessLogCommon, details string) bool {
	return common.GetResponseFlags().GetUnauthorizedDetails() != nil || strings.HasPrefix(details, "ext_authz_")
}

// state says how an action ended; false where nobody knows, which leaves it in
// flight until it counts as unknown. An error has failed only where the tool
// itself said so or the request cannot have reached it: an answer that got lost
// on its way back leaves open whether the action was carried out, and how the
// last of several attempts ended does not tell how those before it did.
func state(o *pdp.Outcome, flags *datav3.ResponseFlags) (pdp.OutcomeState, bool) {
	never := flags.GetUpstreamConnectionFailure() || flags.GetNoHealthyUpstream() || flags.GetNoRouteFound() || flags.GetUpstreamOverflow()
	answered := o.Details == "via_upstream"
	switch {
	case answered && o.Status >= 200 && o.Status < 400:
		return pdp.OutcomeDone, true
	case o.Attempts > 1:
		return pdp.OutcomeUnknown, false
	case answered && o.Status >= 400, never:
		return pdp.OutcomeFailed, true
	default:
		return pdp.OutcomeUnknown, false
	}
}

func contentType(response *datav3.HTTPResponseProperties) string {
	kind, _, _ := strings.Cut(response.GetResponseHeaders()["content-type"], ";")
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
