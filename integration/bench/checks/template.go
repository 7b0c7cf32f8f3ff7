package checks

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What stands in a template where each question has its own: texts that occur
// nowhere else, as long as what takes their place.
const (
	streamMark  = "7000000000000000007"                  // Envoy's id of the stream
	requestMark = "00000000-0000-4000-8000-0000000000ff" // x-request-id
	ticketMark  = "TK00000"                              // the number of a ticket
	uniqueMark  = "<<unique>>"                           // in a text that an agent writes
)

// The time in a template: both parts as long, in protobuf's encoding, as those
// of any time that takes its place.
var timeMark = timestamppb.New(time.Unix(1_700_000_000, 999_999_999))

// template is a CheckRequest in protobuf's encoding, and where the parts are
// that each question has of its own; those that it does not have are empty.
type template struct {
	message                                      []byte
	token, stream, request, time, ticket, unique []int
}

// newTemplate encodes a check in which token stands for the token.
func newTemplate(check *authv3.CheckRequest, token string) (*template, error) {
	check.Attributes.Request.Time = timeMark
	message, err := proto.Marshal(check)
	if err != nil {
		return nil, err
	}
	at, err := proto.Marshal(timeMark)
	if err != nil {
		return nil, err
	}
	t := &template{message: message}
	t.token, t.stream, t.request = places(message, token), places(message, streamMark), places(message, requestMark)
	t.time, t.ticket, t.unique = places(message, string(at)), places(message, ticketMark), places(message, uniqueMark)
	if len(t.token) != 1 || len(t.stream) != 1 || len(t.request) != 1 || len(t.time) != 1 {
		return nil, fmt.Errorf("a check needs one token, one id of each kind and one time: %v", t)
	}
	return t, nil
}

func places(message []byte, mark string) (at []int) {
	for from := 0; ; {
		i := bytes.Index(message[from:], []byte(mark))
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(mark)
	}
}

// fill writes a question's own parts into m, a copy of the template.
func (t *template) fill(m []byte, now time.Time, token string, ticket, unique uint64) {
	copy(m[t.token[0]:], token)
	putDecimal(m[t.stream[0]:][:len(streamMark)], 1_000_000_000_000_000_000+rand.Uint64N(8_000_000_000_000_000_000))
	putRequestID(m[t.request[0]:])
	putTime(m[t.time[0]:], now)
	for _, at := range t.ticket {
		putDecimal(m[at+2:][:len(ticketMark)-2], ticket) // behind the letters
	}
	for _, at := range t.unique {
		putDecimal(m[at:][:len(uniqueMark)], unique)
	}
}

// requestID is the id (x-request-id) in a question made of this template.
func (t *template) requestID(m []byte) string {
	return string(m[t.request[0]:][:len(requestMark)])
}

func putDecimal(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}

// putRequestID writes a UUID of version 4.
func putRequestID(b []byte) {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	hex.Encode(b, raw[:4])
	hex.Encode(b[9:], raw[4:6])
	hex.Encode(b[14:], raw[6:8])
	hex.Encode(b[19:], raw[8:10])
	hex.Encode(b[24:], raw[10:])
}

// putTime writes a Timestamp whose parts are five bytes each: every second
// since 1978, and nanoseconds from 2^28 on.
func putTime(b []byte, now time.Time) {
	nanos := uint64(now.Nanosecond())
	if nanos < 1<<28 {
		nanos += 1 << 28
	}
	b[0] = 1 << 3
	binary.PutUvarint(b[1:], uint64(now.Unix()))
	b[6] = 2 << 3
	binary.PutUvarint(b[7:], nanos)
}
