package harness

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// BuildCollector builds the OpenTelemetry Collector's receiver
// (integration/collector) into root/build and returns its path. The first time that
// takes a while.
func BuildCollector(ctx context.Context, root string) (string, error) {
	binary := filepath.Join(root, "build", "collector")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = filepath.Join(root, "integration", "collector")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the OpenTelemetry Collector: %w\n%s", err, out)
	}
	return binary, nil
}

// Collector is an OTLP receiver that appends what it gets to a file, OTLP's JSON, a
// line each request.
type Collector struct {
	Address string // HOST:PORT
	File    string
	binary  string
	process *process
}

// NewCollector returns a collector that is not running yet.
func NewCollector(binary, file string) (*Collector, error) {
	address, err := FreePort()
	return &Collector{Address: address, File: file, binary: binary}, err
}

// Start runs it and waits until something listens.
func (c *Collector) Start(ctx context.Context) (err error) {
	c.process, err = start(c.File+".log", c.binary, "--listen", c.Address, "--file", c.File)
	if err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, func() error {
		if err := c.process.alive(); err != nil {
			return err
		}
		conn, err := net.Dial("tcp", c.Address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Kill ends it as the kernel would.
func (c *Collector) Kill() { c.process.stop(syscall.SIGKILL) }
