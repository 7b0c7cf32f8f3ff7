package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TLS makes a TCP address answer only proxies that prove who they are (mutual
// TLS). All of the files and at least one name are required: there is no
// weaker form. The files are read again when they change.
type TLS struct {
	// CertFile is remit's certificate with its intermediates, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the private key of the certificate, PEM.
	KeyFile string `yaml:"key_file"`
	// ClientCAFile holds the authorities that may vouch for a proxy, PEM.
	ClientCAFile string `yaml:"client_ca_file"`
	// ClientNames are the proxies that may ask: SPIFFE ids or DNS names, each
	// exactly as the certificate has it. The one that matches is who asked.
	ClientNames []string `yaml:"client_names"`
	// MinVersion is the lowest version of TLS to speak: "1.3", or "1.2" for
	// proxies that cannot do better.
	MinVersion string `yaml:"min_version"`
}

// Connections bounds what one peer's connections may do.
type Connections struct {
	// MaxAge is how old a connection gets before its peer is told to open
	// another one, so that load spreads and certificates are looked at again.
	MaxAge Duration `yaml:"max_age"`
	// Grace is what a connection that is too old has left to end what is under way.
	Grace Duration `yaml:"max_age_grace"`
	// MinPing is the shortest time between two keepalive pings of the peer;
	// one that pings more often is disconnected.
	MinPing Duration `yaml:"min_ping"`
	// Handshake is how long a new connection may take to say what it wants.
	Handshake Duration `yaml:"handshake_timeout"`
	// MaxStreams is how many requests a connection carries at a time.
	MaxStreams int `yaml:"max_streams"`
	// MaxMessage is the size of the largest message in bytes: the proxy's
	// max_request_bytes and 256 KiB at the least.
	MaxMessage int `yaml:"max_message_bytes"`
	// StreamWindow is how many bytes of a request the peer may send ahead of what
	// was read of it: one with a larger body waits on its way. It does not adapt,
	// because measuring for that costs every request.
	StreamWindow int `yaml:"stream_window_bytes"`
	// Window is the same for all requests of a connection together.
	Window int `yaml:"window_bytes"`
}

// Shutdown says how serving ends.
type Shutdown struct {
	// Pause is how long health says NOT_SERVING before the first request is
	// turned away: the proxy's health check interval times its unhealthy
	// threshold at the least. It ends early when nobody is connected.
	Pause Duration `yaml:"pause"`
	// Drain is how long what is under way may take to end after the pause.
	Drain Duration `yaml:"drain"`
}

// Ages of connections. A stream of outcomes that is closed loses what is on its
// way, so it is left alone for long.
const (
	checkAge   = 5 * time.Minute
	outcomeAge = 24 * time.Hour
)

func (t *TLS) fill() {
	if t != nil {
		orString(&t.MinVersion, "1.3")
	}
}

func (c *Connections) fill(age time.Duration) {
	orDuration(&c.MaxAge, age)
	orDuration(&c.Grace, 10*time.Second)
	orDuration(&c.MinPing, 10*time.Second)
	orDuration(&c.Handshake, 10*time.Second)
	orInt(&c.MaxStreams, 1024)
	orInt(&c.MaxMessage, 4<<20)
	orInt(&c.StreamWindow, 512<<10)
	orInt(&c.Window, 4<<20)
}

func (s *Shutdown) fill() {
	orDuration(&s.Pause, 5*time.Second)
	orDuration(&s.Drain, 10*time.Second)
}

func (c *Connections) problems(key string, say sayFunc) {
	between(key+".max_age", c.MaxAge, time.Second, 30*24*time.Hour, say)
	between(key+".max_age_grace", c.Grace, time.Second, 10*time.Minute, say)
	between(key+".min_ping", c.MinPing, time.Second, time.Hour, say)
	between(key+".handshake_timeout", c.Handshake, time.Second, time.Minute, say)
	if c.MaxStreams < 1 || c.MaxStreams > 1<<16 {
		say(key+".max_streams", "%d is not between 1 and 65536", c.MaxStreams)
	}
	if c.MaxMessage < 512<<10 || c.MaxMessage > 64<<20 {
		say(key+".max_message_bytes", "%d is not between 512 KiB and 64 MiB", c.MaxMessage)
	}
	if c.StreamWindow < 64<<10 || c.StreamWindow > 64<<20 {
		say(key+".stream_window_bytes", "%d is not between 64 KiB and 64 MiB", c.StreamWindow)
	}
	if c.Window < c.StreamWindow || c.Window > 1<<30 {
		say(key+".window_bytes", "%d is not between %s.stream_window_bytes (%d) and 1 GiB", c.Window, key, c.StreamWindow)
	}
}

func (s *Shutdown) problems(say sayFunc) {
	between("shutdown.pause", s.Pause, 0, 5*time.Minute, say)
	between("shutdown.drain", s.Drain, 100*time.Millisecond, 10*time.Minute, say)
}

func (t *TLS) problems(key string, say sayFunc) {
	for name, file := range map[string]string{"cert_file": t.CertFile, "key_file": t.KeyFile, "client_ca_file": t.ClientCAFile} {
		if file == "" {
			say(key+"."+name, "is required: without it a caller or remit could not prove who it is")
		}
	}
	if len(t.ClientNames) == 0 {
		say(key+".client_names", "is required: an authority vouches for many, and only the proxies named here may ask; for example [spiffe://example.org/ns/edge/sa/envoy]")
	}
	for i, name := range t.ClientNames {
		if err := checkName(name); err != nil {
			say(fmt.Sprintf("%s.client_names[%d]", key, i), "%v", err)
		}
	}
	oneOf(key+".min_version", t.MinVersion, []string{"1.2", "1.3"}, say)
}

// checkName accepts a SPIFFE id with a path (SPIFFE-ID, section 2) or a DNS
// name, without wildcards.
func checkName(name string) error {
	if strings.Contains(name, "*") {
		return fmt.Errorf("%q has a wildcard: name each one", name)
	}
	if strings.Contains(name, "://") {
		u, err := url.Parse(name)
		if err != nil || u.Scheme != "spiffe" || u.Host == "" || strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Port() != "" {
			return fmt.Errorf("%q is not a SPIFFE id of a workload, like spiffe://example.org/ns/edge/sa/envoy", name)
		}
		return nil
	}
	if name == "" || strings.ContainsAny(name, "/: @\t") || name != strings.ToLower(name) {
		return fmt.Errorf("%q is neither a SPIFFE id nor a DNS name in lower case", name)
	}
	return nil
}

// checkReach accepts a socket, TCP on loopback, and TCP anywhere with mutual
// TLS: whoever reaches one of these addresses is believed to be the proxy.
func checkReach(key, address string, tls *TLS, say sayFunc) {
	if tls == nil {
		checkAddress(key+".address", address, say)
		return
	}
	tls.problems(key+".tls", say)
	if path, isSocket := cutSocket(address); isSocket {
		say(key+".tls", "has no place on %s%s: the socket's folder says who may ask; remove it, or use HOST:PORT", socketScheme, path)
		return
	}
	checkHostPort(key+".address", address, say)
}

// checkHostPort accepts "HOST:PORT" and returns the host.
func checkHostPort(key, address string, say sayFunc) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		say(key, "%q is neither \"HOST:PORT\" nor, where a socket may be, \"unix:PATH\"", address)
		return "", false
	}
	return host, true
}

// rebase makes relative paths relative to the configuration's folder.
func (t *TLS) rebase(under func(*string)) {
	if t != nil {
		under(&t.CertFile)
		under(&t.KeyFile)
		under(&t.ClientCAFile)
	}
}
