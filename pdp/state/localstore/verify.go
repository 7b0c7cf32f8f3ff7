package localstore

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/remit-pdp/remit/pdp/state"
)

// Report is what [Verify] found in a journal that is as it was written.
type Report struct {
	Segments int
	Entries  int  // entries of state, seals not counted
	Seals    int  //
	Unsealed int  // entries after the last seal
	Closed   bool // the journal was ended in order
	// Voids are entries that a crash kept from being accepted.
	Voids int
}

// Verify reads the journal in dir from its first byte and checks every entry
// against the seals. It returns an error that wraps [ErrCorrupt] and names file
// and byte where an entry was changed, taken out, put in or moved, where a
// segment is missing, and where a journal that was ended in order is cut. A
// journal that is being written may be verified; what is not sealed yet is
// counted.
func Verify(dir, keyName string, key ed25519.PublicKey) (Report, error) {
	list, err := segments(dir, keyName)
	if err != nil {
		return Report{}, err
	}
	if len(list) == 0 {
		return Report{}, fmt.Errorf("%s holds no journal", dir)
	}
	if list[0].first != 0 {
		return Report{}, fmt.Errorf("%s is not the first segment: %w", list[0].path, ErrCorrupt)
	}
	v := verifier{keyName: keyName, key: key}
	for i, file := range list {
		v.Report.Segments++
		next, end, err := file.read(0, v.take)
		if err != nil {
			return v.Report, inFile(file.path, err)
		}
		v.end = next
		if end != atEnd {
			if err := errors.Join(file.endsAt(next), nothingIn(list[i+1:])); err != nil {
				return v.Report, err
			}
			break
		}
	}
	return v.Report, v.againstSnapshot(dir)
}

// nothingIn checks that segments made ahead are empty.
func nothingIn(ahead []segmentFile) error {
	for _, file := range ahead {
		_, _, err := file.read(0, func(state.Position, uint8, []byte) error {
			return fmt.Errorf("entries go on after the end of the segment before: %w", ErrCorrupt)
		})
		if err != nil {
			return inFile(file.path, err)
		}
	}
	return nil
}

type verifier struct {
	Report
	keyName string
	key     ed25519.PublicKey
	chain   chain
	// before holds the chain before each position since the last seal.
	before []link
	end    state.Position
}

type link struct {
	at    state.Position
	chain chain
}

func (v *verifier) take(at state.Position, kind uint8, payload []byte) error {
	v.before = append(v.before, link{at, v.chain})
	if kind == kindSeal {
		if err := v.check(at, payload); err != nil {
			return fmt.Errorf("at position %d: %w", at, err)
		}
	}
	v.chain = v.chain.next(at, kind, payload)
	switch kind {
	case kindEntry:
		v.Entries++
		v.Unsealed++
		v.Closed = false
	case kindVoid:
		v.Voids++
	}
	return nil
}

// check holds a seal against the chain before the position it names.
func (v *verifier) check(at state.Position, payload []byte) error {
	s, err := readSeal(payload, v.keyName, v.key)
	if err != nil {
		return err
	}
	found := false
	unsealed := 0
	for _, l := range v.before {
		if l.at == s.upto {
			found = l.chain == s.chain
			unsealed = 0
		}
		if l.at >= s.upto && l.at < at {
			unsealed++
		}
	}
	if !found {
		return fmt.Errorf("what was sealed is not what is there now: %w", ErrCorrupt)
	}
	v.Seals++
	v.Unsealed, v.Closed = unsealed, s.closed
	v.before = v.before[len(v.before)-1-unsealed:]
	return nil
}

// againstSnapshot notices a tail that is gone: a snapshot holds more than the
// journal.
func (v *verifier) againstSnapshot(dir string) error {
	newest, err := newestSnapshot(dir, v.keyName)
	if err != nil {
		if errors.Is(err, errNoSnapshot) {
			return nil
		}
		return err
	}
	if newest.reached > v.end {
		return fmt.Errorf("%s reaches position %d, the journal ends at %d: its end is gone: %w", newest.path, newest.reached, v.end, ErrCorrupt)
	}
	return nil
}

func inFile(path string, err error) error { return fmt.Errorf("%s: %w", path, err) }
