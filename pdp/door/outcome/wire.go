package outcome

import (
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// usual is about how many bytes an entry has.
const usual = 512

// fromWire reads the entries of a message. It returns false where the message is
// not plain: what it says is for the generated types to tell. The first message
// of a stream is not plain, for it says who sends it, nor is one of TCP logs.
//
// The numbers in it are those of envoy/service/accesslog/v3/als.proto and
// envoy/data/accesslog/v3/accesslog.proto.
func fromWire(message string) (entries []entry, plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 2<<3 | wire.AsText: // http_logs
			var plain bool
			entries, plain = readEntries(c.Message())
			c.Expect(plain)
		default:
			c.Unusual = true
		}
	}
	return entries, !c.Unusual
}

// readEntries reads an HTTPAccessLogEntries.
func readEntries(message string) (entries []entry, plain bool) {
	entries = make([]entry, 0, len(message)/usual+1)
	c := wire.Cursor{Of: message, Repeated: 1 << 1}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			entries = append(entries, entry{})
			c.Expect(entries[len(entries)-1].read(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return entries, !c.Unusual
}

// read reads an HTTPAccessLogEntry.
func (e *entry) read(message string) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			c.Expect(e.readCommon(c.Message()))
		case 2<<3 | wire.AsVarint: // protocol_version
			c.Number()
		case 3<<3 | wire.AsText:
			c.Expect(e.readRequest(c.Message()))
		case 4<<3 | wire.AsText:
			c.Expect(e.readResponse(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

// readCommon reads an AccessLogCommon.
func (e *entry) readCommon(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1 << 22}
	for c.Next() {
		switch c.Tag {
		case 13<<3 | wire.AsText: // upstream_remote_address
			var plain bool
			e.upstream, plain = wire.ReadAddress(c.Message())
			c.Expect(plain)
		case 16<<3 | wire.AsText: // response_flags
			c.Expect(e.readFlags(c.Message()))
		case 17<<3 | wire.AsText: // metadata
			var plain bool
			e.id, plain = readID(c.Message())
			c.Expect(plain)
		case 22<<3 | wire.AsText: // custom_tags
			name, tag, plain := wire.ReadPair(c.Message())
			c.Expect(plain)
			if name == idTag {
				e.tag = tag // of one name the last, as in protobuf
			}
		case 24<<3 | wire.AsVarint: // upstream_request_attempt_count
			e.attempts = uint32(c.Number())
		case 33<<3 | wire.AsVarint: // access_log_type
			e.kind = datav3.AccessLogType(c.Number())
		default:
			passCommon(&c)
		}
	}
	return !c.Unusual
}

// readID reads the decision's id in a Metadata, all of which is looked through.
func readID(metadata string) (id string, plain bool) {
	ours, plain := wire.Lookup(metadata, authzNamespace, wire.IsStruct)
	field, _ := wire.Lookup(ours, idField, wire.IsValue)
	return wire.TextOf(field), plain
}

// flags are those of a ResponseFlags that are set or not: 1 to 28, but for
// unauthorized_details.
const flags = (1<<29 - 1<<1) &^ (1 << 13)

// readFlags reads a ResponseFlags.
func (e *entry) readFlags(message string) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 2<<3 | wire.AsVarint, // no_healthy_upstream
			6<<3 | wire.AsVarint, // upstream_connection_failure
			8<<3 | wire.AsVarint, // upstream_overflow
			9<<3 | wire.AsVarint: // no_route_found
			e.never = c.Number() != 0 || e.never
		case 13<<3 | wire.AsText: // unauthorized_details
			e.unauthorized = true
			c.Expect(areNumbers(c.Message(), 1<<1))
		default:
			passNumber(&c, flags)
		}
	}
	return !c.Unusual
}

// readRequest reads an HTTPRequestProperties.
func (e *entry) readRequest(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1 << 13}
	for c.Next() {
		switch c.Tag {
		case 3<<3 | wire.AsText:
			e.authority = c.Text()
		case 12<<3 | wire.AsVarint: // request_body_bytes
			e.sent = c.Number()
		default:
			passRequest(&c)
		}
	}
	return !c.Unusual
}

// readResponse reads an HTTPResponseProperties.
func (e *entry) readResponse(message string) (plain bool) {
	c := wire.Cursor{Of: message, Repeated: 1<<4 | 1<<5}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText: // response_code
			var plain bool
			e.status, plain = readNumber(c.Message())
			c.Expect(plain)
		case 3<<3 | wire.AsVarint: // response_body_bytes
			e.received = c.Number()
		case 4<<3 | wire.AsText: // response_headers
			name, header, plain := wire.ReadPair(c.Message())
			c.Expect(plain)
			if name == contentTypeHeader {
				e.contentType = header // of one name the last, as in protobuf
			}
		case 6<<3 | wire.AsText: // response_code_details
			e.details = c.Text()
		default:
			passResponse(&c)
		}
	}
	return !c.Unusual
}
