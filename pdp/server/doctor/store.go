package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// store judges the state directory.
func store(s *signs) (found []Finding) {
	dir := s.config.State.Dir
	if errors.Is(s.stateErr, fs.ErrNotExist) {
		if s.live.answers {
			return []Finding{elsewhere(s)}
		}
		return []Finding{wrong(Warning, "there is no state yet", dir, "where remit has served before, its history and revocations are gone", "nothing before the first start; else put the directory back, or correct state.dir")}
	}
	if s.stateErr != nil {
		return []Finding{wrong(Error, s.stateErr.Error(), dir, "remit serve does not start", "run doctor as the user who runs remit, or give the directory back to that user")}
	}
	found = append(found, permissions(s)...)
	found = append(found, seed(s)...)
	return append(found, holder(s), disk(s))
}

// permissions judges who may look into the directory and change it.
func permissions(s *signs) []Finding {
	dir, mode := s.config.State.Dir, s.state.Mode.Perm()
	what := fmt.Sprintf("the directory belongs to user %d, mode %o", s.state.Owner, mode)
	switch {
	case mode&0o022 != 0:
		return []Finding{wrong(Error, what, dir, "others can put a journal of their own in its place", "chmod 700 "+dir)}
	case mode&0o055 != 0:
		return []Finding{wrong(Warning, what, dir, "others see who did what", "chmod 700 "+dir)}
	case !s.state.Held && s.state.Owner != os.Getuid() && os.Getuid() != 0:
		return []Finding{wrong(Warning, what+"; you are user "+fmt.Sprint(os.Getuid()), dir, "a remit that you start cannot open it", "start remit as that user")}
	}
	return []Finding{good(what, dir)}
}

// seed judges the secret that all keys of the directory come from.
func seed(s *signs) []Finding {
	path := filepath.Join(s.config.State.Dir, "seed")
	switch {
	case s.seedErr == nil:
		return nil
	case errors.Is(s.seedErr, fs.ErrNotExist) && s.state.Segments == 0:
		return []Finding{good("the directory has no journal yet", s.config.State.Dir)}
	case errors.Is(s.seedErr, fs.ErrPermission):
		return []Finding{wrong(Error, s.seedErr.Error(), path, "neither the journal nor its clock can be examined", "run doctor as the user who runs remit")}
	default:
		return []Finding{wrong(Error, s.seedErr.Error(), path, "without it the journal cannot be read, and remit serve does not start", "chmod 600 it, or put it back from your backup")}
	}
}

// holder judges who has the directory open, beside who answers.
func holder(s *signs) Finding {
	dir := s.config.State.Dir
	switch {
	case s.state.Held && s.live.answers:
		return good("process "+s.state.Holder+" has it open: the remit that serves", dir)
	case s.state.Held:
		return wrong(Error, fmt.Sprintf("process %s has it open, and nothing answers at health.address: %v", s.state.Holder, s.live.err), dir,
			"a remit that hangs, starts, or was started with another health.address; a second one cannot start beside it",
			"look at that process (its log, kill -QUIT for its stacks); end it if it is not to serve")
	case s.live.answers:
		return elsewhere(s)
	default:
		return wrong(Warning, "nobody has it open: remit is not serving", dir, "Envoy answers 503 to everything that would be decided here", "remit serve")
	}
}

func elsewhere(s *signs) Finding {
	return wrong(Error, "what answers at health.address does not use this state", s.config.State.Dir,
		"another remit, or another configuration, serves: nothing said here about state is about it", "give doctor the configuration that remit serve was given")
}

// Of how many more segments there should be room: one is needed when the next is
// made, and a snapshot takes some as well.
const fewSegments = 4

// disk judges how long the journal can go on.
func disk(s *signs) Finding {
	size := uint64(s.config.State.SegmentBytes)
	left := s.state.Free / size
	what := fmt.Sprintf("%d MiB are free: %d more segments of %d MiB", s.state.Free>>20, left, size>>20)
	const why = "when the next segment cannot be made, every decision is denied (unavailable)"
	switch {
	case left < 1:
		return wrong(Error, what, s.config.State.Dir, why, "make room on that disk; remit goes on by itself")
	case left < fewSegments:
		return wrong(Warning, what, s.config.State.Dir, why, "make room on that disk")
	}
	return good(what, s.config.State.Dir)
}

// journal judges the end of the journal: as much as can be read in a moment.
func journal(s *signs) []Finding {
	switch {
	case s.stateErr != nil || s.seedErr != nil || s.state.Segments == 0:
		return nil // the store's examination says why
	case s.endErr != nil:
		return []Finding{wrong(Error, s.endErr.Error(), s.config.State.Dir, "somebody changed it, or the disk did: what was spent and revoked is not known for sure, and remit does not start with it",
			"keep a copy as evidence, see what remit log verify says, and put back a backup")}
	}
	return []Finding{good(fmt.Sprintf("its newest segment is as it was written: %d entries, %d seals (remit log verify reads all of it)", s.end.Entries, s.end.Seals), s.end.Path)}
}
