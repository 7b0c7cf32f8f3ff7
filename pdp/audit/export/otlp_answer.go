package export

import (
	"fmt"
	"mime"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// answered reads an answer as OTLP/HTTP has it: what it says is worth another try
// is; everything else is [Refused], so is a success that is not OTLP's: whoever
// gave it is no receiver of log records.
func (o *OTLP) answered(a *answer) (*collogs.ExportLogsServiceResponse, error) {
	var response collogs.ExportLogsServiceResponse
	switch a.status {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		if err := a.read(&response); err != nil {
			return nil, &Refused{Status: a.status, Where: o.to.url, Says: err.Error()}
		}
		return &response, nil
	}
	var why status.Status
	says := ""
	if a.read(&why) == nil {
		says = short(why.GetMessage())
	}
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, a.later(fmt.Errorf("%s answered %d (it says %q)", o.to.url, a.status, says))
	}
	return nil, &Refused{Status: a.status, Where: o.to.url, Says: says}
}

// read reads the message that an answer is; no body is an empty one.
func (a *answer) read(into proto.Message) error {
	if len(a.body) == 0 {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")) // what is none is none of ours
	switch kind {
	case "application/x-protobuf":
		return proto.Unmarshal(a.body, into)
	case "application/json":
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(a.body, into)
	default:
		return fmt.Errorf("the answer is %q, not OTLP's", short(kind))
	}
}

// maxSays bounds what is told of what a receiver says.
const maxSays = 200

// short is the beginning of a text.
func short(text string) string {
	if len(text) <= maxSays {
		return text
	}
	cut := maxSays
	for cut > 0 && text[cut]&0xC0 == 0x80 { // inside a character
		cut--
	}
	return text[:cut] + "…"
}
