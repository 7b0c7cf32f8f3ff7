package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// UploadSettings say where the decision log is uploaded to.
type UploadSettings struct {
	URL string // of the service, to which /logs is added
	// Partition is added to the path; "" for none.
	Partition string
	// Header returns what each request says besides its body, a token; nil for
	// nothing.
	Header func() (http.Header, error)
	TLS    *tls.Config
	// Timeout is how long one upload may take.
	Timeout time.Duration
}

// Upload is a [Sink]: OPA's Decision Log Service API, which takes a compressed JSON
// array of events
// (https://www.openpolicyagent.org/docs/management-decision-logs).
type Upload struct{ to *receiver }

// NewUpload returns a sink that uploads. Nothing is asked before the first batch.
func NewUpload(s UploadSettings) (*Upload, error) {
	at, err := url.JoinPath(s.URL, "logs", url.PathEscape(s.Partition))
	if err != nil {
		return nil, err
	}
	return &Upload{newReceiver(strings.TrimSuffix(at, "/"), "application/json", s.Header, s.TLS, s.Timeout)}, nil
}

// Accept implements [Sink].
func (u *Upload) Accept(ctx context.Context, events [][]byte) error {
	return inParts(events, func(events [][]byte) error { return u.upload(ctx, events) })
}

// Idle implements [Sink].
func (u *Upload) Idle(context.Context) error { return nil }

// Close implements [Sink].
func (u *Upload) Close() error { return u.to.close() }

func (u *Upload) upload(ctx context.Context, events [][]byte) error {
	body, err := arrayOf(events)
	if err != nil {
		return err
	}
	a, err := u.to.post(ctx, body)
	if err != nil {
		return err
	}
	return u.answered(a)
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
func (u *Upload) answered(a *answer) error {
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status >= 300 && a.status < 500 && a.status != http.StatusTooManyRequests && a.status != http.StatusRequestTimeout:
		return &Refused{Status: a.status, Where: u.to.url}
	}
	return a.later(fmt.Errorf("%s answered %d", u.to.url, a.status))
}
