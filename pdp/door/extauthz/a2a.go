package extauthz

import (
	"net/http"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// versionNotSupported is A2A's own error for another version (A2A 1.0, section
// 5.4).
const versionNotSupported = -32009

// a2aMessage answers a denied A2A request of the JSON-RPC binding with an error
// by its id (A2A 1.0, section 9.5). All codes below -32000 are JSON-RPC's and
// A2A's; a denial has the number of its HTTP status, which is nobody's.
func a2aMessage(d *pdp.Decision) answer {
	id, err := value.ParseJSON([]byte(d.Reply.RPCID))
	if err != nil {
		return problem(d)
	}
	code, status := int64(d.Class.HTTPStatus()), http.StatusOK
	switch {
	case isRevision(d):
		code = versionNotSupported
	case d.Class == pdp.Unavailable: // an outage stays one to whoever looks at the status
		status = d.Class.HTTPStatus()
	}
	return a2aAnswer(d, status, "application/json", value.Obj(
		value.M("jsonrpc", value.Str("2.0")),
		value.M("id", id),
		value.M("error", value.Obj(
			value.M("code", value.Int(code)),
			value.M("message", value.Str(sentence(d))),
			value.M("data", a2aDetails(d))))))
}

// a2aStatus answers a denied request of the HTTP binding with google.rpc.Status
// in JSON (A2A 1.0, section 11.6).
func a2aStatus(d *pdp.Decision) answer {
	status := d.Class.HTTPStatus()
	return a2aAnswer(d, status, "application/a2a+json", value.Obj(value.M("error", value.Obj(
		value.M("code", value.Int(int64(status))),
		value.M("status", value.Str(statusNames[d.Class])),
		value.M("message", value.Str(sentence(d))),
		value.M("details", a2aDetails(d))))))
}

// statusNames are the names of grpcCodes in google.rpc.Code.
var statusNames = map[pdp.Class]string{
	pdp.OutOfScope:      "PERMISSION_DENIED",
	pdp.NeedsApproval:   "PERMISSION_DENIED",
	pdp.Revoked:         "PERMISSION_DENIED",
	pdp.BudgetSpent:     "RESOURCE_EXHAUSTED",
	pdp.Pending:         "UNAVAILABLE",
	pdp.Unauthenticated: "UNAUTHENTICATED",
	pdp.Unreadable:      "INVALID_ARGUMENT",
	pdp.Unavailable:     "UNAVAILABLE",
}

func a2aAnswer(d *pdp.Decision, status int, contentType string, body value.Value) answer {
	standard := problem(d).headers
	for i := range standard {
		if standard[i].Name == "content-type" {
			standard[i].Value = contentType
		}
	}
	return answer{status: status, headers: standard, body: string(value.AppendJSON(nil, body))}
}

// a2aDetails are the reasons in protobuf's JSON form of google.protobuf.Any.
func a2aDetails(d *pdp.Decision) value.Value {
	infos := errorInfos(d)
	if isRevision(d) {
		infos = []*errdetails.ErrorInfo{{Reason: "VERSION_NOT_SUPPORTED", Domain: "a2a-protocol.org"}}
	}
	items := make([]value.Value, len(infos))
	for i, info := range infos {
		members := []value.Member{
			value.M("@type", value.Str("type.googleapis.com/google.rpc.ErrorInfo")),
			value.M("reason", value.Str(info.Reason)),
			value.M("domain", value.Str(info.Domain)),
		}
		if len(info.Metadata) > 0 {
			members = append(members, value.M("metadata", value.StrMap(info.Metadata)))
		}
		items[i] = value.Obj(members...)
	}
	return value.List(items...)
}
