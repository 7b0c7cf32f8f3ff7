package operators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Client calls the door of a remit that serves on this machine.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the door at a socket.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		Timeout:   patience + 10*time.Second,
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

func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://remit"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("content-type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return fmt.Errorf("remit does not answer operators on %s: is remit serve running with this configuration, as a user whose socket you may open? (%w)", c.path, dial.Err)
		}
		return fmt.Errorf("no answer came, so it may or may not count: see the end of remit log tail, and give it again: %w", err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	if response.StatusCode >= 300 {
		var p problem
		if err := decoder.Decode(&p); err != nil || p.Detail == "" {
			return fmt.Errorf("remit answered %s", response.Status)
		}
		return errors.New(p.Detail)
	}
	return decoder.Decode(into)
}
