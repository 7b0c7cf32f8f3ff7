package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// maxAnswer bounds what an issuer may answer: 256 KiB. The largest published
// key sets, with certificate chains, are a tenth of it.
const maxAnswer = 256 << 10

// fetcher asks an issuer for its keys. It believes the issuer's address, proved
// by TLS, and nothing that leads elsewhere.
type fetcher struct {
	client *http.Client
	issuer string
	url    string // of the key set; "" is found by discovery
	// clock is what the issuer's last answer said about the time; nil before the
	// first that did.
	clock atomic.Pointer[Clock]
}

// Clock is another machine's clock beside this one's.
type Clock struct {
	// Said is the Date of an answer (RFC 9110 section 6.6.1), in whole seconds, plus
	// the Age that a cache has added (RFC 9111 section 5.1).
	Said time.Time
	// Between Sent and Received the answer was made.
	Sent, Received time.Time
}

// ReadClock is the clock of who answered; false where it says nothing of it.
func ReadClock(header http.Header, sent, received time.Time) (Clock, bool) {
	said, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return Clock{}, false
	}
	if age, err := strconv.Atoi(header.Get("Age")); err == nil && age > 0 {
		said = said.Add(time.Duration(age) * time.Second)
	}
	return Clock{said, sent, received}, true
}

// Off is how far the clock is ahead of this one (behind: less than 0), at the
// least: 0 where the two may agree.
func (c *Clock) Off() time.Duration {
	earliest, latest := c.Said, c.Said.Add(time.Second)
	switch {
	case earliest.After(c.Received):
		return earliest.Sub(c.Received)
	case latest.Before(c.Sent):
		return latest.Sub(c.Sent)
	default:
		return 0
	}
}

func newFetcher(issuer string, f *Fetch) (*fetcher, error) {
	for what, address := range map[string]string{"jwks_url": f.URL, "issuer": issuer} {
		// The issuer's name is an address only where it is asked for one.
		if (what == "issuer") != (f.URL == "") {
			continue
		}
		if err := checkURL(address); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.DisableCompression = true
	transport.IdleConnTimeout = 30 * time.Second
	if f.CAFile != "" {
		text, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("jwks_ca_file: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("jwks_ca_file: %s holds no PEM certificate", f.CAFile)
		}
	}
	client := &http.Client{Transport: transport, Timeout: f.Timeout, CheckRedirect: refuseRedirect}
	return &fetcher{client: client, issuer: issuer, url: f.URL}, nil
}

// refuseRedirect: a key set is where its address says, or nowhere. Following
// would let whoever can answer for a moment point remit at any address.
func refuseRedirect(to *http.Request, _ []*http.Request) error {
	return fmt.Errorf("it redirects to %s, and redirects are not followed: configure the address itself", clip(to.URL.Host))
}

// checkURL accepts an https address; plain http only on this machine, where
// nobody stands between.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not the address of a server", clip(address))
	}
	if u.Scheme == "https" || (u.Scheme == "http" && loopback(u.Hostname())) {
		return nil
	}
	return fmt.Errorf("%q must begin with https://: over plain http whoever is on the way could put in keys of his own", clip(address))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// keys returns the text of the issuer's key set.
func (f *fetcher) keys(ctx context.Context) ([]byte, error) {
	address := f.url
	if address == "" {
		var err error
		if address, err = f.discover(ctx); err != nil {
			return nil, err
		}
	}
	return f.get(ctx, address)
}

// discover returns the address of the key set as the issuer's configuration has
// it (OpenID Connect Discovery 1.0, sections 4 and 4.3).
func (f *fetcher) discover(ctx context.Context) (string, error) {
	address := strings.TrimSuffix(f.issuer, "/") + "/.well-known/openid-configuration"
	text, err := f.get(ctx, address)
	if err != nil {
		return "", err
	}
	document, err := value.ParseJSON(text)
	if err != nil {
		return "", fmt.Errorf("%s is not strict JSON", address)
	}
	if stated := document.Get("issuer").Text(); stated != f.issuer {
		return "", fmt.Errorf("%s is the configuration of the issuer %q, not of %q: configure the exact name", address, clip(stated), f.issuer)
	}
	keys := document.Get("jwks_uri").Text()
	if err := checkURL(keys); err != nil {
		return "", fmt.Errorf("%s: jwks_uri: %w", address, err)
	}
	return keys, nil
}

// get reads an address within the limits of time and size.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("accept", "application/jwk-set+json, application/json")
	sent := time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if clock, said := ReadClock(resp.Header, sent, time.Now()); said {
		f.clock.Store(&clock)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", address, err)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("%s answers more than %d bytes", address, maxAnswer)
	case len(text) == 0:
		return nil, errors.New(address + " answers nothing")
	}
	return text, nil
}
