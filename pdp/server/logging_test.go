package server

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// A panic is logged with the runtime's own words, and nothing of a request.
func TestPanicsAreLoggedWithoutTheirValues(t *testing.T) {
	var told bytes.Buffer
	crashed := crashes(telemetry.New(), slog.New(slog.NewTextHandler(&told, nil)))
	for _, cause := range []any{"secret", errors.New("secret"), fmt.Sprintf("bad header %q", "secret"), struct{ token string }{"secret"}} {
		crashed(cause, []byte("goroutine 1"))
	}
	func() {
		defer func() { crashed(recover(), []byte("goroutine 1")) }()
		var none []int
		_ = none[len("secret")]
	}()
	if text := told.String(); strings.Contains(text, "secret") || !strings.Contains(text, "index out of range") || strings.Count(text, "goroutine 1") != 5 {
		t.Errorf("the log says:\n%s", text)
	}
}

func TestLostOutcomesDoNotFillTheLog(t *testing.T) {
	var told bytes.Buffer
	now := time.Unix(1, 0)
	lost := lostOutcomes(slog.New(slog.NewTextHandler(&told, nil)), func() time.Time { return now })
	for range 1000 {
		lost(pdp.Outcome{DecisionID: "one", Source: "access_log"}, pdp.ErrNotInFlight)
	}
	now = now.Add(lostEvery)
	lost(pdp.Outcome{DecisionID: "chosen", Source: "access_log"}, fmt.Errorf("x: %w", pdp.ErrForged))
	text := told.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "decision_id=one") || !strings.Contains(text, "and_before=999") || strings.Contains(text, "chosen") {
		t.Errorf("the log says:\n%s", text)
	}
}

// Whoever is refused all the time does not fill the log, and is not forgotten.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	var told bytes.Buffer
	now := time.Unix(1, 0)
	logger := (&sparing{now: func() time.Time { return now }}).logger(slog.New(slog.NewTextHandler(&told, nil)), "it broke")
	for range 1000 {
		logger.Print("a flood")
	}
	now = now.Add(lostEvery)
	logger.Print("after it")
	text := told.String()
	if strings.Count(text, "a flood") != toldAtOnce || !strings.Contains(text, fmt.Sprintf(`error="after it" and_before=%d`, 1000-toldAtOnce)) {
		t.Errorf("the log says:\n%s", text)
	}
}
