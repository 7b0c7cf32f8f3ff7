package policy

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// reservedHeaders begin the names of headers that only remit itself sets.
const reservedHeaders = "x-remit-"

// maxBody bounds the body a policy gives a denial; Envoy's configuration cuts
// it at as much.
const maxBody = 16 << 10

// readResponse reads the HTTP keys, which are the plugin's.
func readResponse(r *reading) pdp.Response {
	p := pdp.Response{
		Status:          int(r.member("http_status").integer(0, 200, 599)),
		Body:            r.member("body").sent(),
		Headers:         readHeaders(r.member("headers")),
		ResponseHeaders: readHeaders(r.member("response_headers_to_add")),
		RemoveHeaders:   r.member("request_headers_to_remove").strs(),
		SetQuery:        readQuery(r.member("query_parameters_to_set")),
		RemoveQuery:     r.member("query_parameters_to_remove").list(),
	}
	if p.Status != 0 && http.StatusText(p.Status) == "" {
		r.member("http_status").wrong("is not a status that HTTP knows")
	}
	if len(p.Body) > maxBody {
		r.member("body").wrong("has more than %d bytes", maxBody)
	}
	for i, name := range p.RemoveHeaders {
		r.member("request_headers_to_remove").headerName(name)
		p.RemoveHeaders[i] = strings.ToLower(name)
	}
	return p
}

// headerName checks the name of a header: a pseudo-header decides where the
// request goes, and what remit says about itself is remit's.
func (r *reading) headerName(name string) {
	switch {
	case strings.HasPrefix(name, ":") || strings.EqualFold(name, "host"):
		r.wrong("names %q, which a decision may not change", name)
	case !httpguts.ValidHeaderFieldName(name):
		r.wrong("names a header that HTTP does not allow")
	case strings.HasPrefix(strings.ToLower(name), reservedHeaders):
		r.wrong("names %q: %s is reserved", name, reservedHeaders)
	}
}

// readHeaders reads an object of header values, each a string or a list.
func readHeaders(r *reading) (headers pdp.Headers) {
	r.members(func(name string, member *reading) {
		member.headerName(name)
		for _, text := range member.texts() {
			if !httpguts.ValidHeaderFieldValue(text) {
				member.wrong("has a value that HTTP does not allow")
			}
			headers = append(headers, pdp.Header{Name: strings.ToLower(name), Value: text})
		}
	})
	return headers
}

func readQuery(r *reading) (parameters pdp.Headers) {
	r.members(func(name string, member *reading) {
		if !utf8.ValidString(name) {
			member.wrong("has a name that is not UTF-8")
		}
		for _, text := range member.texts() {
			parameters = append(parameters, pdp.Header{Name: name, Value: text})
		}
	})
	return parameters
}

// texts reads a string or a list of strings.
func (r *reading) texts() []string {
	if r.of.Kind() == value.Array {
		return r.list()
	}
	return []string{r.sent()}
}

// list reads a list of strings that the answer is made of.
func (r *reading) list() (texts []string) {
	r.each(func(item *reading) { texts = append(texts, item.sent()) })
	return texts
}

// sent reads a string that the answer is made of. It may be made of what the
// caller sent, and an answer that is not UTF-8 cannot be encoded: the proxy
// would get an error in place of a denial (invariant 1).
func (r *reading) sent() string {
	text := r.str()
	if !utf8.ValidString(text) {
		r.wrong("is not UTF-8")
	}
	return text
}
