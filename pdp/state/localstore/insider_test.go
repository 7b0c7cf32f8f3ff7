package localstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Whoever can write the file can compute a checksum. The seals notice: they
// are signed, over everything before them.
func TestAnInsiderWithTheChecksumIsNoticed(t *testing.T) {
	dir := t.TempDir()
	seed, err := LoadOrCreateSeed(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(dir, Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	evidence := &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "a", Detail: "the evidence", Count: 1}}
	if err := errors.Join(store.Append(context.Background(), evidence), store.Close()); err != nil {
		t.Fatal(err)
	}
	list, err := segments(dir, keys.Name())
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	path := list[0].path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, filepath.Base(path))
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	forge(t, whole)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Verify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a forged record was not noticed: %v", err)
	}
	if _, err := reader.VerifyEnd(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a forged record at the end was not noticed: %v", err)
	}
}

// forge changes a record and makes its checksum fit.
func forge(t *testing.T, segment []byte) {
	t.Helper()
	for at := int64(segmentHead); at+entryHead < int64(len(segment)); {
		word := binary.LittleEndian.Uint64(segment[at:])
		length := wordLength(word)
		payload := segment[at+entryHead : at+entryHead+length]
		if i := bytes.Index(payload, []byte("the evidence")); i >= 0 {
			copy(payload[i:], "a forgery!!!")
			binary.LittleEndian.PutUint32(segment[at+8:], checksum(wordKind(word), payload))
			return
		}
		at += space(length)
	}
	t.Fatal("the record was not found in the journal")
}
