package export

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp/state"
)

// collector is an OTLP/HTTP receiver made of OpenTelemetry's own messages and its
// generated service. The answers it is told to give come first.
type collector struct {
	*httptest.Server
	collogs.UnimplementedLogsServiceServer
	limit int64 // of a compressed body

	mu       sync.Mutex
	answers  []func(http.ResponseWriter)
	keeps    func(*logs.LogRecord) bool // nil for all
	warns    string
	slow     time.Duration
	records  []*logs.LogRecord
	resource map[string]string
	taken    int // requests
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{limit: 1 << 20}
	c.Server = httptest.NewTLSServer(c)
	t.Cleanup(c.Close)
	return c
}

// Export implements [collogs.LogsServiceServer].
func (c *collector) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	partial := &collogs.ExportLogsPartialSuccess{ErrorMessage: c.warns}
	c.taken++
	for _, from := range r.ResourceLogs {
		c.resource = make(map[string]string)
		for _, a := range from.Resource.Attributes {
			c.resource[a.Key] = a.Value.GetStringValue()
		}
		for _, record := range from.ScopeLogs[0].LogRecords {
			if c.keeps != nil && !c.keeps(record) {
				partial.RejectedLogRecords++
				partial.ErrorMessage = "too old"
				continue
			}
			c.records = append(c.records, record)
		}
	}
	return &collogs.ExportLogsServiceResponse{PartialSuccess: partial}, nil
}

// ServeHTTP implements [http.Handler].
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	time.Sleep(c.slow)
	if len(c.answers) > 0 {
		answer := c.answers[0]
		c.answers = c.answers[1:]
		answer(w)
		return
	}
	request, code := c.read(r)
	if code != http.StatusOK {
		w.WriteHeader(code)
		return
	}
	response, err := c.Export(r.Context(), request)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	message(http.StatusOK, response)(w)
}

func (c *collector) read(r *http.Request) (*collogs.ExportLogsServiceRequest, int) {
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/otlp/v1/logs":
		return nil, http.StatusNotFound
	case r.Header.Get("Authorization") != "Bearer secret-token":
		return nil, http.StatusUnauthorized
	case r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Content-Encoding") != "gzip":
		return nil, http.StatusUnsupportedMediaType
	case r.ContentLength > c.limit:
		return nil, http.StatusRequestEntityTooLarge
	}
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	text, err := io.ReadAll(body)
	request := &collogs.ExportLogsServiceRequest{}
	if err != nil || proto.Unmarshal(text, request) != nil {
		return nil, http.StatusBadRequest
	}
	return request, http.StatusOK
}

// keeping says what it keeps from now on.
func (c *collector) keeping(keeps func(*logs.LogRecord) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keeps = keeps
}

// up has it take what it gets from now on.
func (c *collector) up() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = nil
}

// message is an answer with a message of OTLP's.
func message(code int, m proto.Message) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		text, err := proto.Marshal(m)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(code)
		w.Write(text)
	}
}

// says is an answer of any kind.
func says(code int, kind, text string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, text)
	}
}

// has are the positions of the records it keeps, in their order.
func (c *collector) has() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		all = append(all, positionOf(r))
	}
	return all
}

// positionOf is the position of a record; "gap 10 30" for a gap.
func positionOf(r *logs.LogRecord) string {
	if r.EventName == "remit.gap" {
		_, between, _ := strings.Cut(r.Body.GetStringValue(), `"between":"`)
		return "gap " + strings.TrimSuffix(between, `"}`)
	}
	for _, a := range r.Attributes {
		if a.Key == "remit.position" {
			return strconv.FormatInt(a.Value.GetIntValue(), 10)
		}
	}
	return ""
}

func (c *collector) sink(t *testing.T, change ...func(*OTLPSettings)) *OTLP {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate())
	s := OTLPSettings{
		URL: c.URL + "/otlp", TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, Timeout: 5 * time.Second,
		Header: bearing("secret-token"), Resource: map[string]string{"service.name": "remit", "service.instance.id": "a"}, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&s)
	}
	o, err := NewOTLP(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// written is a form whose events are as small as log records can be made of.
var written = Form{
	Event: func(at state.Position, _ *state.Entry) []byte {
		return fmt.Appendf(nil, `{"position":%d,"timestamp":"2026-01-31T09:45:00Z","type":"decision"}`, at)
	},
	Gap: func(from, to state.Position, _ string, _ time.Time) []byte {
		return fmt.Appendf(nil, `{"position":%d,"timestamp":"2026-01-31T09:45:00Z","type":"gap","between":"%d %d"}`, to, from, to)
	},
}

func eventsAt(positions []string) (events [][]byte) {
	for _, p := range positions {
		at, _ := strconv.Atoi(p)
		events = append(events, written.Event(state.Position(at), nil))
	}
	return events
}
