package operators

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Client calls the door of a remit.
type Client struct {
	base  string // of its URLs
	shown string // what messages call the door
	hint  string // what to look at where nobody answers
	token string // "" presents none
	http  http.Client
}

// dialTime is how long a client waits for a connection.
const dialTime = 5 * time.Second

// NewClient returns a client of the door at a socket of this machine.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "unix", path)
	}
	return newClient("http://remit", path, "", "is remit serve running with this configuration, as a user whose socket you may open?", &http.Transport{DialContext: dial})
}

// NewNetworkClient returns a client of the door at "https://HOST:PORT". It proves
// who calls by the certificate in settings, or by a bearer token (RFC 6750); ""
// presents none.
func NewNetworkClient(address string, settings *tls.Config, token string) *Client {
	return newClient(strings.TrimSuffix(address, "/"), address, token, "is remit serve running there, with this as its operators.address?", &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSClientConfig: settings, TLSHandshakeTimeout: dialTime,
	})
}

func newClient(base, shown, token, hint string, transport *http.Transport) *Client {
	transport.DisableKeepAlives = true
	return &Client{base: base, shown: shown, hint: hint, token: token, http: http.Client{
		Transport: transport, Timeout: patience + 2*dialTime,
		// An order goes to whom it was given, and to nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Revoke gives an order and waits until it is acknowledged. Any error means
// that it was not.
func (c *Client) Revoke(ctx context.Context, o Order) (a Acknowledgement, err error) {
	err = c.call(ctx, http.MethodPost, pathRevocations, o, &a)
	return a, err
}

// Lift takes a revocation back.
func (c *Client) Lift(ctx context.Context, o Order) (a Acknowledgement, err error) {
	err = c.call(ctx, http.MethodPost, pathLift, o, &a)
	return a, err
}

// List returns what is revoked now.
func (c *Client) List(ctx context.Context) (all Revocations, err error) {
	err = c.call(ctx, http.MethodGet, pathRevocations, nil, &all)
	return all, err
}

// OrderSession gives an order about a session and waits until it is acknowledged.
// Any error means that it was not.
func (c *Client) OrderSession(ctx context.Context, kind pdp.SessionOrderKind, o SessionOrder) (a SessionAcknowledgement, err error) {
	err = c.call(ctx, http.MethodPost, pathSessions+string(kind), o, &a)
	return a, err
}

// Sessions returns the sessions that are remembered.
func (c *Client) Sessions(ctx context.Context) (list SessionList, err error) {
	err = c.call(ctx, http.MethodGet, strings.TrimSuffix(pathSessions, "/"), nil, &list)
	return list, err
}

// Session returns one session.
func (c *Client) Session(ctx context.Context, id string) (shown json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, pathSessions+url.PathEscape(id), nil, &shown)
	return shown, err
}

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("content-type", "application/json")
	if c.token != "" {
		request.Header.Set("authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unanswered(err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	if response.StatusCode >= 300 {
		return c.refused(response, decoder)
	}
	return decoder.Decode(into)
}

// unanswered is what it means that no answer came.
func (c *Client) unanswered(err error) error {
	var operation *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &operation) && operation.Op == "dial":
		return fmt.Errorf("remit does not answer operators on %s: %s (%w)", c.shown, c.hint, operation.Err)
	case errors.As(err, &operation) && operation.Op == "remote error": // an alert (RFC 8446 section 6.2)
		return fmt.Errorf("%s ends the connection before it reads the order, so it does not count; is your certificate good, and of an authority that it trusts? (%w)", c.shown, operation.Err)
	case errors.As(err, &certificate):
		return fmt.Errorf("whoever answers on %s does not prove to be it, and was told nothing: name its authority (--operators-ca): %w", c.shown, certificate.Err)
	default:
		return fmt.Errorf("no answer came, so it may or may not count: see the end of remit log tail, and give it again: %w", err)
	}
}

// refused is why the door did not do it.
func (c *Client) refused(response *http.Response, decoder *json.Decoder) error {
	var p problem
	switch err := decoder.Decode(&p); {
	case err == nil && p.Detail != "":
		return errors.New(p.Detail)
	case response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s does not accept that it is you: the log of that remit says why", c.shown)
	default:
		return fmt.Errorf("remit answered %s", response.Status)
	}
}
