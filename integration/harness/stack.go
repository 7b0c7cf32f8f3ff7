package harness

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Options says what a [Stack] is made of.
type Options struct {
	Root   string // the module's folder
	Dir    string // where everything of this stack goes
	Binary string // of remit, see [BuildRemit]
	Bundle string // a folder of data files and policies laid over the shipped ones; "" for none
	// WithoutPacks leaves the shipped packs out: Bundle brings its own.
	WithoutPacks bool
	// Remit is remit's configuration, a template; "" is integration/remit.yaml.
	Remit string
	// EnvoyReplace is passed on to [EnvoySettings].
	EnvoyReplace []string
	// Mesh puts Istio's control plane in charge of Envoy, and remit on TCP;
	// nil is the Envoy of integration/envoy/envoy.yaml.
	Mesh *Mesh
}

// Stack is everything together: tools and API behind Envoy, Envoy in front of
// remit, and an issuer whose tokens remit accepts.
type Stack struct {
	Options
	Issuer *Issuer
	Tools  *Upstream
	API    *Upstream
	Remit  *Remit
	Envoy  *Envoy
	Policy string // the folder of the bundle in force
	Data   string // remit's state directory
	// Recording keeps what the clients of [Stack.Client] and [Stack.Connect]
	// send; nil where nothing is recorded. It is set before they are made.
	Recording *Recording

	discovery *process // Istio's, where there is a mesh
	// remit's addresses, where there is a mesh
	authz, outcomes, agents string
}

// Start brings everything up, in order, and takes everything down again when
// one part fails.
func Start(ctx context.Context, o Options) (s *Stack, err error) {
	s = &Stack{Options: o, Policy: filepath.Join(o.Dir, "policy"), Data: filepath.Join(o.Dir, "data")}
	defer func() {
		if err != nil {
			s.Stop()
			s = nil
		}
	}()
	if s.Issuer, err = NewIssuer(); err != nil {
		return s, err
	}
	if err = s.Issuer.WriteJWKS(filepath.Join(o.Dir, "jwks.json")); err != nil {
		return s, err
	}
	if s.Tools, err = StartTools(); err != nil {
		return s, err
	}
	if s.API, err = StartAPI(); err != nil {
		return s, err
	}
	if err = s.layPolicy(ctx); err != nil {
		return s, err
	}
	if err = s.startRemit(ctx); err != nil {
		return s, err
	}
	return s, s.startEnvoy(ctx)
}

// layPolicy writes the policies of the stack.
func (s *Stack) layPolicy(ctx context.Context) error {
	if err := LayPolicy(ctx, s.Binary, s.Policy, ""); err != nil {
		return err
	}
	if s.WithoutPacks {
		if err := os.RemoveAll(filepath.Join(s.Policy, "packs")); err != nil {
			return err
		}
	}
	if s.Bundle == "" {
		return nil
	}
	return copyTree(s.Policy, os.DirFS(s.Bundle))
}

// LayPolicy writes the shipped policies to a folder with `remit init`, as a user
// would, and a bundle's own files over them; "" has none.
func LayPolicy(ctx context.Context, binary, folder, bundle string) error {
	if out, err := exec.CommandContext(ctx, binary, "init", folder).CombinedOutput(); err != nil {
		return fmt.Errorf("remit init: %w\n%s", err, out)
	}
	if bundle == "" {
		return nil
	}
	return copyTree(folder, os.DirFS(bundle))
}

func (s *Stack) startRemit(ctx context.Context) error {
	health, err := FreePort()
	if err != nil {
		return err
	}
	path := s.Options.Remit
	if path == "" {
		path = filepath.Join(s.Root, "integration", "remit.yaml")
	}
	text, err := template.ParseFiles(path)
	if err != nil {
		return err
	}
	config := filepath.Join(s.Dir, "remit.yaml")
	out, err := os.Create(config)
	if err != nil {
		return err
	}
	defer out.Close()
	values := map[string]string{"Health": health}
	if s.Mesh != nil {
		for _, address := range []*string{&s.authz, &s.outcomes, &s.agents} {
			if *address, err = FreePort(); err != nil {
				return err
			}
		}
		values["Authz"], values["Outcomes"], values["Agents"] = s.authz, s.outcomes, s.agents
	}
	if err := text.Execute(out, values); err != nil {
		return err
	}
	s.Remit, err = StartRemit(ctx, s.Binary, config, health)
	return err
}

func (s *Stack) startEnvoy(ctx context.Context) error {
	binary, err := FetchEnvoy(ctx, s.Root)
	if err != nil {
		return err
	}
	if s.Mesh != nil {
		return s.startMesh(ctx, binary)
	}
	s.Envoy, err = StartEnvoy(ctx, binary, EnvoySettings{
		Config:   filepath.Join(s.Root, "integration", "envoy", "envoy.yaml"),
		Dir:      s.Dir,
		Authz:    filepath.Join(s.Dir, "authz.sock"),
		Outcomes: filepath.Join(s.Dir, "outcomes.sock"),
		Agents:   filepath.Join(s.Dir, "agents.sock"),
		Tools:    s.Tools.Address,
		API:      s.API.Address,
		Replace:  s.EnvoyReplace,
	})
	return err
}

// RestartEnvoy starts another Envoy with the same configuration in place of one
// that was killed.
func (s *Stack) RestartEnvoy(ctx context.Context) error { return s.startEnvoy(ctx) }

// Stop takes everything down, in the order of a request.
func (s *Stack) Stop() {
	if s.Envoy != nil {
		s.Envoy.Stop()
	}
	if s.discovery != nil {
		s.discovery.stop(syscall.SIGTERM)
	}
	if s.Remit != nil && s.Remit.process != nil {
		s.Remit.Stop()
	}
	if s.API != nil {
		s.API.Stop()
	}
	if s.Tools != nil {
		s.Tools.Stop()
	}
}

// Client returns an HTTP client that reaches every host through Envoy, with
// token as its bearer; "" sends none.
func (s *Stack) Client(token string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, s.Envoy.Address)
	}
	return &http.Client{
		Timeout:   90 * time.Second,
		Transport: bearer{token, s.Recording, &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 256}},
	}
}

type bearer struct {
	token     string
	recording *Recording
	next      http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.recording != nil {
		r = r.Clone(r.Context())
		if err := b.recording.see(r); err != nil {
			return nil, err
		}
	}
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// Connect opens an MCP client (the official SDK) to the tools through Envoy.
// revision "" is the newest the SDK speaks.
func (s *Stack) Connect(ctx context.Context, token, revision string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "sample-agent", Version: "1.0.0"}, nil)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:             "http://" + ToolsHost + "/mcp",
		HTTPClient:           s.Client(token),
		MaxRetries:           -1,
		DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
}

// copyTree copies files over a folder, replacing what is there.
func copyTree(dir string, from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o644)
	})
}
