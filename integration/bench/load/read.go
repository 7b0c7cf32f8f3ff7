package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// flush writes what is to be written, as far as the socket takes it.
func (c *conn) flush() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("write: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return nil
}

// fill reads what the socket has.
func (c *conn) fill() error {
	const room = 1 << 16
	for {
		if cap(c.in)-len(c.in) < room {
			c.in = append(make([]byte, 0, max(4*room, 2*cap(c.in))), c.in...)
		}
		n, err := unix.Read(c.fd, c.in[len(c.in):cap(c.in)])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case n == 0:
			return fmt.Errorf("the server closed the connection: %w", io.ErrUnexpectedEOF)
		}
		c.in = c.in[:len(c.in)+n]
		return nil
	}
}

// frames looks at every whole frame that was read; answered is told of calls
// that are over.
func (c *conn) frames(answered func(*Call)) error {
	at := 0
	for len(c.in)-at >= frameHead {
		head := c.in[at:]
		length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if len(head) < frameHead+length {
			break
		}
		id := binary.BigEndian.Uint32(head[5:9]) & (1<<31 - 1)
		err := c.take(http2.FrameType(head[3]), http2.Flags(head[4]), id, head[frameHead:frameHead+length], answered)
		if err != nil {
			return err
		}
		at += frameHead + length
	}
	c.in = c.in[:copy(c.in, c.in[at:])]
	c.pump()
	return nil
}

func (c *conn) take(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte, answered func(*Call)) error {
	switch kind {
	case http2.FrameSettings:
		return c.settings(flags, payload)
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			c.frame(http2.FramePing, http2.FlagPingAck, 0, payload)
		}
	case http2.FrameWindowUpdate:
		c.widen(id, int64(binary.BigEndian.Uint32(payload)))
	case http2.FrameData:
		return c.answer(id, payload)
	case http2.FrameHeaders:
		return c.headers(flags, id, payload, answered)
	case http2.FrameRSTStream:
		if c.call(id) == nil {
			return nil // it had ended; the server lets go of it
		}
		return c.over(id, fmt.Sprintf("stream reset: %s", http2.ErrCode(binary.BigEndian.Uint32(payload))), answered)
	case http2.FrameGoAway:
		return fmt.Errorf("the server sends the connection away: %q", payload[8:])
	default:
		return fmt.Errorf("frame %s of stream %d was not expected: %q", kind, id, payload)
	}
	return nil
}

func (c *conn) settings(flags http2.Flags, payload []byte) error {
	if flags.Has(http2.FlagSettingsAck) {
		return nil
	}
	for s := payload; len(s) >= 6; s = s[6:] {
		if http2.SettingID(binary.BigEndian.Uint16(s)) == http2.SettingInitialWindowSize {
			window := int64(binary.BigEndian.Uint32(s[2:]))
			if c.log != nil {
				c.log.window += window - c.streamWindow
			}
			c.streamWindow = window
		}
	}
	c.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, nil)
	return nil
}

func (c *conn) widen(id uint32, by int64) {
	switch {
	case id == 0:
		c.window += by
	case c.log != nil && c.log.id == id:
		c.log.window += by
	}
}

// answer keeps a part of a call's answer.
func (c *conn) answer(id uint32, payload []byte) error {
	call := c.call(id)
	if call == nil {
		return fmt.Errorf("data on stream %d, which is not open", id)
	}
	call.answer = append(call.answer, payload...)
	if c.consumed += int64(len(payload)); c.consumed > ourWindow/2 {
		c.frame(http2.FrameWindowUpdate, 0, 0, be32(uint32(c.consumed)))
		c.consumed = 0
	}
	return nil
}

// headers reads the headers that begin an answer or the trailers that end it.
func (c *conn) headers(flags http2.Flags, id uint32, payload []byte, answered func(*Call)) error {
	if !flags.Has(http2.FlagHeadersEndHeaders) {
		return fmt.Errorf("headers of stream %d in more than one frame", id)
	}
	c.status = ""
	if _, err := c.decoder.Write(payload); err != nil {
		return fmt.Errorf("headers of stream %d: %w", id, err)
	}
	if !flags.Has(http2.FlagHeadersEndStream) {
		return nil
	}
	return c.over(id, c.status, answered)
}

// over ends a call.
func (c *conn) over(id uint32, status string, answered func(*Call)) error {
	call := c.call(id)
	if call == nil {
		return fmt.Errorf("stream %d ends with %q, and is no call", id, status)
	}
	c.calls[id/2%maxInFlight] = nil
	c.inFlight--
	call.status = status
	answered(call)
	return nil
}
