package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remit-pdp/remit/pdp/state"
)

// A cursor remembers how far a sink is: it has everything before the position.
type cursor struct{ path string }

// kept is what the file holds.
type kept struct {
	Position state.Position `json:"position"`
}

// load returns the position to go on from; 0 where the sink is new.
func (c cursor) load() (state.Position, error) {
	text, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var is kept
	if err := json.Unmarshal(text, &is); err != nil {
		return 0, fmt.Errorf("%s does not say how far the export is: remove it to export everything again: %w", c.path, err)
	}
	return is.Position, nil
}

// save makes the position durable: the old one or the new one is there, never
// half of either.
func (c cursor) save(at state.Position) error {
	text, err := json.Marshal(kept{at})
	if err != nil {
		return err
	}
	return writeWhole(c.path, append(text, '\n'))
}

// writeWhole writes a file such that it is there whole or not at all.
func writeWhole(path string, text []byte) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	return errors.Join(os.Rename(path+".tmp", path), syncDir(filepath.Dir(path)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
