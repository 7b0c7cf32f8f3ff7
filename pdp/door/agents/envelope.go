package agents

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// doorName is what records call the door.
const doorName = "agents"

// envelope turns a request into neutral terms; the reply is set where it
// cannot be.
func (d *Door) envelope(w http.ResponseWriter, r *http.Request) (*pdp.Envelope, *reply) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refused := unreadable(fmt.Errorf("the body cannot be read, or is longer than %d bytes", maxBody))
		return nil, &refused
	}
	e := &pdp.Envelope{
		Door: doorName, Listener: d.settings.Listener, Proxy: d.settings.Proxy, Received: d.now(),
		Method: r.Method, Host: r.Host, Path: r.RequestURI, Protocol: r.Proto,
		Body: string(body), BodySize: int64(len(body)),
	}
	e.Headers, e.SessionTokens = lines(r.Header).Take(d.settings.SessionHeader)
	return e, nil
}

// lines are the headers of a request: names in lower case and in their order,
// the values of one name in the order they were sent.
func lines(header http.Header) (list pdp.Headers) {
	for name, values := range header {
		for _, v := range values {
			list = append(list, pdp.Header{Name: strings.ToLower(name), Value: v})
		}
	}
	slices.SortStableFunc(list, func(a, b pdp.Header) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// readBody reads a body as strict JSON.
func readBody(e *pdp.Envelope) (value.Value, error) {
	contentType, _ := e.Headers.Get("content-type")
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return value.Nothing, errors.New("content-type must be application/json")
	}
	body, err := value.ParseJSON(e.Body)
	if err != nil {
		return value.Nothing, err
	}
	if body.Kind() != value.Map {
		return value.Nothing, errors.New("the body must be an object")
	}
	return body, nil
}
