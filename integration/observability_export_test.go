package integration

import (
	"compress/gzip"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// logReceiver takes the decision log over OTLP, as well as it is told to.
type logReceiver struct{ mood atomic.Value }

// How a receiver can be; without a word it takes what it gets.
const (
	moodDown    = "down"    // answers that it cannot now
	moodRefuses = "refuses" // answers that it never will
	moodSlow    = "slow"    // answers after more than the time that an alert waits for
	moodForgets = "forgets" // takes a batch but for one record, once
)

// ServeHTTP implements [http.Handler].
func (r *logReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch r.mood.Load() {
	case moodDown:
		w.WriteHeader(http.StatusServiceUnavailable)
	case moodRefuses:
		w.WriteHeader(http.StatusBadRequest)
	case moodSlow:
		for end := time.Now().Add(12 * time.Second); time.Now().Before(end) && r.mood.Load() == moodSlow; {
			time.Sleep(50 * time.Millisecond)
		}
	case moodForgets:
		if recordsOf(request) > 1 && r.mood.CompareAndSwap(moodForgets, "") {
			forgot, err := proto.Marshal(&collogs.ExportLogsServiceResponse{PartialSuccess: &collogs.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "too old"}})
			if err != nil {
				panic(err)
			}
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(forgot)
		}
	}
}

// recordsOf is how many log records are in a request.
func recordsOf(request *http.Request) int {
	var logs collogs.ExportLogsServiceRequest
	body, err := gzip.NewReader(request.Body)
	if err != nil {
		return 0
	}
	text, err := io.ReadAll(body)
	if err != nil || proto.Unmarshal(text, &logs) != nil {
		return 0
	}
	return len(logs.ResourceLogs[0].ScopeLogs[0].LogRecords)
}

// exports are the faults of what gets the decision log.
func exports() (all []fault) {
	for _, f := range []struct{ name, mood, fires string }{
		{"the decision log is refused", moodRefuses, "RemitExportBlocked"},
		{"what gets the decision log is down", moodDown, "RemitExportFails"},
		{"what gets the decision log is slow", moodSlow, "RemitExportBehind"},
		{"what gets the decision log forgets some of it", moodForgets, "RemitExportGap"},
	} {
		all = append(all, fault{name: f.name, fires: []string{f.fires},
			inject: func(_ *testing.T, w *watched) { w.receiver.mood.Store(f.mood) },
			heal:   func(_ *testing.T, w *watched) { w.receiver.mood.Store("") }})
	}
	return all
}
