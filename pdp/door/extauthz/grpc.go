package extauthz

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remit-pdp/remit/pdp"
)

// grpcAnswer answers a gRPC client with a status and nothing else, which is what
// gRPC calls Trailers-Only: HTTP 200, headers, no body. Envoy leaves the headers
// of a denial as they are where they say a grpc-status; other proxies pass the
// answer on as it is.
func grpcAnswer(d *pdp.Decision) answer {
	code, message := grpcCodes[d.Class], sentence(d)
	if _, known := grpcCodes[d.Class]; !known {
		code = codes.Unavailable
	}
	if d.Response.Status != 0 {
		code = codeOf(d.Response.Status)
	}
	if d.Response.Body != "" {
		message = d.Response.Body
	}
	standard := pdp.Headers{
		{Name: "content-type", Value: "application/grpc"},
		{Name: "grpc-status", Value: strconv.Itoa(int(code))},
		{Name: "grpc-message", Value: percentEncode(cutText(message, maxGRPCMessage))},
		{Name: "grpc-status-details-bin", Value: statusDetails(d, code, message)},
		{Name: "cache-control", Value: "no-store"},
	}
	headers := standard
	for _, h := range d.Response.Headers {
		if _, lines := standard.Get(h.Name); lines == 0 {
			headers = append(headers, h)
		}
	}
	return answer{status: http.StatusOK, headers: headers}
}

// maxGRPCMessage bounds a message in bytes: clients take no more than 8 KiB of
// headers from some servers, and every byte may become three.
const maxGRPCMessage = 1024

// grpcCodes are the statuses of the classes (google.rpc.Code).
var grpcCodes = map[pdp.Class]codes.Code{
	pdp.OutOfScope:      codes.PermissionDenied,
	pdp.NeedsApproval:   codes.PermissionDenied,
	pdp.Revoked:         codes.PermissionDenied,
	pdp.BudgetSpent:     codes.ResourceExhausted,
	pdp.Pending:         codes.Unavailable,
	pdp.Unauthenticated: codes.Unauthenticated,
	pdp.Unreadable:      codes.InvalidArgument,
	pdp.Unavailable:     codes.Unavailable,
}

// codeOf is the gRPC status of an HTTP status that a policy chose, as gRPC
// clients have it (grpc/doc/http-grpc-status-mapping.md); never OK.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}

// statusDetails is the machine-readable part: google.rpc.Status with an ErrorInfo
// for every reason, and a RetryInfo where waiting helps.
func statusDetails(d *pdp.Decision, code codes.Code, message string) string {
	status := &rpcstatus.Status{Code: int32(code), Message: strings.ToValidUTF8(cutText(message, maxGRPCMessage), "\ufffd")}
	add := func(detail proto.Message) {
		if packed, err := anypb.New(detail); err == nil {
			status.Details = append(status.Details, packed)
		}
	}
	for _, info := range errorInfos(d) {
		add(info)
	}
	if d.Retry > 0 {
		add(&errdetails.RetryInfo{RetryDelay: durationpb.New(d.Retry)})
	}
	encoded, err := proto.Marshal(status)
	if err != nil {
		return "" // the status and the message say it as well
	}
	return base64.RawStdEncoding.EncodeToString(encoded)
}

// maxReasons is how many reasons a machine is told: they are headers here.
const maxReasons = 8

// errorInfos say why in Google's error model, which gRPC and A2A use.
func errorInfos(d *pdp.Decision) []*errdetails.ErrorInfo {
	infos := make([]*errdetails.ErrorInfo, 0, len(d.Reasons))
	for i, reason := range d.Reasons {
		if i == maxReasons {
			break
		}
		metadata := map[string]string{"class": string(d.Class)}
		if d.ID != "" {
			metadata["decision_id"] = d.ID
		}
		infos = append(infos, &errdetails.ErrorInfo{Reason: strings.ToUpper(reason.Code), Domain: "remit", Metadata: metadata})
	}
	return infos
}

// percentEncode writes a grpc-message (gRPC over HTTP/2, "Percent-Encoded").
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '%' {
			fmt.Fprintf(&b, "%%%02X", s[i])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// cutText returns at most n bytes of s, whole characters.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
