package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/remit-pdp/remit/pdp"
)

// xfccHeader is where Envoy describes the certificates that requests came with
// (configuration/http/http_conn_man/headers: x-forwarded-client-cert).
const xfccHeader = "x-forwarded-client-cert"

// Bounds of the header: longer ones are refused unread.
const maxXFCC, maxElements = 64 << 10, 32

// byXFCC is a listener whose proxy describes the certificate in a header.
type byXFCC struct {
	settings *XFCC
	domains  trustDomains
	proxies  []string
}

func newXFCC(s *XFCC) (*byXFCC, error) {
	domains, err := readTrustDomains(s.TrustDomains)
	if err != nil {
		return nil, err
	}
	for _, proxy := range s.Proxies {
		if _, err := spiffeid.FromString(proxy); err != nil {
			return nil, fmt.Errorf("proxies: %q is not a SPIFFE id: %w", proxy, err)
		}
	}
	return &byXFCC{settings: s, domains: domains, proxies: s.Proxies}, nil
}

// peer returns whom the last element of the header describes: nil where there
// is neither the header nor a peer with a name. Every element before the last
// one is what a client, or a proxy farther away, said about itself.
func (b *byXFCC) peer(e *pdp.Envelope, now time.Time) (*peer, *pdp.Refusal) {
	text, lines := e.Headers.Get(xfccHeader)
	switch {
	case lines == 0 && e.Source.Principal == "":
		return nil, nil
	case lines != 1:
		return nil, refuse("there are %d lines of %s; the proxy must set one", lines, xfccHeader)
	case e.Source.Principal == "":
		return nil, refuse("%s is there, and the connection has no verified peer: nothing proves who wrote it", xfccHeader)
	case len(b.proxies) > 0 && !slices.Contains(b.proxies, e.Source.Principal):
		return nil, refuse("%s came from %q, which is not one of the proxies", xfccHeader, clip(e.Source.Principal))
	}
	last, err := lastElement(text)
	if err != nil {
		return nil, refuse("%s cannot be read: %s", xfccHeader, err)
	}
	p, err := last.peer(now, b.settings.Skew)
	if err != nil {
		return nil, refuse("the last element of %s: %s", xfccHeader, err)
	}
	if len(b.proxies) == 0 && p.id.String() != e.Source.Principal {
		return nil, refuse("the last element of %s is about %q, and the verified peer is %q", xfccHeader, clip(p.id.String()), clip(e.Source.Principal))
	}
	if refusal := b.domains.accept(p.id); refusal != nil {
		return nil, refusal
	}
	return p, nil
}

// An element is one certificate in the header.
type element struct{ uri, hash, certificate []string }

// peer reads what the element says of the certificate. The hash is required:
// it is what a token can be bound to, and the credential's name.
func (l *element) peer(now time.Time, skew time.Duration) (*peer, error) {
	if len(l.uri) != 1 || len(l.hash) != 1 || len(l.certificate) > 1 {
		return nil, errors.New("it must hold one URI, one Hash and at most one Cert")
	}
	id, err := spiffeid.FromString(l.uri[0])
	if err != nil || id.Path() == "" {
		return nil, fmt.Errorf("its URI %q is not the SPIFFE id of a workload", clip(l.uri[0]))
	}
	hash, err := hex.DecodeString(l.hash[0])
	if err != nil || len(hash) != sha256.Size {
		return nil, errors.New("its Hash is not a SHA-256 in hexadecimal")
	}
	p := &peer{id: id, hash: [sha256.Size]byte(hash), known: true}
	if len(l.certificate) == 0 {
		return p, nil
	}
	if p.certificate, err = readCertificate(l.certificate[0]); err != nil {
		return nil, fmt.Errorf("its Cert cannot be read: %w", err)
	}
	stated, err := leaf(p.certificate, now, skew)
	switch {
	case err != nil:
		return nil, err
	case stated != id || sha256.Sum256(p.certificate.Raw) != p.hash:
		return nil, errors.New("its Cert is not the certificate of its URI and Hash")
	}
	return p, nil
}

// lastElement reads the whole header and returns its last element: one that
// cannot be read could be where two readers see different ends.
func lastElement(text string) (last element, err error) {
	if len(text) > maxXFCC {
		return element{}, fmt.Errorf("it is longer than %d bytes", maxXFCC)
	}
	for count := 1; ; count++ {
		if count > maxElements {
			return element{}, fmt.Errorf("it has more than %d elements", maxElements)
		}
		last = element{}
		if text, err = last.read(text); err != nil {
			return element{}, fmt.Errorf("element %d: %w", count, err)
		}
		if text == "" {
			return last, nil
		}
		// What joins header lines writes ", " or ",".
		text = strings.TrimPrefix(text[1:], " ")
	}
}

// read reads one element: pairs of a name and a value, separated by semicolons.
// It returns the rest of the text: empty, or from the comma on.
func (l *element) read(text string) (rest string, err error) {
	for {
		name, after, found := strings.Cut(text, "=")
		if !found || name == "" || strings.ContainsFunc(name, notLetter) {
			return "", errors.New("there is something that is not Name=Value")
		}
		var value string
		if value, rest, err = pairValue(after); err != nil {
			return "", err
		}
		switch strings.ToLower(name) {
		case "uri":
			l.uri = append(l.uri, value)
		case "hash":
			l.hash = append(l.hash, value)
		case "cert":
			l.certificate = append(l.certificate, value)
		}
		if !strings.HasPrefix(rest, ";") {
			return rest, nil
		}
		text = rest[1:]
	}
}

func notLetter(r rune) bool { return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) }

// pairValue reads a value up to a semicolon, a comma or the end. In quotes these
// stand for themselves, and a backslash takes the next byte as it is.
func pairValue(text string) (v, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, `;,`)
		if end < 0 {
			end = len(text)
		}
		if v = text[:end]; strings.ContainsFunc(v, notPlain) {
			return "", "", errors.New("a value has characters that belong in quotes")
		}
		return v, text[end:], nil
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if rest = text[i+1:]; rest != "" && rest[0] != ';' && rest[0] != ',' {
				return "", "", errors.New("there is something behind a quoted value")
			}
			return out.String(), rest, nil
		case c < ' ' || c == 0x7f:
			return "", "", errors.New("a value has control characters")
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", "", errors.New("a quoted value has no end")
}

// notPlain reports whether r may not stand in a value without quotes.
func notPlain(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }
