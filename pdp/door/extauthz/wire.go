package extauthz

import (
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// wireCheck reads a CheckRequest off the wire: strings are slices of the message,
// so that whoever keeps one for longer than the decision copies it.
//
// The numbers in it are those of envoy/service/auth/v3/external_auth.proto and
// attribute_context.proto, envoy/config/core/v3/base.proto and address.proto.
type wireCheck struct {
	pdp.Envelope
	// lines is room for the header lines that a request usually has.
	lines [32]pdp.Header
	// names are the header names that came, as far as a bit of each tells.
	names         [4]uint64
	body, rawBody string
}

// fromWire reads the check of a message. It returns false where the message is
// not plain: what it says is for the generated types to tell.
func fromWire(message string) (e *pdp.Envelope, plain bool) {
	w := &wireCheck{Envelope: pdp.Envelope{Network: true, HeadersJoined: true, Metadata: noMetadata}}
	w.Headers = w.lines[:0]
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			c.expect(w.attributes(c.message()))
		default:
			c.unusual = true
		}
	}
	switch {
	case w.rawBody != "":
		w.Body = []byte(w.rawBody)
	case w.body != "":
		w.Body, w.BodyLossy = []byte(w.body), true
	}
	return &w.Envelope, !c.unusual
}

func (w *wireCheck) attributes(message string) (plain bool) {
	c := cursor{rest: message, repeated: 1 << 10}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			c.expect(readPeer(c.message(), &w.Source))
		case 2<<3 | asText:
			c.expect(readPeer(c.message(), &w.Destination))
		case 4<<3 | asText:
			c.expect(w.request(c.message()))
		case 10<<3 | asText: // context_extensions
			name, v, plain := readPair(c.message())
			c.expect(plain)
			if w.Extensions == nil {
				w.Extensions = make(map[string]string)
			}
			w.Extensions[name] = v // of one name the last, as in protobuf
		case 11<<3 | asText: // metadata_context
			var plain bool
			w.Metadata, plain = readMetadata(c.message())
			c.expect(plain)
		case 12<<3 | asText: // tls_session
			c.expect(readOne(c.message(), &w.ServerName))
		case 13<<3 | asText: // route_metadata_context: only the plugin's form shows it
			_, plain := readMetadata(c.message())
			c.expect(plain)
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

func (w *wireCheck) request(message string) (plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			var plain bool
			w.Sent, plain = readTime(c.message())
			c.expect(plain)
		case 2<<3 | asText:
			w.Network = false
			c.expect(w.http(c.message()))
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

func (w *wireCheck) http(message string) (plain bool) {
	c := cursor{rest: message, repeated: 1 << 3}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			w.HTTPID = c.text()
		case 2<<3 | asText:
			w.Method = c.text()
		case 3<<3 | asText: // headers
			name, v, plain := readPair(c.message())
			c.expect(plain && w.joined(name, v))
		case 4<<3 | asText:
			w.Path = c.text()
		case 5<<3 | asText:
			w.Host = c.text()
		case 6<<3 | asText:
			w.Scheme = c.text()
		case 7<<3 | asText, 8<<3 | asText: // query and fragment: always empty, the path has them
			c.text()
		case 9<<3 | asVarint:
			w.BodySize = int64(c.number())
		case 10<<3 | asText:
			w.Protocol = c.text()
		case 11<<3 | asText:
			w.body = c.text()
		case 12<<3 | asText:
			w.rawBody = c.message()
		case 13<<3 | asText: // header_map
			c.expect(w.raw(c.message()))
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

// joined adds a member of the map of headers. One that is there already takes
// its place: that is for the generated types.
func (w *wireCheck) joined(name, v string) (plain bool) {
	if !w.HeadersJoined {
		return false
	}
	name = strings.ToLower(name)
	if w.maybeThere(name) {
		for _, h := range w.Headers {
			if h.Name == name {
				return false
			}
		}
	}
	w.Headers = append(w.Headers, pdp.Header{Name: name, Value: v})
	return true
}

// maybeThere reports whether a name may have come before, and notes it.
func (w *wireCheck) maybeThere(name string) bool {
	sum := uint(len(name))
	for i := range min(len(name), 16) {
		sum = sum*31 + uint(name[len(name)-1-i])
	}
	word, bit := &w.names[sum>>6&3], uint64(1)<<(sum&63)
	there := *word&bit != 0
	*word |= bit
	return there
}

// raw adds the lines of a HeaderMap, which are in the order they were sent.
func (w *wireCheck) raw(message string) (plain bool) {
	c := cursor{rest: message, repeated: 1 << 1}
	if message != "" {
		c.expect(len(w.Headers) == 0) // not in both forms
		w.HeadersJoined = false
	}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			h, plain := readLine(c.message())
			c.expect(plain)
			w.Headers = append(w.Headers, h)
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

// readLine reads a HeaderValue.
func readLine(message string) (h pdp.Header, plain bool) {
	c := cursor{rest: message}
	var raw string
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			h.Name = strings.ToLower(c.text())
		case 2<<3 | asText:
			h.Value = c.text()
		case 3<<3 | asText:
			raw = c.message()
		default:
			c.unusual = true
		}
	}
	if raw != "" {
		h.Value = raw
	}
	return h, !c.unusual
}

// readPair reads a member of a map of strings.
func readPair(message string) (name, v string, plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			name = c.text()
		case 2<<3 | asText:
			v = c.text()
		default:
			c.unusual = true
		}
	}
	return name, v, !c.unusual
}

// readOne reads a message whose first field is a text and the only one.
func readOne(message string, s *string) (plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			*s = c.text()
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

// readTime reads a Timestamp.
func readTime(message string) (t time.Time, plain bool) {
	c := cursor{rest: message}
	var seconds int64
	var nanos int32
	for c.next() {
		switch c.tag {
		case 1<<3 | asVarint:
			seconds = int64(c.number())
		case 2<<3 | asVarint:
			nanos = int32(c.number())
		default:
			c.unusual = true
		}
	}
	return time.Unix(seconds, int64(nanos)).UTC(), !c.unusual
}
