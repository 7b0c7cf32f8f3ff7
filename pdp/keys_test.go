package pdp_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

func newKeys(t *testing.T, first byte) *pdp.Keys {
	t.Helper()
	seed := make([]byte, pdp.SeedSize)
	seed[0] = first
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeysAreStableAndDiffer(t *testing.T) {
	a, again, b := newKeys(t, 1), newKeys(t, 1), newKeys(t, 2)
	if a.Name() != again.Name() || a.Fingerprint("jwt", "x") != again.Fingerprint("jwt", "x") || !bytes.Equal(a.Seal(), again.Seal()) {
		t.Error("the same seed gives other keys")
	}
	if a.Name() == b.Name() || a.Fingerprint("jwt", "x") == b.Fingerprint("jwt", "x") {
		t.Error("another seed gives the same keys")
	}
	if a.Fingerprint("jwt", "x") == a.Fingerprint("key", "x") {
		t.Error("the kind is not part of the fingerprint")
	}
	one, two := a.Partition(pdp.Principal{Issuer: "ab", ID: "c"}), a.Partition(pdp.Principal{Issuer: "a", ID: "bc"})
	if one == two {
		t.Error("issuer and id run into each other")
	}
	if _, err := pdp.NewKeys(make([]byte, 16)); err == nil {
		t.Error("a short seed was taken")
	}
}

func TestIDs(t *testing.T) {
	keys := newKeys(t, 1)
	ids := pdp.NewIDs(keys)
	partition := keys.Partition(pdp.Principal{ID: "root"})
	id := ids.New(partition)
	if again := ids.New(partition); again == id {
		t.Fatal("the same id twice")
	}
	if got, err := ids.Partition(id); err != nil || got != partition {
		t.Fatalf("got %s, %v", got, err)
	}
	if _, err := pdp.NewIDs(newKeys(t, 2)).Partition(id); !errors.Is(err, pdp.ErrForged) {
		t.Errorf("made with other keys: %v", err)
	}
	// Every single bit counts.
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		if _, err := ids.Partition(base64.RawURLEncoding.EncodeToString(raw)); !errors.Is(err, pdp.ErrForged) {
			t.Fatalf("bit %d does not count", bit)
		}
		raw[bit/8] ^= 1 << (bit % 8)
	}
	last := id[len(id)-1] // of its six bits the last four are zero
	for _, bad := range []string{
		"", "x", id[:len(id)-1], id + "A", strings.Repeat("A", 54), id + "=", id + "\n", id[:53] + "\n", id[:53] + string(last+1),
	} {
		if _, err := ids.Partition(bad); !errors.Is(err, pdp.ErrForged) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestStamp(t *testing.T) {
	keys, now := newKeys(t, 1), time.Unix(1_800_000_000, 0)
	d := pdp.Decision{ID: "decision", Digest: [32]byte{1}}
	stamp := keys.Stamp(&d, now)
	if id, err := keys.CheckStamp(stamp, d.Digest, now.Add(time.Minute), time.Minute); err != nil || id != "decision" {
		t.Fatalf("got %q, %v", id, err)
	}
	forged := map[string]func() error{
		"too old": func() error {
			_, err := keys.CheckStamp(stamp, d.Digest, now.Add(61*time.Second), time.Minute)
			return err
		},
		"from later": func() error {
			_, err := keys.CheckStamp(stamp, d.Digest, now.Add(-61*time.Second), time.Minute)
			return err
		},
		"another action": func() error { _, err := keys.CheckStamp(stamp, [32]byte{2}, now, time.Minute); return err },
		"another key":    func() error { _, err := newKeys(t, 2).CheckStamp(stamp, d.Digest, now, time.Minute); return err },
		"another id": func() error {
			_, err := keys.CheckStamp(strings.Replace(stamp, "id=decision", "id=other", 1), d.Digest, now, time.Minute)
			return err
		},
		"another time": func() error {
			_, err := keys.CheckStamp(strings.Replace(stamp, "t=1800000000", "t=1800000001", 1), d.Digest, now, time.Minute)
			return err
		},
		"empty":   func() error { _, err := keys.CheckStamp("", d.Digest, now, time.Minute); return err },
		"another": func() error { _, err := keys.CheckStamp("v2"+stamp[2:], d.Digest, now, time.Minute); return err },
	}
	for name, check := range forged {
		if err := check(); !errors.Is(err, pdp.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
