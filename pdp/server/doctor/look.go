package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/envoyconfig"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// signs are what was seen, before anything of it is judged.
type signs struct {
	now     time.Time
	options Options
	config  *config.Config

	ending         []error // certificates that soon do
	certificateErr error

	generation string // that the configuration and its bundle make
	unmeant    []error
	policyErr  error

	issuers []identity.IssuerStatus
	unused  []error // published keys that verify nothing

	state    localstore.Inspection
	stateErr error
	seedErr  error
	end      localstore.Ending
	endErr   error

	live  live
	proxy proxy
}

// proxy is the Envoy that asks.
type proxy struct {
	config *envoyconfig.Config // nil where there is none, or it was not read
	from   string              // its admin interface, or a file
	err    error
	clock  *identity.Clock
}

// look sees everything once.
func look(ctx context.Context, o Options) *signs {
	s := &signs{now: o.Now(), options: o, config: o.Config.Config}
	s.ending, s.certificateErr = server.CheckCertificates(s.config, o.Now)
	s.lookAtPolicy(ctx)
	s.lookAtState()
	s.live = ask(ctx, s.config.Health.Address)
	s.proxy = readEnvoy(ctx, o)
	return s
}

// lookAtPolicy makes the generation that would serve, and asks the issuers of
// its identities for their keys.
func (s *signs) lookAtPolicy(ctx context.Context) {
	seed := make([]byte, pdp.SeedSize)
	rand.Read(seed) // never fails since Go 1.24; these keys are used for nothing
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		s.policyErr = err
		return
	}
	issuers := server.NewIssuers(s.config, nil)
	generation, unmeant, err := server.NewGeneration(ctx, s.config, keys, issuers, s.options.Now)
	s.unmeant, s.policyErr = unmeant, err
	if generation != nil {
		s.generation = generation.ID
	}
	s.unused = issuers.Try(ctx)
	s.issuers = issuers.Status()
}

func (s *signs) lookAtState() {
	dir := s.config.State.Dir
	if s.state, s.stateErr = localstore.Inspect(dir); s.stateErr != nil {
		return
	}
	if _, s.seedErr = localstore.LoadSeed(dir); s.seedErr != nil {
		return
	}
	reader, err := localstore.NewReader(dir)
	if err != nil {
		s.endErr = err
		return
	}
	s.end, s.endErr = reader.VerifyEnd()
}

// The longest that an answer is waited for, and the largest that is read: the
// configuration of a large mesh's gateway has tens of megabytes.
const (
	patience  = 10 * time.Second
	maxAnswer = 256 << 20
)

// answer is what a server said.
type answer struct {
	status int
	body   []byte
	clock  *identity.Clock
}

// get asks a server for one thing.
func get(ctx context.Context, url string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	sent := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode}
	if clock, said := identity.ReadClock(resp.Header, sent, time.Now()); said {
		a.clock = &clock
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(a.body) > maxAnswer {
		err = errors.New(url + " answers more than 256 MiB")
	}
	return a, err
}

// readEnvoy reads the configuration of the Envoy that the options name.
func readEnvoy(ctx context.Context, o Options) (p proxy) {
	var dump []byte
	switch {
	case o.Dump != "":
		p.from = o.Dump
		dump, p.err = os.ReadFile(o.Dump)
	case o.Envoy != "":
		admin, err := url.Parse(o.Envoy)
		if err != nil || admin.Host == "" {
			return proxy{from: "--envoy", err: errors.New("its address is not like http://HOST:PORT")}
		}
		p.from = admin.Redacted()
		var a answer
		a, p.err = get(ctx, o.Envoy+"/config_dump?include_eds")
		if dump, p.clock = a.body, a.clock; p.err == nil && a.status != http.StatusOK {
			p.err = errors.New("/config_dump answers " + http.StatusText(a.status))
		}
	default:
		return p
	}
	if p.err == nil {
		p.config, p.err = envoyconfig.Parse(dump)
	}
	return p
}

// reachable is an address as one on this machine asks at it: what listens
// everywhere is asked on loopback.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
