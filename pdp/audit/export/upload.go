package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// UploadSettings say where the decision log is uploaded to.
type UploadSettings struct {
	URL string // of the service, to which /logs is added
	// Partition is added to the path; "" for none.
	Partition string
	// Token returns the bearer token of the moment; nil for none.
	Token func() (string, error)
	TLS   *tls.Config
	// Timeout is how long one upload may take.
	Timeout time.Duration
}

// Upload is a [Sink]: OPA's Decision Log Service API, which takes a compressed JSON
// array of events
// (https://www.openpolicyagent.org/docs/management-decision-logs).
type Upload struct {
	settings UploadSettings
	url      string
	client   *http.Client
}

// NewUpload returns a sink that uploads. Nothing is asked before the first batch.
func NewUpload(s UploadSettings) (*Upload, error) {
	at, err := url.JoinPath(s.URL, "logs", url.PathEscape(s.Partition))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.TLS, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: s.Timeout, IdleConnTimeout: 90 * time.Second,
	}
	return &Upload{settings: s, url: strings.TrimSuffix(at, "/"), client: &http.Client{
		Transport: transport, Timeout: s.Timeout,
		// The token is for this receiver and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Accept implements [Sink]. What is too large for the receiver goes in parts; where
// one of them fails, the receiver gets those before it again.
func (u *Upload) Accept(ctx context.Context, events [][]byte) error {
	err := u.upload(ctx, events)
	var refused *Refused
	if len(events) < 2 || !errors.As(err, &refused) || refused.Status != http.StatusRequestEntityTooLarge {
		return err
	}
	half := len(events) / 2
	if err := u.Accept(ctx, events[:half]); err != nil {
		return err
	}
	return u.Accept(ctx, events[half:])
}

// Idle implements [Sink].
func (u *Upload) Idle(context.Context) error { return nil }

// Close implements [Sink].
func (u *Upload) Close() error {
	u.client.CloseIdleConnections()
	return nil
}

func (u *Upload) upload(ctx context.Context, events [][]byte) error {
	body, err := arrayOf(events)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Encoding", "gzip")
	if u.settings.Token != nil {
		token, err := u.settings.Token()
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := u.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// Read to its end, so that the connection can be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)); err != nil {
		return err
	}
	return u.answered(response)
}

// arrayOf is the compressed JSON array of events.
func arrayOf(events [][]byte) (*bytes.Buffer, error) {
	body := &bytes.Buffer{}
	w := gzip.NewWriter(body)
	for i, event := range events {
		before := []byte{','}
		if i == 0 {
			before[0] = '['
		}
		if _, err := w.Write(append(before, event...)); err != nil {
			return nil, err
		}
	}
	_, err := w.Write([]byte{']'})
	return body, errors.Join(err, w.Close())
}

// answered reads an answer: what a receiver will never take is [Refused], what it
// may take later is not.
func (u *Upload) answered(response *http.Response) error {
	status := response.StatusCode
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return &Refused{Status: status, Where: u.url}
	}
	err := fmt.Errorf("%s answered %d", u.url, status)
	if seconds, wrong := strconv.Atoi(response.Header.Get("Retry-After")); wrong == nil && seconds > 0 {
		return &Later{Err: err, After: time.Duration(seconds) * time.Second}
	}
	return err
}
