package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// kept is the last good answer of an issuer on disk, so that a restart while
// the issuer is down locks nobody out. Public keys are no secret; the folder is
// trusted as the state beside it is.
type kept struct {
	Issuer  string          `json:"issuer"`
	Fetched time.Time       `json:"fetched"`
	JWKS    json.RawMessage `json:"jwks"`
}

func (s *issuer) path() string {
	sum := sha256.Sum256([]byte(s.name + "\n" + s.from.url + "\n" + names(s.pinned)))
	return filepath.Join(s.options.Dir, "keys-"+hex.EncodeToString(sum[:8])+".json")
}

// keep writes an answer down, in one step.
func (s *issuer) keep(text []byte) {
	if s.options.Dir == "" {
		return
	}
	if err := s.write(kept{s.name, s.options.Now().UTC(), text}); err != nil {
		s.log.Warn("the issuer's keys would not survive a restart", "error", err)
	}
}

func (s *issuer) write(k kept) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.options.Dir, 0o700); err != nil {
		return err
	}
	next := s.path() + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.path())
}

// recall takes up the keys of the last run, with their age; too old ones and
// damaged files are passed over.
func (s *issuer) recall() {
	if s.options.Dir == "" {
		return
	}
	text, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil && k.Issuer != s.name {
		err = fmt.Errorf("they are of the issuer %q", clip(k.Issuer))
	}
	var keys *keySet
	if err == nil {
		keys, err = parseKeys(k.JWKS, s.pinned)
	}
	if err != nil {
		s.log.Warn("the issuer's keys of the last run are not used", "file", s.path(), "error", err)
		return
	}
	h := &held{keys, k.Fetched}
	if age := s.age(h); age <= s.fetch.MaxStale {
		s.current.Store(h)
		s.log.Info("the issuer's keys of the last run are in use until it answers", "age", age.Round(time.Second))
	}
}
