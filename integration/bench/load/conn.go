package load

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"
)

const (
	frameHead = 9
	// maxFrame is the largest frame either side sends: HTTP/2's default.
	maxFrame = 16384
	// ourWindow is what the server may send before it is told to go on, as
	// much as Envoy lets it.
	ourWindow = 1 << 28
	// maxInFlight bounds the streams of a connection: the ring of calls.
	maxInFlight = 1024
)

// conn is one HTTP/2 connection. It belongs to one goroutine.
type conn struct {
	fd     int
	target string
	in     []byte // read and not looked at yet
	out    []byte // to be written
	header []byte // the block of a request's headers, once they are known to the server

	// What may still be sent, on the connection and on a new stream.
	window, streamWindow int64
	waiting              []piece
	consumed             int64 // read of ourWindow
	nextStream           uint32
	calls                [maxInFlight]*Call
	inFlight             int
	decoder              *hpack.Decoder
	status               string // grpc-status of the block that is being decoded
	log                  *stream
}

// piece is data that waits for a window.
type piece struct {
	stream uint32
	log    bool
	data   []byte
	end    bool
}

// stream is the one long stream that outcomes go by.
type stream struct {
	id     uint32
	window int64
}

// dial connects to "unix:PATH" or "HOST:PORT" and says hello; the server's
// settings come with its first answer.
func dial(address, target string) (*conn, error) {
	fd, err := connect(address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c := &conn{fd: fd, target: target, window: 65535, streamWindow: 65535, nextStream: 1}
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			c.status = f.Value
		}
	})
	c.out = append(c.out, http2.ClientPreface...)
	c.frame(http2.FrameSettings, 0, 0, []byte{
		0, byte(http2.SettingEnablePush), 0, 0, 0, 0,
		0, byte(http2.SettingInitialWindowSize), ourWindow >> 24, 0, 0, 0,
	})
	c.frame(http2.FrameWindowUpdate, 0, 0, be32(ourWindow-65535))
	return c, nil
}

func connect(address string) (int, error) {
	var to unix.Sockaddr
	family := unix.AF_UNIX
	if path, local := strings.CutPrefix(address, "unix:"); local {
		to = &unix.SockaddrUnix{Name: path}
	} else {
		tcp, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			return 0, err
		}
		if ip := tcp.IP.To4(); ip != nil {
			family, to = unix.AF_INET, &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(ip)}
		} else {
			family, to = unix.AF_INET6, &unix.SockaddrInet6{Port: tcp.Port, Addr: [16]byte(tcp.IP.To16())}
		}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = unix.Connect(fd, to)
	if err == nil && family != unix.AF_UNIX {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func (c *conn) close() error { return unix.Close(c.fd) }

// frame appends a frame to what is to be written.
func (c *conn) frame(kind http2.FrameType, flags http2.Flags, stream uint32, payload []byte) {
	c.out = appendHead(c.out, len(payload), kind, flags, stream)
	c.out = append(c.out, payload...)
}

func appendHead(b []byte, length int, kind http2.FrameType, flags http2.Flags, stream uint32) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// begin opens a stream with a request's headers and returns its number. A number
// whose place in the ring is taken by a call that waits for long is passed over.
func (c *conn) begin() uint32 {
	for c.calls[c.nextStream/2%maxInFlight] != nil {
		c.nextStream += 2
	}
	id := c.nextStream
	c.nextStream += 2
	if c.header == nil {
		// The first block puts the headers into the server's table; from the
		// second on a byte each names them.
		var block strings.Builder
		encoder := hpack.NewEncoder(&block)
		c.encode(encoder)
		c.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, []byte(block.String()))
		block.Reset()
		c.encode(encoder)
		c.header = []byte(block.String())
		return id
	}
	c.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, c.header)
	return id
}

// encode writes what Envoy's gRPC client sends.
func (c *conn) encode(e *hpack.Encoder) {
	fields := [][2]string{
		{":method", "POST"}, {":path", c.target}, {":authority", "remit"}, {":scheme", "http"},
		{"te", "trailers"}, {"content-type", "application/grpc"}, {"x-envoy-internal", "true"}, {"x-forwarded-for", "10.4.0.3"},
	}
	if c.target == checkMethod { // the other one is a stream without end
		fields = append(fields, [2]string{"grpc-timeout", "500m"})
	}
	for _, f := range fields {
		// A strings.Builder takes everything.
		if err := e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			panic(err)
		}
	}
}

// send asks: a stream of its own, the message, and the end of it.
func (c *conn) send(call *Call) {
	id := c.begin()
	call.stream = id
	c.calls[id/2%maxInFlight] = call
	c.inFlight++
	c.data(piece{stream: id, data: call.message, end: true})
}

// call is the call of a stream that is open; nil of one that has ended, also where
// a later one has its place.
func (c *conn) call(id uint32) *Call {
	if call := c.calls[id/2%maxInFlight]; call != nil && call.stream == id {
		return call
	}
	return nil
}

// data sends a gRPC message with its head in front, now if the windows are
// open, else as soon as they are.
func (c *conn) data(p piece) {
	for len(c.waiting) == 0 && c.fits(&p) {
		if c.put(&p) {
			return
		}
	}
	c.waiting = append(c.waiting, p)
}

// fits reports whether a piece, or the next frame of it, may be sent.
func (c *conn) fits(p *piece) bool {
	n := int64(min(len(p.data), maxFrame))
	return n <= c.window && (!p.log || n <= c.log.window)
}

// put sends the next frame of a piece, and reports whether that was all of it.
func (c *conn) put(p *piece) bool {
	n := min(len(p.data), maxFrame)
	var flags http2.Flags
	if p.end && n == len(p.data) {
		flags = http2.FlagDataEndStream
	}
	c.frame(http2.FrameData, flags, p.stream, p.data[:n])
	c.window -= int64(n)
	if p.log {
		c.log.window -= int64(n)
	}
	p.data = p.data[n:]
	return len(p.data) == 0
}

// pump sends what waits, as far as the windows are open.
func (c *conn) pump() {
	done := 0
	for done < len(c.waiting) && c.fits(&c.waiting[done]) {
		if c.put(&c.waiting[done]) {
			done++
		}
	}
	c.waiting = c.waiting[:copy(c.waiting, c.waiting[done:])]
}

func be32(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
