package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// receiver is who takes the decision log over HTTP.
type receiver struct {
	client      *http.Client
	url         string
	contentType string
	header      func() (http.Header, error) // of the moment, besides what the body needs; nil for none
}

// answer is what a receiver said to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newReceiver(url, contentType string, header func() (http.Header, error), tls *tls.Config, timeout time.Duration) *receiver {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: tls, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: timeout, IdleConnTimeout: 90 * time.Second,
	}
	return &receiver{url: url, contentType: contentType, header: header, client: &http.Client{
		Transport: transport, Timeout: timeout,
		// The token is for this receiver and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// post sends a compressed body, and returns the answer to it.
func (r *receiver) post(ctx context.Context, body *bytes.Buffer) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		if request.Header, err = r.header(); err != nil {
			return nil, err
		}
	}
	request.Header.Set("Content-Type", r.contentType)
	request.Header.Set("Content-Encoding", "gzip")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	// Read to its end, so that the connection can be used again.
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return &answer{response.StatusCode, response.Header, text}, err
}

func (r *receiver) close() error {
	r.client.CloseIdleConnections()
	return nil
}

// later is err, and when to come back where the receiver says so.
func (a *answer) later(err error) error {
	if seconds, wrong := strconv.Atoi(a.header.Get("Retry-After")); wrong == nil && seconds > 0 {
		return &Later{Err: err, After: time.Duration(seconds) * time.Second}
	}
	return err
}

// inParts sends events, in halves where they are too large for the receiver. Where
// a part fails, the receiver gets those before it again.
func inParts(events [][]byte, send func([][]byte) error) error {
	err := send(events)
	var refused *Refused
	if len(events) < 2 || !errors.As(err, &refused) || refused.Status != http.StatusRequestEntityTooLarge {
		return err
	}
	half := len(events) / 2
	if err := inParts(events[:half], send); err != nil {
		return err
	}
	return inParts(events[half:], send)
}
