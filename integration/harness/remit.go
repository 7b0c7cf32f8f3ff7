package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// BuildRemit builds the binary into root/build and returns its path. With race
// it has the race detector in it. An overlay (see `go help build`) is how the
// tests take a guard out; "" builds what ships.
func BuildRemit(ctx context.Context, root, name string, race bool, overlay string) (string, error) {
	binary := filepath.Join(root, "build", name)
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race", "-pgo=off")
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "./cmd/remit")...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build remit: %w\n%s", err, out)
	}
	return binary, nil
}

// Remit is a running remit.
type Remit struct {
	Config  string // its configuration file
	Binary  string
	Health  string // HOST:PORT
	process *process
}

// StartRemit runs `remit serve` and waits until it is ready.
func StartRemit(ctx context.Context, binary, config, health string) (*Remit, error) {
	r := &Remit{Config: config, Binary: binary, Health: health}
	return r, r.Start(ctx)
}

// Start runs remit again after it was stopped or killed.
func (r *Remit) Start(ctx context.Context) error {
	p, err := start(filepath.Join(filepath.Dir(r.Config), "remit.log"), r.Binary, "serve", "--config", r.Config)
	if err != nil {
		return err
	}
	r.process = p
	return poll(ctx, time.Minute, func() error {
		if err := p.alive(); err != nil {
			return err
		}
		return r.ready(ctx)
	})
}

func (r *Remit) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Health+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("remit is not ready: %s", resp.Status)
	}
	return nil
}

// Run runs one of remit's other commands with the same configuration and
// returns what it printed.
func (r *Remit) Run(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, r.Binary, append(args, "--config", r.Config)...).CombinedOutput()
	return string(out), err
}

// Log returns the end of what remit has printed.
func (r *Remit) Log() string { return tail(r.process.log) }

// PID is the number of remit's process.
func (r *Remit) PID() int { return r.process.cmd.Process.Pid }

// Kill ends remit at once, as a crash would (SIGKILL).
func (r *Remit) Kill() { r.process.stop(syscall.SIGKILL) }

// Pause holds remit as it is, alive and silent, until Resume (SIGSTOP, SIGCONT).
// It returns when none of its threads runs any more: a busy machine may let them
// answer for a while after the signal.
func (r *Remit) Pause() error {
	pid := r.process.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); !stopped(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("remit goes on after SIGSTOP")
		}
	}
	return nil
}

// stopped reports whether all threads of a process are held (proc_pid_stat(5)).
func stopped(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		text, readErr := os.ReadFile(task)
		_, state, _ := strings.Cut(string(text), ") ")
		if readErr != nil || !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return err == nil && len(tasks) > 0
}

// Resume lets remit go on after Pause.
func (r *Remit) Resume() error { return syscall.Kill(r.process.cmd.Process.Pid, syscall.SIGCONT) }

// Stop ends remit in order.
func (r *Remit) Stop() { r.process.stop(syscall.SIGTERM) }

// Root returns the folder of the module that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod in any folder above the working directory")
		}
		dir = parent
	}
}
