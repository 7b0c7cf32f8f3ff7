package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
)

// Recorded is one request as an agent's client sent it, without its credential.
type Recorded struct {
	Method  string            `json:"method"`
	Host    string            `json:"host"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers,omitempty"` // that the client set, in lower case
	Body    string            `json:"body,omitempty"`
}

// Recording keeps what clients send, in order: see [Stack.Recording].
type Recording struct {
	mu       sync.Mutex
	requests []Recorded
}

// see keeps a request; what it read of the body is put back.
func (r *Recording) see(req *http.Request) error {
	seen := Recorded{Method: req.Method, Host: req.URL.Host, Path: req.URL.RequestURI(), Headers: make(map[string]string)}
	for name, values := range req.Header {
		if name = strings.ToLower(name); name != "authorization" {
			seen.Headers[name] = strings.Join(values, ", ")
		}
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		seen.Body = string(body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, seen)
	return nil
}

// Write writes the requests to a file, a line of JSON each.
func (r *Recording) Write(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for _, request := range r.requests {
		if err := encoder.Encode(request); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// ReadRecording reads the requests of such a file.
func ReadRecording(path string) (requests []Recorded, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r Recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: request %d: %w", path, len(requests)+1, err)
		}
		requests = append(requests, r)
	}
	return requests, lines.Err()
}

// Request is the recorded one, to be sent again.
func (r *Recorded) Request() (*http.Request, error) {
	req, err := http.NewRequest(r.Method, "http://"+r.Host+r.Path, strings.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	return req, nil
}
