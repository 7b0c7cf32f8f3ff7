package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
)

// notEvery keeps the records whose number is no multiple of n.
func notEvery(n int) func(*logs.LogRecord) bool {
	count := 0
	return func(*logs.LogRecord) bool {
		count++
		return count%n != 0
	}
}

func TestLogRecordsAreSent(t *testing.T) {
	noFile := func() (http.Header, error) { return nil, errors.New("no such file") }
	for name, c := range map[string]struct {
		collector func(*collector)
		sink      func(*OTLPSettings)
		refused   int    // status
		failed    string // part of the error
	}{
		"taken":              {},
		"another token":      {sink: func(s *OTLPSettings) { s.Header = bearing("old") }, refused: 401},
		"no token":           {sink: func(s *OTLPSettings) { s.Header = nil }, refused: 401},
		"no token to be had": {sink: func(s *OTLPSettings) { s.Header = noFile }, failed: "no such file"},
		"another path":       {sink: func(s *OTLPSettings) { s.URL += "/x" }, refused: 404},
		"nobody it knows":    {sink: func(s *OTLPSettings) { s.TLS = nil }, failed: "certificate"},
		"too slow": {collector: func(c *collector) { c.slow = 300 * time.Millisecond },
			sink: func(s *OTLPSettings) { s.Timeout = 50 * time.Millisecond }, failed: "Timeout"},
		"in parts":      {collector: func(c *collector) { c.limit = 400 }},
		"one too large": {collector: func(c *collector) { c.limit = 5 }, refused: 413},
		"all rejected":  {collector: func(c *collector) { c.keeps = notEvery(1) }, refused: 200, failed: "all 50 rejected: too old"},
		"a warning":     {collector: func(c *collector) { c.warns = "soon full" }},
	} {
		t.Run(name, func(t *testing.T) {
			r := collect(t)
			if c.collector != nil {
				c.collector(r)
			}
			var change []func(*OTLPSettings)
			if c.sink != nil {
				change = append(change, c.sink)
			}
			want := positions(0, 50)
			err := r.sink(t, change...).Accept(t.Context(), eventsAt(want))
			if c.refused == 0 && c.failed == "" {
				inParts := r.taken > 1
				if err != nil || !slices.Equal(r.has(), want) || r.resource["service.instance.id"] != "a" || inParts != (r.limit < 1<<20) {
					t.Errorf("%v: %v %v", err, r.has(), r.resource)
				}
				return
			}
			var refused *Refused
			if errors.As(err, &refused) != (c.refused != 0) || refused != nil && refused.Status != c.refused || !strings.Contains(fmt.Sprint(err), c.failed) || strings.Contains(err.Error(), "secret-token") {
				t.Errorf("%v", err)
			}
		})
	}
}

// What a receiver answers decides: only OTLP's own success is one, what OTLP says is
// worth another try is no refusal, and everything else is.
func TestWhatAReceiverAnswers(t *testing.T) {
	const taken, refused, failed = "taken", "refused", "failed"
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		is     string
		says   string        // part of the error
		after  time.Duration // that it asks for
	}{
		"a message":      {message(200, &status.Status{}), taken, "", 0},
		"in JSON":        {says(200, "application/json; charset=utf-8", `{"partialSuccess":{},"new":1}`), taken, "", 0},
		"in silence":     {says(204, "", ""), taken, "", 0},
		"a page":         {says(200, "text/html", "<p>Welcome</p>"), refused, "not OTLP's", 0},
		"half a message": {says(200, "application/x-protobuf", "\x0a\x05x"), refused, "answered 200", 0},
		"206":            {says(206, "", ""), refused, "answered 206", 0},
		"307":            {says(307, "", "", "Location", "/elsewhere"), refused, "answered 307", 0},
		"400, and why":   {message(400, &status.Status{Message: "no such tenant"}), refused, `says "no such tenant"`, 0},
		"400, at length": {message(400, &status.Status{Message: strings.Repeat("ü", 500)}), refused, strings.Repeat("ü", 100) + `…"`, 0},
		"403":            {says(403, "text/plain", "go away"), refused, "answered 403", 0},
		"408":            {says(408, "", ""), failed, "answered 408", 0},
		"429":            {says(429, "", "", "Retry-After", "7"), failed, "answered 429", 7 * time.Second},
		"500":            {says(500, "", ""), refused, "answered 500", 0},
		"501":            {says(501, "", ""), refused, "answered 501", 0},
		"502":            {says(502, "text/html", "<p>"), failed, "answered 502", 0},
		"503":            {message(503, &status.Status{Message: "full"}), failed, `says "full"`, 0},
		"504":            {says(504, "", "", "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"), failed, "answered 504", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := collect(t)
			r.answers = append(r.answers, c.answer)
			err := r.sink(t).Accept(t.Context(), eventsAt(positions(0, 5)))
			var refusal *Refused
			var later *Later
			is := failed
			switch {
			case err == nil:
				is = taken
			case errors.As(err, &refusal):
				is = refused
			}
			if is != c.is || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it is %s, want %s: %v", is, c.is, err)
			}
			if errors.As(err, &later) != (c.after != 0) || later != nil && later.After != c.after {
				t.Errorf("%v: later %v, want %s", err, later, c.after)
			}
		})
	}
}

