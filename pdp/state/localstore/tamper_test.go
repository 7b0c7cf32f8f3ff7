package localstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// written is a journal of n records, ended in order.
func written(t *testing.T, n int) (dir string, segment string) {
	t.Helper()
	dir = t.TempDir()
	seed, err := localstore.LoadOrCreateSeed(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(dir, localstore.Options{Keys: keys, SegmentBytes: 64 << 10, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := &state.Entry{Kind: state.Decided, At: int64(i), Record: &state.Record{ID: string(rune('a' + i)), Detail: "the evidence", Count: 1}}
		if err := store.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	more, err2 := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for _, name := range append(found, more...) {
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() && filepath.Base(name) != "seed" && info.Size() > 256 && segment == "" {
			segment = name
		}
	}
	return dir, segment
}

func verify(t *testing.T, dir string) error {
	t.Helper()
	r, err := localstore.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Verify()
	return err
}

// Invariant 8: no byte of what was recorded can be changed unnoticed.
func TestEveryChangedByteIsNoticed(t *testing.T) {
	dir, segment := written(t, 5)
	if err := verify(t, dir); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	end := len(whole)
	for end > 0 && whole[end-1] == 0 {
		end--
	}
	unnoticed := 0
	file, err := os.OpenFile(segment, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at := range end {
		for _, change := range []byte{0x40, 0x80} {
			if _, err := file.WriteAt([]byte{whole[at] ^ change}, int64(at)); err != nil {
				t.Fatal(err)
			}
			if verify(t, dir) == nil {
				unnoticed++
				t.Errorf("byte %d of %s was changed and not noticed", at, filepath.Base(segment))
			}
		}
		if _, err := file.WriteAt(whole[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if end < 400 || unnoticed > 0 {
		t.Errorf("%d bytes tried, %d changes unnoticed", end, unnoticed)
	}
}
