package measure

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestWhatAProcessTakes(t *testing.T) {
	resident, err := Resident(os.Getpid())
	if err != nil || resident < 1<<20 || resident > 1<<40 {
		t.Errorf("%d bytes, %v", resident, err)
	}
	busy, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
	}
	busyNow, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	ownNow, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	if busyNow <= busy || ownNow <= own {
		t.Errorf("busy for %s, of it by this process %s", busyNow-busy, ownNow-own)
	}
}

// The options change what they name and nothing else.
func TestOptionsAreConfigured(t *testing.T) {
	const shipped = "policy: { bundle: policy }\nstate: { dir: data }\nhealth: {}\n"
	o := &Options{Engine: "compiled", SessionLife: 2 * time.Minute, Retain: 1 << 29}
	got, err := o.change(shipped)
	want := "policy: { bundle: policy, engine: compiled }\nstate: { dir: data, session: { max_age: 2m0s } }\nhealth: {}\ndecision_log: { retain: { bytes: 536870912 } }\n"
	if err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := o.change(strings.Replace(shipped, "data", "x", 1)); err == nil {
		t.Error("a text that is gone is no error")
	}
}
