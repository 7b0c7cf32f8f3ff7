package attributes

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// readBody finds out how much of the body was seen, and reads what was.
func readBody(e *asked, q *pdp.Request) *pdp.Refusal {
	if cut(e) {
		q.BodyState = pdp.BodyTruncated
		return refuse(CodeTruncated, "the proxy cut the body")
	}
	if len(e.Body) == 0 {
		q.BodyState = emptyBody(e)
		return nil
	}
	if rule := wholeBody(e); rule != "" {
		return refuse(CodeBody, rule)
	}
	parsed, rule := parseBody(e)
	if rule != "" {
		return refuse(CodeBody, rule)
	}
	q.Body, q.BodyState = parsed, pdp.BodyComplete
	return nil
}

// cut reports whether the proxy says that there is more of the body.
func cut(e *asked) bool {
	partial, _ := e.header(headerPartial)
	return partial == "true" || e.BodySize < 0
}

// emptyBody tells a request without a body from one whose body was not sent to
// the decision point.
func emptyBody(e *asked) pdp.BodyState {
	length, hasLength := e.header(headerContentLength)
	_, hasEncoding := e.header(headerTransferEncoding)
	if hasLength > 0 && length != "0" || hasEncoding > 0 {
		return pdp.BodyUnseen
	}
	if e.BodySize > 0 {
		return pdp.BodyUnseen
	}
	// From HTTP/2 on a body needs no header that announces it; the proxy's own
	// header is there when it waited for one.
	_, buffered := e.header(headerPartial)
	contentType, _ := e.header(headerContentType)
	announced := strings.HasPrefix(e.Protocol, "HTTP/1.")
	if hasLength == 0 && buffered == 0 && mayHaveBody(e.Method) && (contentType != "" || !announced) {
		return pdp.BodyUnseen
	}
	return pdp.BodyNone
}

func mayHaveBody(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "DELETE":
		return false
	default:
		return true
	}
}

// wholeBody returns the rule that is broken where the bytes may not be what
// the tool gets.
func wholeBody(e *asked) string {
	if e.BodyLossy {
		return "the proxy may have replaced bytes of the body: set pack_as_bytes"
	}
	if length, lines := e.header(headerContentLength); lines > 0 && length != strconv.Itoa(len(e.Body)) {
		return "the body is not as long as content-length says"
	}
	if e.BodySize > 0 && e.BodySize != int64(len(e.Body)) {
		return "the body is not as long as the proxy says"
	}
	if encoding, lines := e.header(headerContentEncoding); lines > 0 && !strings.EqualFold(encoding, "identity") {
		return "the body is encoded (content-encoding)"
	}
	return ""
}

// jsonTypes are the names under which servers read JSON, besides "+json": the
// registered one, and those of the web's sniffing standard and of JSON-RPC.
var jsonTypes = []string{"application/json", "text/json", "application/json-rpc", "application/jsonrequest"}

// parseBody reads the types of body that policies are written about; any other
// type is left unread.
func parseBody(e *asked) (parsed value.Value, rule string) {
	contentType, lines := e.header(headerContentType)
	if lines == 0 {
		if looksLikeJSON(e.Body) {
			return value.Nothing, "the body looks like JSON and no content-type says so: servers differ in whether they read it"
		}
		return value.Nothing, ""
	}
	media, rule := mediaType(contentType)
	switch {
	case rule != "":
		return value.Nothing, rule
	case slices.Contains(jsonTypes, media) || strings.HasSuffix(media, "+json"):
		return parseJSON(e.Body)
	case media == "application/x-www-form-urlencoded":
		return readForm(e.Body, notText)
	case media == "text/plain" && looksLikeJSON(e.Body):
		// A lenient server reads it as JSON; a policy would not have seen it.
		return value.Nothing, "the body is JSON and is called text"
	default:
		return value.Nothing, ""
	}
}

// mediaType returns the type that a content-type names, without its parameters,
// or the rule that it breaks.
func mediaType(contentType string) (media, rule string) {
	if slices.Contains(jsonTypes, contentType) { // as nearly every client writes it
		return contentType, ""
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", "the content-type cannot be read"
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", "the charset is not UTF-8"
	}
	return media, ""
}

func parseJSON(body string) (parsed value.Value, rule string) {
	parsed, err := value.ParseJSON(body)
	if err != nil {
		return value.Nothing, err.Error()
	}
	if value.HasCaseCollision(parsed) {
		return value.Nothing, "two members of an object differ only in case: a reader that ignores case takes another one"
	}
	return parsed, ""
}

func looksLikeJSON(body string) bool {
	trimmed := strings.TrimLeft(body, " \t\r\n\ufeff")
	return trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[')
}
