package localstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remit-pdp/remit/pdp"
)

// seedFile holds the secret that all keys of a state directory come from.
const seedFile = "seed"

// LoadOrCreateSeed returns the key seed of a state directory, and makes both
// the first time. The seed and the rest of the directory belong together: a
// directory that has a journal and no seed is refused, and so is a seed that
// others can read.
func LoadOrCreateSeed(dir string) ([]byte, error) {
	path := filepath.Join(dir, seedFile)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	seed, err := LoadSeed(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return seed, err
	}
	journals, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return nil, err
	}
	if len(journals) > 0 {
		return nil, fmt.Errorf("%s is missing, and %s was made with it: put it back from your backup", path, journals[0])
	}
	return createSeed(dir, path)
}

// LoadSeed returns the key seed of a state directory. It makes nothing; the
// error wraps [fs.ErrNotExist] where there is no seed.
func LoadSeed(dir string) ([]byte, error) {
	path := filepath.Join(dir, seedFile)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %o): chmod 600 it, and think of it as known to them", path, info.Mode().Perm())
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(seed) != pdp.SeedSize {
		return nil, fmt.Errorf("%s has %d bytes, want %d: put it back from your backup", path, len(seed), pdp.SeedSize)
	}
	return seed, nil
}

func createSeed(dir, path string) ([]byte, error) {
	seed := make([]byte, pdp.SeedSize)
	rand.Read(seed) // never fails since Go 1.24
	// Written beside and renamed: a crash leaves no half of a seed.
	if err := os.WriteFile(path+".tmp", seed, 0o600); err != nil {
		return nil, err
	}
	if err := os.Link(path+".tmp", path); err != nil {
		return nil, fmt.Errorf("write the key seed: %w", err)
	}
	return seed, errors.Join(os.Remove(path+".tmp"), syncDir(dir))
}
