package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// slowly is how remit syncs while a file is beside its journal.
const slowly = `if _, err := os.Stat(filepath.Join(filepath.Dir(f.Name()), "slow")); err == nil {
		time.Sleep(3 * time.Second)
	}
	return unix.Fdatasync(int(f.Fd()))`

// A disk that takes three seconds to sync, where everything is synced: nothing is
// allowed that the disk does not have, everybody is answered in time, and what was
// written when its answer was too late stays charged. When the disk is as it was
// remit goes on by itself.
func TestADiskThatSyncsSlowly(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := harness.BuildRemit(t.Context(), root, "remit-slow", false,
		overlayOf(t, root, "pdp/state/localstore/journal.go", "return unix.Fdatasync(int(f.Fd()))", slowly))
	if err != nil {
		t.Fatal(err)
	}
	s := startStackWith(t, binary, "limits", limitsConfig(t,
		"state: { dir: data }", "state: { dir: data, durability: sync }", "deadline: 50s", "deadline: 1s"))
	const person, path = "user:slow", "/v1/spend/10"
	client := s.Client(tokenFor(t, s, person))
	told := allowedOf(askAll(t.Context(), client, 2, http.MethodGet, path))
	if told != 2 {
		t.Fatalf("%d of 2 are allowed by a good disk", told)
	}
	slow := filepath.Join(s.Data, "slow")
	if err := os.WriteFile(slow, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reached, began := s.API.Requests(), time.Now()
	for _, a := range askAll(t.Context(), client, 4, http.MethodGet, path) {
		if a.status != http.StatusServiceUnavailable {
			t.Errorf("a slow disk answers %+v", a)
		}
	}
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("the answers took %s", took)
	}
	if s.API.Requests() != reached {
		t.Error("something got through that is not on the disk")
	}
	if err := os.Remove(slow); err != nil {
		t.Fatal(err)
	}
	until(t, "remit goes on", func() bool { return ask(t.Context(), client, http.MethodGet, "/v1/clean").decided() })
	told += allowedOf(askAll(t.Context(), client, 32, http.MethodGet, path))
	late := allows(about(t, decisionLog(t, s, person), path)) - told
	if late < 1 || late > 4 || told+late != 10 {
		t.Errorf("%d were allowed in time and %d too late, of a budget of 10", told, late)
	}
	if log, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}
