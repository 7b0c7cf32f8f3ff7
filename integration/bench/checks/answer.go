package checks

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
)

// Answer is what was answered to one question.
type Answer struct {
	ID    [IDSize]byte // of the decision; zero where there was none
	Allow bool
}

// IDSize is the length of a decision's id.
const IDSize = 54

// answer is an Answer, and whether it says that no decision could be made.
type answer struct {
	Answer
	unavailable bool
}

// read reads a CheckResponse as Envoy does. An allow is what has a status that
// is OK and an OkHttpResponse; what Envoy would take for one by mistake is none.
func read(message []byte) (a answer) {
	status, ok := false, false
	fields(message, func(number protowire.Number, field []byte) {
		switch number {
		case 1: // status: a google.rpc.Status; a code of 0 is not encoded
			status = len(field) == 0
		case 2: // denied_response
			a.unavailable = deniedWith(field) == 503
		case 3: // ok_response
			ok = true
		case 4: // dynamic_metadata
			findID(field, &a.ID)
		}
	})
	a.Allow = status && ok
	return a
}

// deniedWith is the HTTP status of a DeniedHttpResponse.
func deniedWith(denied []byte) (code uint64) {
	fields(denied, func(number protowire.Number, field []byte) {
		if number == 1 && len(field) > 1 { // status: an HttpStatus with a code
			code, _ = protowire.ConsumeVarint(field[1:])
		}
	})
	return code
}

// fields visits the members of a message that are messages or bytes.
func fields(message []byte, visit func(protowire.Number, []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return
		}
		if kind == protowire.BytesType {
			field, _ := protowire.ConsumeBytes(message)
			visit(number, field)
		}
		message = message[n:]
	}
}

// findID finds the decision's id in the metadata of an answer: a Struct's field,
// whose Value holds a string.
func findID(metadata []byte, id *[IDSize]byte) {
	name := []byte("decision_id")
	at := bytes.Index(metadata, name)
	if at < 0 {
		return
	}
	head := []byte{2<<3 | 2, IDSize + 2, 3<<3 | 2, IDSize}
	if v := metadata[at+len(name):]; len(v) >= len(head)+IDSize && bytes.HasPrefix(v, head) {
		copy(id[:], v[len(head):])
	}
}
