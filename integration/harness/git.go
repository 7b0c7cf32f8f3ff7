package harness

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// Git is a git repository that git's own http-backend serves over https on
// loopback.
type Git struct {
	Dir    string // of the bare repository
	URL    string
	CAFile string
	// Credentials, "USER:PASSWORD", are asked for; "" serves everybody.
	Credentials string
	Fetches     atomic.Int64 // how many times objects were asked for

	work   string
	server *httptest.Server
}

// StartGit makes an empty repository in dir and serves it.
func StartGit(dir, credentials string) (*Git, error) {
	g := &Git{Dir: filepath.Join(dir, "policy.git"), work: filepath.Join(dir, "work"), CAFile: filepath.Join(dir, "ca.pem"), Credentials: credentials}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", g.Dir},
		{"init", "--quiet", "--initial-branch=main", g.work},
	} {
		if _, err := git(dir, args...); err != nil {
			return nil, err
		}
	}
	backend, err := git(dir, "--exec-path")
	if err != nil {
		return nil, err
	}
	serve := &cgi.Handler{
		Path: filepath.Join(backend, "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "PATH=" + os.Getenv("PATH")},
	}
	g.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); g.Credentials != "" && user+":"+password != g.Credentials {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost {
			g.Fetches.Add(1)
		}
		serve.ServeHTTP(w, r)
	}))
	g.URL = g.server.URL + "/policy.git"
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.server.Certificate().Raw})
	return g, os.WriteFile(g.CAFile, certificate, 0o600)
}

// Stop takes the server away.
func (g *Git) Stop() { g.server.Close() }

// Work is the folder whose content [Git.Push] pushes.
func (g *Git) Work() string { return g.work }

// Push commits the work folder and pushes it to main, and returns the commit's
// id.
func (g *Git) Push(message string) (commit string, err error) {
	for _, args := range [][]string{
		{"add", "--all"},
		{"-c", "user.name=somebody", "-c", "user.email=somebody@example.test", "commit", "--quiet", "--allow-empty", "-m", message},
		{"push", "--quiet", g.Dir, "HEAD:refs/heads/main"},
	} {
		if _, err := git(g.work, args...); err != nil {
			return "", err
		}
	}
	return git(g.work, "rev-parse", "HEAD")
}

// Run runs git in the bare repository.
func (g *Git) Run(args ...string) (string, error) { return git(g.Dir, args...) }

// git runs the stock git without anybody's configuration.
func git(dir string, args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_COMMITTER_NAME=somebody", "GIT_COMMITTER_EMAIL=somebody@example.test")
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
