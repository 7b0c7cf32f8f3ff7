package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// FetchPrometheus returns the folder with the binaries of Debian's Prometheus
// (prometheus and promtool), under root/build, fetching the package the first
// time. It needs apt-get and dpkg, and installs nothing.
func FetchPrometheus(ctx context.Context, root string) (string, error) {
	dir := filepath.Join(root, "build", "prometheus")
	bin := filepath.Join(dir, "usr", "bin")
	if _, err := os.Stat(filepath.Join(bin, "promtool")); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	download := func() ([]byte, error) {
		get := exec.CommandContext(ctx, "apt-get", "download", "prometheus")
		get.Dir = dir
		return get.CombinedOutput()
	}
	out, err := download()
	if err != nil { // the package lists may be missing or old
		if more, updating := exec.CommandContext(ctx, "apt-get", "update").CombinedOutput(); updating != nil {
			return "", fmt.Errorf("fetch Prometheus: apt-get update: %w\n%s\n%s", updating, out, more)
		}
		if out, err = download(); err != nil {
			return "", fmt.Errorf("fetch Prometheus: %w\n%s", err, out)
		}
	}
	packages, err := filepath.Glob(filepath.Join(dir, "prometheus_*.deb"))
	if err != nil || len(packages) != 1 {
		return "", fmt.Errorf("fetch Prometheus: want one package in %s, found %d (%v)", dir, len(packages), err)
	}
	if out, err := exec.CommandContext(ctx, "dpkg", "-x", packages[0], dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack Prometheus: %w\n%s", err, out)
	}
	return bin, nil
}

// Prometheus is a running Prometheus.
type Prometheus struct {
	Address string // HOST:PORT
	process *process
}

// StartPrometheus runs Prometheus with a configuration and waits until it
// answers. Its data and its log go to the configuration's folder.
func StartPrometheus(ctx context.Context, bin, config string) (*Prometheus, error) {
	address, err := FreePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(config)
	p := &Prometheus{Address: address}
	p.process, err = start(filepath.Join(dir, "prometheus.log"), filepath.Join(bin, "prometheus"),
		"--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "tsdb"), "--web.listen-address", address, "--log.level", "warn")
	if err != nil {
		return nil, err
	}
	err = poll(ctx, 30*time.Second, func() error {
		if err := p.process.alive(); err != nil {
			return err
		}
		_, err := p.Query(ctx, "vector(1)")
		return err
	})
	if err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// Stop ends Prometheus.
func (p *Prometheus) Stop() { p.process.stop(syscall.SIGTERM) }

// Series is one series of an answer: its labels, and its values.
type Series struct {
	Metric map[string]string
	Value  []any   // of a query: time and value
	Values [][]any // of a query over a range
}

// Query asks for the value of an expression now.
func (p *Prometheus) Query(ctx context.Context, expression string) ([]Series, error) {
	return p.ask(ctx, "/api/v1/query", url.Values{"query": {expression}})
}

// Range asks for the values of an expression from a time until now, one a second.
func (p *Prometheus) Range(ctx context.Context, expression string, from time.Time) ([]Series, error) {
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	return p.ask(ctx, "/api/v1/query_range", url.Values{
		"query": {expression}, "start": {seconds(from)}, "end": {seconds(time.Now())}, "step": {"1"},
	})
}

func (p *Prometheus) ask(ctx context.Context, path string, query url.Values) ([]Series, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []Series }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query.Get("query"), answer.Error)
	}
	return answer.Data.Result, nil
}
