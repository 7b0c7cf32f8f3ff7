package localstore

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// chain is SHA-256 over everything accepted so far, entry by entry.
type chain [sha256.Size]byte

// next returns the chain with one more entry.
func (c chain) next(at state.Position, kind uint8, payload []byte) chain {
	var room [1024]byte // for most entries: it is on the stack
	b := binary.BigEndian.AppendUint64(append(room[:0], c[:]...), uint64(at))
	return sha256.Sum256(append(append(b, kind), payload...))
}

// A seal says what the chain was before position upto, and whether the journal
// was ended in order with it.
type seal struct {
	upto   state.Position
	chain  chain
	closed bool
}

const sealBody = 8 + sha256.Size + 1

func (s seal) encode(keyName string, key ed25519.PrivateKey) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.upto))
	b = append(b, s.chain[:]...)
	if s.closed {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, ed25519.Sign(key, sealed(keyName, b))...)
}

func readSeal(b []byte, keyName string, key ed25519.PublicKey) (seal, error) {
	if len(b) != sealBody+ed25519.SignatureSize {
		return seal{}, fmt.Errorf("a seal has the wrong length: %w", ErrCorrupt)
	}
	if !ed25519.Verify(key, sealed(keyName, b[:sealBody]), b[sealBody:]) {
		return seal{}, fmt.Errorf("a seal was not signed with these keys: %w", ErrCorrupt)
	}
	return seal{upto: state.Position(binary.BigEndian.Uint64(b)), chain: chain(b[8:sealBody]), closed: b[sealBody-1] == 1}, nil
}

func sealed(keyName string, body []byte) []byte {
	return bytes.Join([][]byte{[]byte("remit journal seal 1"), []byte(keyName), body}, []byte{0})
}

// sealer walks behind the writers and seals what they have written.
type sealer struct {
	journal *journal
	key     ed25519.PrivateKey
	first   uint64         // of the segment that is being taken in
	at      state.Position // of the next entry to take in
	chain   chain
	passed  atomic.Uint64 // the first byte of that segment, for others to read
	fresh   bool          // something other than a seal came since the last seal
	pace    *pdp.Pace
	taken   int // entries
	stop    chan struct{}
	done    chan struct{}
	failed  func(error)
}

// paceEvery is how many entries are taken in, in some microseconds, between two
// looks at the clock, which takes a tenth as long as an entry.
const paceEvery = 16

// sealEvery is how long an entry stays unsealed, at most, while the process
// lives.
const sealEvery = time.Second

func (s *sealer) run() {
	defer close(s.done)
	ticker := time.NewTicker(sealEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			if err := s.seal(false); err != nil {
				s.failed(fmt.Errorf("seal the journal: %w", err))
			}
		}
	}
}

// seal takes in what came since the last time and appends a seal.
func (s *sealer) seal(closing bool) error {
	if closing {
		s.pace = nil
	}
	if err := s.advance(); err != nil {
		return err
	}
	if !s.fresh && !closing {
		return nil
	}
	now := seal{upto: s.at, chain: s.chain, closed: closing}
	ctx, cancel := context.WithTimeout(context.Background(), sealEvery)
	defer cancel()
	if _, err := s.journal.append(ctx, kindSeal, now.encode(s.journal.keyName, s.key), false); err != nil {
		return err
	}
	s.fresh = false
	return nil
}

// advance takes in accepted entries, up to the first that is not: it may be
// taken in the next time.
func (s *sealer) advance() error {
	for {
		next, end, behind, err := s.read()
		if err != nil {
			return err
		}
		if s.at = next; end != atEnd {
			return nil
		}
		s.first = behind
		s.passed.Store(s.first)
		s.at = state.Position(s.first) + segmentHead
	}
}

// read takes in what is new in a segment, and returns where that ended and where
// the next segment begins. The one that is being written is read where the writers
// have it: to map and unmap it every second would hold them up for milliseconds.
func (s *sealer) read() (next state.Position, end scanEnd, behind uint64, err error) {
	if live := s.journal.current.Load(); live.first == s.first && live.enter() {
		defer live.leave()
		next, end, err = readMapped(live.mapping, live.first, s.at, s.take)
		return next, end, live.first + uint64(len(live.bytes)), err
	}
	file, err := statSegment(filepath.Join(s.journal.dir, segmentName(s.first)))
	if err != nil {
		return s.at, atTail, 0, err
	}
	next, end, err = file.read(s.at, s.take)
	return next, end, file.first + uint64(file.size), err
}

// take takes an entry in, at a pace: there are thousands in a busy second.
func (s *sealer) take(at state.Position, kind uint8, payload []byte) error {
	s.chain = s.chain.next(at, kind, payload)
	s.fresh = s.fresh || kind != kindSeal
	if s.taken++; s.taken%paceEvery == 0 {
		s.pace.Step()
	}
	return nil
}
