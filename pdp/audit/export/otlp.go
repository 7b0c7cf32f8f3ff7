package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/valyala/fastjson"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resources "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// scope names what makes the log records.
const scope = "github.com/remit-pdp/remit"

// OTLPSettings say which receiver of OpenTelemetry's protocol gets the decision log.
type OTLPSettings struct {
	URL string // of the receiver, to which /v1/logs is added
	// Header returns what each request says besides its body: a token, a tenant;
	// nil for nothing.
	Header func() (http.Header, error)
	TLS    *tls.Config
	// Timeout is how long one request may take.
	Timeout time.Duration
	// Resource are the attributes of what makes the log: "service.name" and others.
	Resource map[string]string
	Log      *slog.Logger // is told what a receiver warns of
}

// OTLP is a [Sink]: log records over OTLP/HTTP, in Protobuf, compressed
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). README.md says what becomes
// of an event. A batch is taken once its receiver says so, in OTLP's own words.
type OTLP struct {
	to       *receiver
	resource *resources.Resource
	log      *slog.Logger
	warned   string // of last
}

// NewOTLP returns a sink that sends log records. Nothing is asked before the first
// batch.
func NewOTLP(s OTLPSettings) (*OTLP, error) {
	at, err := url.JoinPath(s.URL, "v1", "logs")
	if err != nil {
		return nil, err
	}
	resource := &resources.Resource{}
	for _, name := range slices.Sorted(maps.Keys(s.Resource)) {
		resource.Attributes = append(resource.Attributes, attribute(name, text(s.Resource[name])))
	}
	return &OTLP{to: newReceiver(at, "application/x-protobuf", s.Header, s.TLS, s.Timeout), resource: resource, log: s.Log}, nil
}

// Accept implements [Sink].
func (o *OTLP) Accept(ctx context.Context, events [][]byte) error {
	var lost Rejected
	err := inParts(events, func(events [][]byte) error {
		rejected, err := o.send(ctx, events)
		if rejected != nil {
			lost.N, lost.Says = lost.N+rejected.N, rejected.Says
		}
		return err
	})
	switch {
	case err != nil || lost.N == 0:
		return err
	case lost.N >= len(events):
		// It keeps nothing at all: that is no loss to live with but a receiver to put
		// right, and nothing comes twice by trying again.
		return &Refused{Status: http.StatusOK, Where: o.to.url, Says: fmt.Sprintf("all %d rejected: %s", len(events), lost.Says)}
	}
	lost.Of, lost.Where = len(events), o.to.url
	return &lost
}

// Idle implements [Sink].
func (o *OTLP) Idle(context.Context) error { return nil }

// Close implements [Sink].
func (o *OTLP) Close() error { return o.to.close() }

// send sends events. Without an error the receiver has them, but for what it
// rejected.
func (o *OTLP) send(ctx context.Context, events [][]byte) (*Rejected, error) {
	body, err := o.request(events)
	if err != nil {
		return nil, err
	}
	a, err := o.to.post(ctx, body)
	if err != nil {
		return nil, err
	}
	response, err := o.answered(a)
	if err != nil {
		return nil, err
	}
	partial := response.GetPartialSuccess()
	says := short(partial.GetErrorMessage())
	if partial.GetRejectedLogRecords() > 0 {
		return &Rejected{N: int(partial.GetRejectedLogRecords()), Says: says}, nil
	}
	if says != "" && says != o.warned { // it took everything, and has something to say
		o.warned = says
		o.log.Warn("the receiver of the decision log warns", "sink", "otlp", "receiver", o.to.url, "says", says)
	}
	return nil, nil
}

// request is the compressed request that exports events.
func (o *OTLP) request(events [][]byte) (*bytes.Buffer, error) {
	var parser fastjson.Parser
	records := make([]*logs.LogRecord, len(events))
	for i, event := range events {
		record, err := recordOf(event, &parser)
		if err != nil {
			return nil, err
		}
		records[i] = record
	}
	message, err := proto.Marshal(&collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource:  o.resource,
		ScopeLogs: []*logs.ScopeLogs{{Scope: instrumentation(), LogRecords: records}},
	}}})
	if err != nil {
		return nil, err
	}
	body := &bytes.Buffer{}
	w := gzip.NewWriter(body)
	_, err = w.Write(message)
	return body, errors.Join(err, w.Close())
}
