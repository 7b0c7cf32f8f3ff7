package localstore

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A horizon is where a journal begins whose oldest segments were removed in
// order: the position of the first segment that is kept, and the chain of
// everything before it. It is signed as a seal is, so that nobody else can take
// segments away from the front:
//
//	magic, first (8), chain (32), signature (64)
//
// A journal that is kept whole has none.
type horizon struct {
	first uint64
	chain chain
	body  []byte // what is signed, and the signature; empty where there is none
}

// horizonMagic ends with the format: see [magic].
const horizonMagic = "remit-h1"

const (
	horizonFile = "horizon"
	horizonBody = len(horizonMagic) + 8 + len(chain{})
)

func (h horizon) encode(keyName string, key ed25519.PrivateKey) []byte {
	b := binary.BigEndian.AppendUint64([]byte(horizonMagic), h.first)
	b = append(b, h.chain[:]...)
	return append(b, ed25519.Sign(key, beyond(keyName, b))...)
}

func beyond(keyName string, body []byte) []byte {
	return bytes.Join([][]byte{[]byte("remit journal horizon 1"), []byte(keyName), body}, []byte{0})
}

// readHorizon reads where the journal in dir begins. Whether it is true, check
// says: reading a journal needs no keys.
func readHorizon(dir string) (horizon, error) {
	path := filepath.Join(dir, horizonFile)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return horizon{}, nil
	case err != nil:
		return horizon{}, err
	case otherFormat(string(b), horizonMagic):
		return horizon{}, inFile(path, formatError(string(b), horizonMagic))
	case len(b) != horizonBody+ed25519.SignatureSize || string(b[:len(horizonMagic)]) != horizonMagic:
		return horizon{}, fmt.Errorf("%s does not say where the journal begins: %w", path, ErrCorrupt)
	}
	b, at := bytes.Clone(b), len(horizonMagic)
	return horizon{first: binary.BigEndian.Uint64(b[at:]), chain: chain(b[at+8 : horizonBody]), body: b}, nil
}

// check says whether the horizon was made with the journal's keys.
func (h horizon) check(dir, keyName string, key ed25519.PublicKey) error {
	if len(h.body) > 0 && !ed25519.Verify(key, beyond(keyName, h.body[:horizonBody]), h.body[horizonBody:]) {
		return fmt.Errorf("%s was not signed with these keys: %w", filepath.Join(dir, horizonFile), ErrCorrupt)
	}
	return nil
}

// write puts the horizon in force: it is there whole or not at all, and on the
// disk before anything that lies beyond it is removed.
func (h horizon) write(dir, keyName string, key ed25519.PrivateKey) error {
	path := filepath.Join(dir, horizonFile)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(h.encode(keyName, key))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	return errors.Join(os.Rename(path+".tmp", path), syncDir(dir))
}
