package outcome

import (
	"math/bits"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// What an entry says besides is passed over, and looked at only as far as it
// takes to know that protobuf would take it: an entry counts to both readers or
// to neither.

// passCommon passes over a field of an AccessLogCommon.
func passCommon(c *wire.Cursor) {
	switch c.Tag {
	case 1<<3 | wire.AsDouble: // sample_rate
		c.Double()
	case 2<<3 | wire.AsText, 3<<3 | wire.AsText, 14<<3 | wire.AsText, 20<<3 | wire.AsText: // addresses
		_, plain := wire.ReadAddress(c.Message())
		c.Expect(plain)
	case 4<<3 | wire.AsText: // tls_properties
		c.Expect(isTLS(c.Message()))
	case 5<<3 | wire.AsText, 6<<3 | wire.AsText, 7<<3 | wire.AsText, 8<<3 | wire.AsText, 9<<3 | wire.AsText,
		10<<3 | wire.AsText, 11<<3 | wire.AsText, 12<<3 | wire.AsText, 23<<3 | wire.AsText: // a Timestamp and Durations
		c.Expect(areNumbers(c.Message(), 1<<1|1<<2))
	case 15<<3 | wire.AsText, 18<<3 | wire.AsText, 19<<3 | wire.AsText, 25<<3 | wire.AsText, 26<<3 | wire.AsText,
		28<<3 | wire.AsText: // names and reasons
		c.Text()
	default: // intermediate_log_entry and bytes on the wire
		passNumber(c, 1<<27|1<<29|1<<30|1<<31|1<<32)
	}
}

// passRequest passes over a field of an HTTPRequestProperties.
func passRequest(c *wire.Cursor) {
	switch c.Tag {
	case 2<<3 | wire.AsText, 5<<3 | wire.AsText, 6<<3 | wire.AsText, 7<<3 | wire.AsText, 8<<3 | wire.AsText,
		9<<3 | wire.AsText, 10<<3 | wire.AsText: // scheme, path, headers
		c.Text()
	case 4<<3 | wire.AsText: // port
		_, plain := readNumber(c.Message())
		c.Expect(plain)
	case 13<<3 | wire.AsText: // request_headers
		_, _, plain := wire.ReadPair(c.Message())
		c.Expect(plain)
	default: // request_method and bytes of headers
		passNumber(c, 1<<1|1<<11|1<<14|1<<15)
	}
}

// passResponse passes over a field of an HTTPResponseProperties.
func passResponse(c *wire.Cursor) {
	switch c.Tag {
	case 5<<3 | wire.AsText: // response_trailers
		_, _, plain := wire.ReadPair(c.Message())
		c.Expect(plain)
	default: // bytes of headers
		passNumber(c, 1<<2|1<<7|1<<8)
	}
}

// passNumber passes over a number that is one of fields, a bit a number.
func passNumber(c *wire.Cursor, fields uint64) {
	c.Expect(c.Tag&7 == wire.AsVarint && fields>>(c.Tag>>3)&1 != 0)
	c.Number()
}

// areNumbers looks through a message of numbers alone, that are among fields: a
// Timestamp, a Duration, an Unauthorized.
func areNumbers(message string, fields uint64) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		passNumber(&c, fields)
	}
	return !c.Unusual
}

// readNumber reads a google.protobuf.UInt32Value.
func readNumber(message string) (n uint32, plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsVarint:
			n = uint32(c.Number())
		default:
			c.Unusual = true
		}
	}
	return n, !c.Unusual
}

// isTLS looks through a TLSProperties.
func isTLS(message string) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsVarint: // tls_version
			c.Number()
		case 2<<3 | wire.AsText: // tls_cipher_suite
			_, plain := readNumber(c.Message())
			c.Expect(plain)
		case 3<<3 | wire.AsText, 6<<3 | wire.AsText, 7<<3 | wire.AsText: // SNI, session, JA3
			c.Text()
		case 4<<3 | wire.AsText, 5<<3 | wire.AsText: // both sides' certificates
			c.Expect(isCertificate(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

// isCertificate looks through a TLSProperties.CertificateProperties.
func isCertificate(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1 << 1}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText: // subject_alt_name
			c.Expect(isAltName(c.Message()))
		case 2<<3 | wire.AsText, 3<<3 | wire.AsText: // subject and issuer
			c.Text()
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

// isAltName looks through a SubjectAltName, a URI or a DNS name.
func isAltName(message string) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText, 2<<3 | wire.AsText:
			c.Text()
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual && bits.OnesCount64(c.Seen) <= 1 // one of them, not both
}
