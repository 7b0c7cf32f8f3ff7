package localstore

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/remit-pdp/remit/pdp/state"
)

// Report is what [Verify] found in a journal that is as it was written.
type Report struct {
	Begin    state.Position // of what is kept; what was before it was removed in order
	Segments int
	Entries  int  // entries of state, seals not counted
	Seals    int  //
	Unsealed int  // entries after the last seal
	Closed   bool // the journal was ended in order
	// Voids are entries that a crash kept from being accepted.
	Voids int
	// Pending are entries that are being written, or that a crash left so.
	Pending int
}

// Verify reads the journal in dir from the first byte that is kept and checks
// every entry against the seals. It returns an error that wraps [ErrCorrupt] and names file
// and byte where an entry was changed, taken out, put in or moved, where a
// segment is missing, and where a journal that was ended in order is cut. A
// journal that is being written may be verified; what is not sealed yet is
// counted.
func Verify(dir, keyName string, key ed25519.PublicKey) (report Report, err error) {
	for range 3 {
		if report, err = verify(dir, keyName, key); !errors.Is(err, errOvertaken) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return report, err
}

// errOvertaken says that a seal is for an entry that is not accepted. In a
// journal that is being written it may be by now; in any other it was changed. The
// same goes for a first segment that was there a moment ago.
var errOvertaken = fmt.Errorf("a sealed entry is not accepted any more: %w", ErrCorrupt)

func verify(dir, keyName string, key ed25519.PublicKey) (Report, error) {
	// The snapshot comes first: what it reaches was in the journal before.
	newest, err := newestSnapshot(dir, keyName)
	if err != nil && !errors.Is(err, errNoSnapshot) {
		return Report{}, err
	}
	list, err := segments(dir, keyName)
	if err != nil {
		return Report{}, err
	}
	if len(list) == 0 {
		return Report{}, fmt.Errorf("%s holds no journal", dir)
	}
	begin, err := readHorizon(dir)
	if err != nil {
		return Report{}, err
	}
	if err := begin.check(dir, keyName, key); err != nil {
		return Report{}, err
	}
	if list[0].first != begin.first {
		return Report{}, errOvertaken
	}
	v := newVerifier(begin, keyName, key)
	for i, file := range list {
		v.Report.Segments++
		end, err := v.segment(file, 0)
		if err != nil {
			return v.Report, err
		}
		if end != atEnd {
			ahead := nothingIn(list[i+1:])
			if ahead == nil {
				break
			}
			// A writer may have gone on meanwhile. It ends a segment before it
			// writes to the next one, so a second look finds that end.
			if end, err = v.segment(file, v.end); err != nil || end != atEnd {
				return v.Report, errors.Join(err, ahead)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, segmentName(file.first+uint64(file.size)))); err != nil {
			return v.Report, errors.Join(file.goesOn(), err)
		}
	}
	return v.Report, v.against(newest)
}

// segment takes in the entries of a segment from a position on. Those that
// are reserved and not accepted are stepped over, as the writers do.
func (v *verifier) segment(file segmentFile, from state.Position) (scanEnd, error) {
	for {
		next, end, err := file.read(from, v.take)
		if err != nil {
			return end, inFile(file.path, err)
		}
		v.end = next
		if end != atPending {
			if end == atTail {
				err = file.endsAt(next)
			}
			return end, err
		}
		word, err := file.wordAt(next)
		if err != nil || wordKind(word) == kindEnd {
			return end, err // the end of a segment that is being ended is where it is found again
		}
		v.Pending++
		v.pending = append(v.pending, next)
		from = next + state.Position(space(wordLength(word)))
	}
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

// newVerifier stands at the beginning of a journal.
func newVerifier(begin horizon, keyName string, key ed25519.PublicKey) verifier {
	return verifier{Report: Report{Begin: state.Position(begin.first)}, keyName: keyName, key: key, chain: begin.chain}
}

type verifier struct {
	Report
	keyName string
	key     ed25519.PublicKey
	chain   chain
	// before holds the chain before each position since the last seal.
	before []link
	end    state.Position
	// pending are the entries that were stepped over.
	pending []state.Position
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
	if len(v.pending) > 0 && v.pending[0] < s.upto {
		return errOvertaken
	}
	if s.upto < v.Begin { // of what was removed: the horizon's signature speaks for it
		v.Seals++
		return nil
	}
	// Nothing lies between upto and the first entry that is not before it: the
	// rest of a segment, where the seal was written to the next one.
	found := false
	first := slices.IndexFunc(v.before, func(l link) bool { return l.at >= s.upto })
	if first >= 0 {
		l := v.before[first]
		found = l.chain == s.chain
	}
	if !found {
		return fmt.Errorf("what was sealed is not what is there now: %w", ErrCorrupt)
	}
	v.Seals++
	v.Unsealed, v.Closed = len(v.before)-1-first, s.closed
	v.before = v.before[first:]
	return nil
}

// against notices a tail that is gone: a snapshot holds more than the journal.
func (v *verifier) against(newest *snapshot) error {
	if newest != nil && newest.reached > v.end {
		return fmt.Errorf("%s reaches position %d, the journal ends at %d: its end is gone: %w", newest.path, newest.reached, v.end, ErrCorrupt)
	}
	return nil
}

func inFile(path string, err error) error { return fmt.Errorf("%s: %w", path, err) }
