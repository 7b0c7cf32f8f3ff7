package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// A fault is one thing that goes wrong, and the alerts that it causes.
type fault struct {
	name   string
	fires  []string
	may    string // an alert that it causes too where the timing is so
	inject func(*testing.T, *watched)
	heal   func(*testing.T, *watched)
}

func (w *watched) writePack(t *testing.T, rego string) {
	t.Helper()
	dir := filepath.Join(w.Policy, "packs", "fault")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fault.rego"), []byte("package packs.fault\n\n"+rego), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) removePack(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(w.Policy, "packs", "fault")); err != nil {
		t.Fatal(err)
	}
}

// packs is a fault of the policy.
func packs(name, rego string, fires ...string) fault {
	return fault{name: name, fires: fires,
		inject: func(t *testing.T, w *watched) { w.writePack(t, rego) },
		heal:   func(t *testing.T, w *watched) { w.removePack(t) }}
}

// movePolicy takes the policy from where its source is, or puts it back.
func movePolicy(from, to string) func(*testing.T, *watched) {
	return func(t *testing.T, w *watched) {
		if err := os.Rename(w.Policy+from, w.Policy+to); err != nil {
			t.Fatal(err)
		}
	}
}

func faults() []fault {
	return []fault{
		packs("the policy fails", "value := 1 if input.request.method != \"\"\n\nvalue := 2 if input.request.method != \"\"\n\ndeny contains \"never\" if value == 3\n", "RemitPolicyFails"),
		packs("a bad bundle", "deny contains\n", "RemitPolicyRefused"),
		{"the source of the policy is away", []string{"RemitPolicySourceUnreachable"}, "", movePolicy("", ".away"), movePolicy(".away", "")},
		{"the journal's next file cannot be made", []string{"RemitStoreUnavailable"}, "", blockJournal, unblockJournal},
		{"the issuer is down, and its keys get too old", []string{"RemitIssuerFails", "RemitKeysUnusable"}, "",
			func(_ *testing.T, w *watched) { w.issuerDown.Store(true) },
			func(_ *testing.T, w *watched) { w.issuerDown.Store(false) }},
		{"an agent probes", []string{"RemitDenialSpike"}, "",
			func(_ *testing.T, w *watched) { w.traffic.probing.Store(true) },
			func(_ *testing.T, w *watched) { w.traffic.probing.Store(false) }},
		{"Envoy's access log is not connected", []string{"RemitOutcomesLost"}, "", deafEnvoy, backToEnvoy},
		{"a route without ext_authz", []string{"RemitBypassed"}, "",
			func(t *testing.T, w *watched) {
				if got := ask(t.Context(), w.client("user:1"), http.MethodGet, "/open/1"); !got.allowed() {
					t.Fatalf("the open route answers %d", got.status)
				}
			},
			func(*testing.T, *watched) {}},
		{"Envoy does not reach remit", []string{"RemitUnanswered"}, "", lostEnvoy, backToEnvoy},
		// Envoy tells a remit that is back what it had no answer to.
		{"remit is down", []string{"RemitDown"}, "RemitUnanswered",
			func(_ *testing.T, w *watched) { w.Remit.Kill() },
			func(t *testing.T, w *watched) {
				if err := w.Remit.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			}},
	}
}

// slowness is the fault that takes the processors too.
func slowness() fault {
	return fault{"the policy is slow", []string{"RemitSlow"}, "", slower, func(t *testing.T, w *watched) { w.removePack(t) }}
}

// slowPack counts to a number for every read of a ticket, and denies nothing.
const slowPack = `deny contains "never" if {
	startswith(input.request.path, "/v1/tickets/")
	count([n | some n in numbers.range(1, %d); n == -1]) > 0
}
`

// slower makes the policy take more than a quarter of a second, on whatever
// machine: twice as much until it is enough.
func slower(t *testing.T, w *watched) {
	client := w.client("user:1")
	for n := 4000; n < 4_000_000; n *= 2 {
		w.writePack(t, fmt.Sprintf(slowPack, n))
		time.Sleep(3 * time.Second) // until it is in force
		began := time.Now()
		for range 3 {
			ask(t.Context(), client, http.MethodGet, "/v1/tickets/1")
		}
		if time.Since(began)/3 > 500*time.Millisecond {
			return
		}
	}
	t.Fatal("no policy is slow enough")
}

// blockJournal puts a folder where the next file of the journal is to be made.
func blockJournal(t *testing.T, w *watched) {
	for end := time.Now().Add(10 * time.Second); os.Mkdir(filepath.Join(w.Data, "next.tmp"), 0o755) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there is always something in the way")
		}
	}
}

func unblockJournal(t *testing.T, w *watched) {
	if err := os.Remove(filepath.Join(w.Data, "next.tmp")); err != nil {
		t.Fatal(err)
	}
}

// anotherEnvoy puts the load on an Envoy with another configuration.
func anotherEnvoy(t *testing.T, w *watched, change func(*harness.EnvoySettings)) {
	binary, err := harness.FetchEnvoy(t.Context(), w.Root)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.Dir, strconv.FormatInt(time.Now().UnixNano(), 36))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := harness.EnvoySettings{
		Config: filepath.Join(w.Root, "integration", "envoy", "envoy.yaml"), Dir: dir,
		Authz: filepath.Join(w.Dir, "authz.sock"), Outcomes: filepath.Join(w.Dir, "outcomes.sock"), Agents: filepath.Join(w.Dir, "agents.sock"),
		Tools: w.Tools.Address, API: w.API.Address,
	}
	change(&s)
	e, err := harness.StartEnvoy(t.Context(), binary, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	w.traffic.to.Store(e)
}

func deafEnvoy(t *testing.T, w *watched) {
	anotherEnvoy(t, w, func(s *harness.EnvoySettings) {
		s.Outcomes, s.Replace = filepath.Join(w.Dir, "nobody.sock"), []string{"timeout: 0.5s", "timeout: 20s"}
	})
}

// lostEnvoy puts the load on an Envoy that reached remit over a way that is gone.
func lostEnvoy(t *testing.T, w *watched) {
	way := relay(t, filepath.Join(w.Dir, "way.sock"), filepath.Join(w.Dir, "authz.sock"))
	anotherEnvoy(t, w, func(s *harness.EnvoySettings) { s.Authz = filepath.Join(w.Dir, "way.sock") })
	way()
}

// relay hands connections to one Unix socket on to another, until it is told to
// end, and them with it.
func relay(t *testing.T, from, to string) (end func()) {
	t.Helper()
	lis, err := net.Listen("unix", from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() { lis.Close() })
	go func() {
		for {
			near, err := lis.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", to)
			if err != nil {
				near.Close()
				continue
			}
			context.AfterFunc(ctx, func() { near.Close(); far.Close() })
			go io.Copy(near, far)
			go io.Copy(far, near)
		}
	}()
	return cancel
}

func backToEnvoy(_ *testing.T, w *watched) { w.traffic.to.Store(w.Envoy) }
