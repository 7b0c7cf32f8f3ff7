package harness

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A2AClient is the official A2A SDK for Python, installed.
type A2AClient struct{ python, script string }

// Sent is what the SDK hands its caller after a message to another agent.
type Sent struct {
	Card  string `json:"card"` // the name on the other agent's card
	Text  string `json:"text"`
	Error string `json:"error"`
}

// FetchA2AClient installs the SDK under root/build the first time. It needs
// python3 with venv, and Python's registry.
func FetchA2AClient(ctx context.Context, root string) (*A2AClient, error) {
	sources := filepath.Join(root, "integration", "clients", "a2a")
	requirements := filepath.Join(sources, "requirements.txt")
	pinned, err := os.ReadFile(requirements)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(pinned)
	dir := filepath.Join(root, "build", "a2a-client-"+hex.EncodeToString(sum[:6]))
	c := &A2AClient{python: filepath.Join(dir, "bin", "python3"), script: filepath.Join(sources, "client.py")}
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return c, nil
	}
	if err := command(ctx, "", "python3", "-m", "venv", dir); err != nil {
		return nil, err
	}
	if err := command(ctx, "", c.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary=:all:", "--requirement", requirements); err != nil {
		return nil, fmt.Errorf("install the A2A SDK: %w", err)
	}
	return c, os.WriteFile(complete, nil, 0o644)
}

// Send fetches the card of the agent at host and sends it a message, through a
// proxy. binding is "JSONRPC" or "HTTP+JSON".
func (c *A2AClient) Send(ctx context.Context, proxy, host, token, binding, path string) (sent Sent, err error) {
	out, err := exec.CommandContext(ctx, c.python, c.script, proxy, host, token, binding, path).Output()
	if err != nil {
		return sent, fmt.Errorf("the A2A client: %w", err)
	}
	return sent, json.Unmarshal(out, &sent)
}
