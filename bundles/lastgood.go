package bundles

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LastGood is a folder (mode 0700) with a copy of the bundle that was
// activated last, so that it serves on when its source is gone.
type LastGood string

// Kept is what [LastGood] keeps.
type Kept struct {
	Source   string    // [Source.String]
	At       time.Time // when it was activated
	Snapshot Snapshot
}

const (
	keptFile   = "last-good"
	keptHeader = "remit last good 1 sha256:" // the digest of all that follows, in hex, and a line's end
)

// Keep replaces the copy. What was kept before is kept until the new copy is
// on the disk, whole.
func (l LastGood) Keep(k *Kept) error {
	body, err := json.Marshal(k)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	text := append([]byte(keptHeader+hex.EncodeToString(sum[:])+"\n"), body...)
	if err := l.WriteFile(keptFile, text); err != nil {
		return fmt.Errorf("keep a copy of the policy: %w", err)
	}
	return nil
}

// Read returns the copy. The error wraps [io/fs.ErrNotExist] where there is
// none; a copy that is damaged is never returned.
func (l LastGood) Read() (*Kept, error) {
	path := filepath.Join(string(l), keptFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	header, body, _ := bytes.Cut(text, []byte("\n"))
	sum := sha256.Sum256(body)
	if string(header) != keptHeader+hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%s is damaged and is not used: bring the policy's source back, or remove the file", path)
	}
	k := &Kept{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(k); err != nil {
		return nil, fmt.Errorf("%s is of another version of remit and is not used: %w", path, err)
	}
	return k, nil
}

// WriteFile writes a file of the folder such that it is the old or the new one
// at any moment, after a loss of power too.
func (l LastGood) WriteFile(name string, text []byte) error {
	if err := os.MkdirAll(string(l), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(string(l), name+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // gone already where all went well
	if _, err := file.Write(text); err != nil {
		file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), filepath.Join(string(l), name)); err != nil {
		return err
	}
	return syncDir(string(l))
}

// syncDir makes a renaming last.
func syncDir(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	return opened.Sync()
}
