package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a child that ends with its parent and whose output is a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // set before done is closed
	once sync.Once
}

// start runs a program with its output in the file log. The kernel kills the
// child when this process dies, so nothing is left running.
func start(log, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// alive returns an error with the end of the log when the process has ended.
func (p *process) alive() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended: %v\n%s", p.cmd.Path, p.err, tail(p.log))
	default:
		return nil
	}
}

// stop sends signal and waits; after ten seconds it kills.
func (p *process) stop(signal syscall.Signal) {
	p.once.Do(func() {
		syscall.Kill(-p.cmd.Process.Pid, signal)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
	})
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}

// kept are what keeps the ports of [FreePort], for as long as this process lives.
var kept struct {
	sync.Mutex
	ports []net.Listener
}

// FreePort returns a loopback address that nobody listens on. No other call gives it
// away, in whichever process: a name in the kernel's own space is taken for it, which
// ends with this process. It is below the ports that the kernel chooses by itself
// (ip_local_port_range, from 32768 on unless somebody changed it): until a program
// listens on it, no connection and no server that takes any port gets it.
func FreePort() (string, error) {
	const first, behind = 20000, 32768
	for range 1000 {
		port := first + rand.IntN(behind-first)
		keeps, err := net.Listen("unix", fmt.Sprintf("@remit-test-port-%d", port))
		if err != nil {
			continue // it is somebody's
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			keeps.Close()
			continue
		}
		kept.Lock()
		kept.ports = append(kept.ports, keeps)
		kept.Unlock()
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("there is no free port")
}

func port(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return port
}

// poll asks until check has no error, ctx ends, or patience is over.
func poll(ctx context.Context, patience time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
