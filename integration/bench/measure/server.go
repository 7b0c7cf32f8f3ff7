package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/integration/harness"
)

// Server is a running ext_authz server.
type Server struct {
	Address  string         // of Authorization, as package load takes it
	Outcomes string         // of the access log service; "" where there is none
	PID      int            // 0 where it is on another machine
	Remit    *harness.Remit // nil where it is not remit
	Data     string         // remit's state directory

	stop func()
}

// Stop ends it, where it was started here.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
	}
}

// Options say how remit is run.
type Options struct {
	Root, Dir string // the module's folder, and where everything of this server goes
	Binary    string
	Issuer    *harness.Issuer // whose tokens are good
	Agents    int             // how many are registered
	Engine    string          // policy.engine
	// SessionLife is state.session.max_age and Retain decision_log.retain.bytes;
	// 0 leaves them as they ship.
	SessionLife time.Duration
	Retain      int64
}

// StartRemit runs remit on the server's core: the configuration of
// integration/remit.yaml, the shipped policies with their settings, the catalog
// of the sample session, and as many agents.
func StartRemit(ctx context.Context, o Options) (*Server, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := o.Issuer.WriteJWKS(filepath.Join(o.Dir, "jwks.json")); err != nil {
		return nil, err
	}
	if err := layPolicy(ctx, &o); err != nil {
		return nil, err
	}
	health, err := harness.FreePort()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, "remit.yaml")
	if err := writeConfig(path, health, &o); err != nil {
		return nil, err
	}
	s := &Server{
		Address: "unix:" + filepath.Join(o.Dir, "authz.sock"), Outcomes: "unix:" + filepath.Join(o.Dir, "outcomes.sock"),
		Data: filepath.Join(o.Dir, "data"),
	}
	err = onServerCore(func() (err error) {
		s.Remit, err = harness.StartRemit(ctx, o.Binary, path, health)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.PID, s.stop = s.Remit.PID(), s.Remit.Stop
	return s, nil
}

// layPolicy lays the sample's bundle over the shipped policies, and puts agents
// of its own and the shipped settings back over that: the sample's are for a
// session of seconds.
func layPolicy(ctx context.Context, o *Options) error {
	policy := filepath.Join(o.Dir, "policy")
	if err := harness.LayPolicy(ctx, o.Binary, policy, filepath.Join(o.Root, "integration", "demo", "bundle")); err != nil {
		return err
	}
	settings, err := os.ReadFile(filepath.Join(o.Root, "policies", "remit", "settings.rego"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(policy, "remit", "settings.rego"), settings, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(policy, "remit", "agents", "data.yaml"), []byte(checks.Profiles(o.Agents)), 0o600)
}

func writeConfig(path, health string, o *Options) error {
	text, err := template.ParseFiles(filepath.Join(o.Root, "integration", "remit.yaml"))
	if err != nil {
		return err
	}
	var config bytes.Buffer
	if err := text.Execute(&config, map[string]string{"Health": health}); err != nil {
		return err
	}
	changed, err := o.change(config.String())
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(changed), 0o600)
}

// change puts what the options say into a configuration.
func (o *Options) change(config string) (string, error) {
	changes := [][2]string{{"policy: { bundle: policy }", "policy: { bundle: policy, engine: " + o.Engine + " }"}}
	if o.SessionLife > 0 {
		changes = append(changes, [2]string{"state: { dir: data }", "state: { dir: data, session: { max_age: " + o.SessionLife.String() + " } }"})
	}
	for _, c := range changes {
		if strings.Count(config, c[0]) != 1 {
			return "", fmt.Errorf("integration/remit.yaml does not say %q", c[0])
		}
		config = strings.Replace(config, c[0], c[1], 1)
	}
	if o.Retain > 0 {
		config += fmt.Sprintf("decision_log: { retain: { bytes: %d } }\n", o.Retain)
	}
	return config, nil
}

// Restart starts a remit that was killed again, on the server's core.
func (s *Server) Restart(ctx context.Context) error {
	err := onServerCore(func() error { return s.Remit.Start(ctx) })
	s.PID = s.Remit.PID()
	return err
}

// StartFloor runs the floor on the server's core.
func StartFloor(ctx context.Context, binary, dir string) (*Server, error) {
	socket := filepath.Join(dir, "floor.sock")
	command := exec.CommandContext(ctx, binary, "-address", "unix:"+socket)
	var said strings.Builder
	command.Stderr = &said
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing is left running
	if err := onServerCore(command.Start); err != nil {
		return nil, err
	}
	s := &Server{Address: "unix:" + socket, PID: command.Process.Pid, stop: func() {
		command.Cancel()
		command.Wait() // it was killed: that is its error
	}}
	for range 100 {
		if _, err := os.Stat(socket); err == nil {
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Stop()
	return nil, fmt.Errorf("the floor does not listen: %s", said.String())
}