// What a receiver says that it did not keep it does not get again; that it is
// missing stands where it would, and is counted. One that keeps nothing at all is
// one that refuses.
func TestWhatAReceiverRejects(t *testing.T) {
	for limit, gap := range map[int64]string{1 << 20: "gap 0 510", 400: "gap 0 510"} {
		r, journal := collect(t), &paper{}
		r.limit, r.keeps = limit, notEvery(5)
		journal.write(50)
		e := following(t, r.sink(t))
		begun(t, e, journal)
		eventually(t, "all of it is there", func() bool { return e.Exported() == journal.End() && len(r.has()) == 41 })
		ended(t, e, time.Second)
		if got := r.has(); got[40] != gap {
			t.Errorf("the last event is %q, want %q", got[40], gap)
		}
		if s := e.Status()[0]; s.Gaps != 1 || s.Events != 41 || s.Refused+s.Failed != 0 || s.Lag != 0 {
			t.Errorf("%+v", s)
		}
	}
	r, journal := collect(t), &paper{}
	r.keeps = notEvery(1)
	journal.write(5)
	e := following(t, r.sink(t))
	begun(t, e, journal)
	eventually(t, "it is blocked", func() bool { return e.Status()[0].Blocked })
	if s := e.Status()[0]; s.Gaps != 0 || e.Exported() == journal.End() {
		t.Errorf("%+v", s)
	}
	r.keeping(nil)
	eventually(t, "it goes on", func() bool { return e.Exported() == journal.End() })
	ended(t, e, time.Second)
	if got := r.has(); !slices.Equal(got, positions(0, 5)) {
		t.Errorf("%v", got)
	}
}

// Over a receiver that comes and goes, and an export that ends in between, nothing
// is lost, and nothing counts as exported that was not acknowledged.
func TestACollectorThatComesAndGoes(t *testing.T) {
	dir, r, journal := t.TempDir(), collect(t), &paper{}
	down := says(503, "", "")
	for range 1000 {
		r.answers = append(r.answers, down)
	}
	journal.write(3000)
	e := followingIn(t, dir, r.sink(t))
	begun(t, e, journal)
	eventually(t, "failures are counted", func() bool { return e.Status()[0].Failed > 3 })
	if s := e.Status()[0]; e.Exported() == journal.End() || s.Blocked || s.Refused != 0 || s.LagBytes == 0 || s.Lag == 0 {
		t.Errorf("%d is exported: %+v", e.Exported(), s)
	}
	ended(t, e, time.Millisecond)
	r.up()
	e = followingIn(t, dir, r.sink(t))
	begun(t, e, journal)
	eventually(t, "all of it is there", func() bool { return e.Exported() == journal.End() })
	ended(t, e, time.Second)
	if got := r.has(); !slices.Equal(got, positions(0, 3000)) {
		t.Errorf("%d events", len(got))
	}
	again := followingIn(t, dir, r.sink(t))
	begun(t, again, journal)
	ended(t, again, time.Second)
	if got := len(r.has()); got != 3000 {
		t.Errorf("%d events: what it has it got again", got)
	}
}

// A receiver that takes everything and warns is heard once each time it says
// something new.
func TestAWarningIsLogged(t *testing.T) {
	r := collect(t)
	r.warns = "soon full"
	var told atomic.Int64
	o := r.sink(t, func(s *OTLPSettings) { s.Log = slog.New(counting{slog.DiscardHandler, &told}) })
	for range 3 {
		if err := o.Accept(t.Context(), eventsAt(positions(0, 2))); err != nil {
			t.Fatal(err)
		}
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
}

// counting counts what is logged.
type counting struct {
	slog.Handler
	told *atomic.Int64
}

// Enabled implements [slog.Handler].
func (counting) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (c counting) Handle(context.Context, slog.Record) error {
	c.told.Add(1)
	return nil
}

func following(t *testing.T, sink Sink) *Exporter {
	t.Helper()
	return followingIn(t, t.TempDir(), sink)
}

// followingIn is an exporter whose events can be log records.
func followingIn(t *testing.T, dir string, sink Sink) *Exporter {
	t.Helper()
	e, err := New(Settings{
		Dir: dir, Sinks: map[string]Sink{"otlp": sink}, Form: written, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Interval: time.Millisecond, Pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
