package state_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// material is real entries and partitions, of every kind there is.
func material(t testing.TB) (entries, partitions [][]byte) {
	t.Helper()
	r := newRoom(t, plan{})
	random := rand.New(rand.NewPCG(3, 3))
	var open []string
	for range 150 {
		r.play(random, &open)
	}
	r.agent = pdp.Agent{}
	r.act(pdp.Verdict{})
	if err := r.store.Append(context.Background(), &state.Entry{Kind: state.Activated, At: 1, Generation: "g"}); err != nil {
		t.Fatal(err)
	}
	err := r.store.Entries(context.Background(), 0, func(_ state.Position, e *state.Entry) error {
		entries = append(entries, e.AppendBinary(nil))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.all() {
		partitions = append(partitions, []byte(p))
	}
	return entries, partitions
}

// Whatever is read is written the same; whatever is cut or goes on is refused.
func TestCodecRoundTrip(t *testing.T) {
	entries, partitions := material(t)
	for _, b := range entries {
		e, err := state.DecodeEntry(string(b))
		if err != nil || !bytes.Equal(e.AppendBinary(nil), b) {
			t.Fatalf("an entry does not come back: %v", err)
		}
		for _, bad := range [][]byte{nil, b[:len(b)-1], b[:len(b)/2], append(bytes.Clone(b), 0), append([]byte{99}, b[1:]...)} {
			if _, err := state.DecodeEntry(string(bad)); err == nil {
				t.Errorf("%d of %d bytes were read", len(bad), len(b))
			}
		}
	}
	for _, b := range partitions {
		p, err := state.DecodePartition(string(b))
		if err != nil || !bytes.Equal(p.AppendBinary(nil), b) {
			t.Fatalf("a partition does not come back: %v", err)
		}
		for cut := range len(b) {
			if _, err := state.DecodePartition(string(b[:cut])); err == nil {
				t.Fatalf("%d of %d bytes were read", cut, len(b))
			}
		}
	}
}

// Nothing of an entry or a partition is left out of its encoding: every field
// that can be set comes back.
func TestCodecLeavesNothingOut(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		e, p := new(state.Entry), new(state.Partition)
		fill(random, reflect.ValueOf(e).Elem())
		fill(random, reflect.ValueOf(p).Elem())
		e2, err := state.DecodeEntry(string(e.AppendBinary(nil)))
		if err != nil || !reflect.DeepEqual(e, e2) {
			t.Fatalf("%v\n%+v\n%+v", err, e, e2)
		}
		p2, err := state.DecodePartition(string(p.AppendBinary(nil)))
		if err != nil || !reflect.DeepEqual(p, p2) {
			t.Fatalf("%v\n%+v\n%+v", err, p, p2)
		}
	}
}

// What was written before there were orders is read as it was meant, and written
// the same: the format has not changed for it.
func TestWhatWasWrittenBeforeOrders(t *testing.T) {
	const (
		decided = "BAKAgKjd5oz0xjQBAAAAAAAAAAAAAAAAAAABAQEAAWQABAEAAAEBAQEBGgEBAQABAQEBAQABcwEBAQEBAQEAA2FwaQEBAQABAAEAAAEAAAIBAAAEcm9vdAEA" +
			"ABoBAT4CGgEBAQACe30BgYDFi8bRAQABAD4EAAAAPwEAAAAAAAAAAAEAAAEABnNlY3JldAABAAEAAAABAQ=="
		revoked   = "BAiAgKjd5oz0xjQAAAAAAAAAAAAAAAAAAAAAAAAAAAEDcl8xBWFnZW50AQAIaGlqYWNrZWQAA2FkYRqAgKjd5oz0xjQAAQE="
		partition = "BAEAAAAAAAAAAAAAAAAAAAGAgKjd5oz0xjQABHJvb3QBAQEAAAAAAAAAAAAAAAEAAXM/AhoBARoBAAJ7fQEBEQABAYGAxYvG0QEAAAAAAAAAAQEAAAECAQIBAANhcGkC" +
			"AAEAAAAAAAAAAAAAAQECAAECAQECAAECAQECAAECAQAGc2VjcmV0AQFBAAABAQECQQEBARoBGgEBAQFCAQFBAAAAAQE/wJ+MHgIAAAABAhoBAT8AAAAAAA=="
	)
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	e, err := state.DecodeEntry(unbase64(t, decided))
	if err != nil || e.At != at.UnixNano() || e.Effects.Labels[0] != "secret" || e.Ordering != nil || e.Revoking != nil {
		t.Errorf("a decision is %+v, %v", e, err)
	}
	r, err := state.DecodeEntry(unbase64(t, revoked))
	if err != nil || r.Revoking.Subject != "agent" || r.Revoking.Reason != "hijacked" || r.Ordering != nil {
		t.Errorf("a revocation is %+v, %v", r, err)
	}
	p, err := state.DecodePartition(unbase64(t, partition))
	if err != nil || !p.Sessions["s"].Quarantined || p.Sessions["s"].Labels[0].Name != "secret" || p.Sessions["s"].Cleared != nil {
		t.Errorf("a partition is %+v, %v", p, err)
	}
	for text, written := range map[string][]byte{decided: e.AppendBinary(nil), revoked: r.AppendBinary(nil), partition: p.AppendBinary(nil)} {
		if base64.StdEncoding.EncodeToString(written) != text {
			t.Errorf("%s is written in another way", text)
		}
	}
}

func unbase64(t *testing.T, text string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fill sets everything that is exported to something that is not zero.
func fill(random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(random, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(random, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(random, v.Index(0))
		fill(random, v.Index(1))
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(random, key)
			fill(random, item)
			v.SetMapIndex(key, item)
		}
	case reflect.String:
		v.SetString(string(rune('a' + random.IntN(26))))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(random.Float64() + 1)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(1 + random.Int64N(100))
	default:
		v.SetUint(1 + random.Uint64N(100))
	}
}

// Any bytes are read or refused, never with a panic; what is read is written
// and read to the same again.
func FuzzDecodeEntry(f *testing.F) {
	entries, _ := material(f)
	for i, b := range entries {
		if i%10 == 0 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := state.DecodeEntry(string(b))
		if err != nil {
			return
		}
		again := e.AppendBinary(nil)
		second, err := state.DecodeEntry(string(again))
		if err != nil || !bytes.Equal(second.AppendBinary(nil), again) {
			t.Errorf("%x is read and does not come back: %v", b, err)
		}
	})
}

func FuzzDecodePartition(f *testing.F) {
	_, partitions := material(f)
	for _, b := range partitions {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := state.DecodePartition(string(b))
		if err != nil {
			return
		}
		again := p.AppendBinary(nil)
		second, err := state.DecodePartition(string(again))
		if err != nil || !bytes.Equal(second.AppendBinary(nil), again) {
			t.Errorf("%x is read and does not come back: %v", b, err)
		}
		p.Forgettable(1 << 60) // nothing read can break what looks at it
	})
}
