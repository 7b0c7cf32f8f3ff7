package extauthz

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/wire"
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
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			c.Expect(w.attributes(c.Message()))
		default:
			c.Unusual = true
		}
	}
	switch {
	case w.rawBody != "":
		w.Body = w.rawBody
	case w.body != "":
		w.Body, w.BodyLossy = w.body, true
	}
	return &w.Envelope, !c.Unusual
}

func (w *wireCheck) attributes(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1 << 10}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			c.Expect(readPeer(c.Message(), &w.Source))
		case 2<<3 | wire.AsText:
			c.Expect(readPeer(c.Message(), &w.Destination))
		case 4<<3 | wire.AsText:
			c.Expect(w.request(c.Message()))
		case 10<<3 | wire.AsText: // context_extensions
			name, v, plain := wire.ReadPair(c.Message())
			c.Expect(plain)
			if w.Extensions == nil {
				w.Extensions = make(map[string]string)
			}
			w.Extensions[name] = v // of one name the last, as in protobuf
		case 11<<3 | wire.AsText: // metadata_context
			var plain bool
			w.Metadata, plain = readMetadata(c.Message())
			c.Expect(plain)
		case 12<<3 | wire.AsText: // tls_session
			var plain bool
			w.ServerName, plain = readSession(c.Message())
			c.Expect(plain)
		case 13<<3 | wire.AsText: // route_metadata_context: only the plugin's form shows it
			_, plain := readMetadata(c.Message())
			c.Expect(plain)
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

func (w *wireCheck) request(message string) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			var plain bool
			w.Sent, plain = readTime(c.Message())
			c.Expect(plain)
		case 2<<3 | wire.AsText:
			w.Network = false
			c.Expect(w.http(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

func (w *wireCheck) http(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1 << 3}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			w.HTTPID = c.Text()
		case 2<<3 | wire.AsText:
			w.Method = c.Text()
		case 3<<3 | wire.AsText: // headers
			name, v, plain := wire.ReadPair(c.Message())
			c.Expect(plain && w.joined(name, v))
		case 4<<3 | wire.AsText:
			w.Path = c.Text()
		case 5<<3 | wire.AsText:
			w.Host = c.Text()
		case 6<<3 | wire.AsText:
			w.Scheme = c.Text()
		case 7<<3 | wire.AsText, 8<<3 | wire.AsText: // query and fragment: always empty, the path has them
			c.Text()
		case 9<<3 | wire.AsVarint:
			w.BodySize = int64(c.Number())
		case 10<<3 | wire.AsText:
			w.Protocol = c.Text()
		case 11<<3 | wire.AsText:
			w.body = c.Text()
		case 12<<3 | wire.AsText:
			w.rawBody = c.Message()
		case 13<<3 | wire.AsText: // header_map
			c.Expect(w.raw(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
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
	c := wire.Cursor{Of: message, Repeated: 1 << 1}
	if message != "" {
		c.Expect(len(w.Headers) == 0) // not in both forms
		w.HeadersJoined = false
	}
	lines := w.Headers
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			h, plain := readLine(c.Message())
			c.Expect(plain)
			lines = append(lines, h)
		default:
			c.Unusual = true
		}
	}
	w.Headers = lines
	return !c.Unusual
}

// readLine reads a HeaderValue.
func readLine(message string) (h pdp.Header, plain bool) {
	if name, raw, usual := wire.Two(message, 3<<3|wire.AsText); usual {
		name, plain = lower(name)
		return pdp.Header{Name: name, Value: raw}, plain
	}
	c := wire.Cursor{Of: message}
	var raw string
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			h.Name = strings.ToLower(c.Text())
		case 2<<3 | wire.AsText:
			h.Value = c.Text()
		case 3<<3 | wire.AsText:
			raw = c.Message()
		default:
			c.Unusual = true
		}
	}
	if raw != "" {
		h.Value = raw
	}
	return h, !c.Unusual
}

// lower is the name of a header in lower case, in which proxies send nearly all;
// plain says that it is UTF-8.
func lower(name string) (_ string, plain bool) {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.ToLower(name), utf8.ValidString(name)
		}
	}
	return name, true
}

// readSession reads an AttributeContext.TLSSession.
func readSession(message string) (sni string, plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			sni = c.Text()
		default:
			c.Unusual = true
		}
	}
	return sni, !c.Unusual
}

// readTime reads a Timestamp.
func readTime(message string) (t time.Time, plain bool) {
	c := wire.Cursor{Of: message}
	var seconds int64
	var nanos int32
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsVarint:
			seconds = int64(c.Number())
		case 2<<3 | wire.AsVarint:
			nanos = int32(c.Number())
		default:
			c.Unusual = true
		}
	}
	return time.Unix(seconds, int64(nanos)).UTC(), !c.Unusual
}
