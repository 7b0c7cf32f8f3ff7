package localstore

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
)

// Ending is what [Reader.VerifyEnd] found at the end of a journal that is as it
// was written.
type Ending struct {
	Path    string // of the segment that was read
	Entries int    // in it
	Seals   int    // that what stands before them was held against
	Newest  time.Time
}

// VerifyEnd checks the newest segment of the journal: the checksum of every entry,
// and against each seal what came since the one before. It reads one file,
// whatever the journal's length; only [Reader.Verify] notices what was changed
// before. A journal with nothing in it ends at nothing.
func (r *Reader) VerifyEnd() (Ending, error) {
	list, err := segments(r.dir, r.keys.Name())
	if err != nil {
		return Ending{}, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		v := ending{Ending: Ending{Path: list[i].path}, keyName: r.keys.Name(), key: r.keys.Seal().Public().(ed25519.PublicKey)}
		if err := v.segment(list[i]); err != nil {
			return v.Ending, err
		}
		if v.Entries+v.sealed > 0 {
			return v.Ending, nil
		}
	}
	return Ending{}, nil
}

// ending takes in the entries of one segment. What the chain was before them it
// learns from the first seal that says so.
type ending struct {
	Ending
	keyName string
	key     ed25519.PublicKey
	sealed  int // how many seals there are
	// from is where links began without a gap; chain is the chain before them, once
	// known.
	from  state.Position
	links []linked
	known bool
	chain chain
}

// linked is an entry that is not in the chain yet.
type linked struct {
	at      state.Position
	kind    uint8
	payload []byte
}

// segment reads a segment from its beginning; entries that are being written, or
// that a crash left so, are stepped over.
func (v *ending) segment(file segmentFile) error {
	v.from, v.known = state.Position(file.first), file.first == 0
	var from state.Position
	for {
		next, end, err := file.read(from, v.take)
		if err != nil || end != atPending {
			return err
		}
		word, err := file.wordAt(next)
		if err != nil || wordKind(word) == kindEnd {
			return err
		}
		// It may be accepted by now, and a seal behind it vouch for it.
		from = next + state.Position(space(wordLength(word)))
		v.from, v.known, v.links = from, false, nil
	}
}

func (v *ending) take(at state.Position, kind uint8, payload []byte) error {
	switch kind {
	case kindSeal:
		v.sealed++
		if err := v.check(payload); err != nil {
			return fmt.Errorf("at position %d: %w", at, err)
		}
	case kindEntry:
		v.Entries++
		e, err := state.DecodeEntry(string(payload))
		if err != nil {
			return unread(at, err)
		}
		if when := time.Unix(0, e.At); when.After(v.Newest) {
			v.Newest = when
		}
	}
	// What is read is gone when the file is closed: the entry is copied.
	v.links = append(v.links, linked{at, kind, slices.Clone(payload)})
	return nil
}

// check holds a seal against the chain since the seal before. The first one is
// taken at its word, which is signed.
func (v *ending) check(payload []byte) error {
	s, err := readSeal(payload, v.keyName, v.key)
	if err != nil {
		return err
	}
	for len(v.links) > 0 && v.links[0].at < s.upto {
		one := v.links[0]
		v.chain, v.links = v.chain.next(one.at, one.kind, one.payload), v.links[1:]
	}
	if v.known {
		if v.chain != s.chain {
			return fmt.Errorf("what was sealed is not what is there now: %w", ErrCorrupt)
		}
		v.Seals++
	}
	v.chain, v.known = s.chain, s.upto >= v.from
	return nil
}
