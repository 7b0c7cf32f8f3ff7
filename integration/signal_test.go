package integration

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The first signal ends remit in order, the second at once; what it had written
// is whole.
func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir, address, health := shortDir(t), freePort(t), freePort(t)
	if out, err := exec.Command(binary, "init", filepath.Join(dir, "policy")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// No file: a container is configured by its environment.
	remit := exec.Command(binary, "serve", "--shutdown.pause", "1m", "--policy.timeout=5s")
	remit.Dir = dir
	remit.Env = append(os.Environ(), "REMIT_LISTENERS_0_NAME=agents", "REMIT_LISTENERS_AGENTS_ADDRESS="+address,
		"REMIT_LISTENERS_AGENTS_IDENTITY_NONE=true", "REMIT_POLICY_BUNDLE=policy", "REMIT_HEALTH_ADDRESS="+health)
	remit.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	remit.Stdout, remit.Stderr = &log, &log
	if err := remit.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- remit.Wait() }()
	defer remit.Process.Kill()

	ready := func(want int) error {
		resp, err := http.Get("http://" + health + "/ready")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			return fmt.Errorf("/ready is %d", resp.StatusCode)
		}
		return nil
	}
	await(t, func() error { return ready(http.StatusOK) })
	conn, err := net.Dial("tcp", address) // somebody to wait for
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // the server's first words: it knows of the connection
		t.Fatal(err)
	}
	remit.Process.Signal(syscall.SIGTERM)
	await(t, func() error { return ready(http.StatusServiceUnavailable) })
	select {
	case err := <-ended:
		t.Fatalf("it ended at the first signal: %v\n%s", err, log.String())
	case <-time.After(300 * time.Millisecond):
	}
	began := time.Now()
	remit.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the second signal does not end it")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it ended %s after the second signal", took)
	}
	verify := exec.Command(binary, "log", "verify")
	verify.Dir, verify.Env = dir, remit.Env
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// await asks until check has no error.
func await(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}
