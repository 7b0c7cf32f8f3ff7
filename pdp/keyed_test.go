package pdp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
)

// plainly is what [keyed] must return, the long way.
func plainly(secret []byte, parts ...string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return [sha256.Size]byte(mac.Sum(nil))
}

// Whoever used the key before, and whoever does so beside, changes nothing.
func TestKeyedIsHMAC(t *testing.T) {
	secret := []byte("a secret of thirty-two bytes, ...")
	key := newMACKey(secret)
	lists := [][]string{
		nil, {""}, {"", ""}, {"a"}, {"ab", "c"}, {"a", "bc"}, {strings.Repeat("x", 55)}, {strings.Repeat("x", 56)},
		{strings.Repeat("long ", 3000), "short"}, {"short"},
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				for _, parts := range lists {
					if keyed(key, parts...) != plainly(secret, parts...) {
						t.Errorf("another hash of %d parts", len(parts))
					}
				}
			}
		})
	}
	all.Wait()
}

// Between two messages nothing of the first is kept.
func TestKeyedKeepsNothing(t *testing.T) {
	key := newMACKey(make([]byte, 32))
	s := key.atRest.New().(*macState)
	for _, n := range []int{10, keptMessage, keptMessage + 1} {
		s.message = append(s.message, strings.Repeat("s", n)...)
		s.sum[0] = 1
		s.rest(key)
		if strings.Contains(string(s.message[:cap(s.message)]), "s") || cap(s.message) > keptMessage || s.sum != [sha256.Size]byte{} {
			t.Errorf("after %d bytes something is kept", n)
		}
	}
}

func BenchmarkKeyed(b *testing.B) {
	key := newMACKey(make([]byte, 32))
	b.ReportAllocs()
	for b.Loop() {
		keyed(key, "https://idp.example.test", "user:ada")
	}
}

func BenchmarkKeyedPlainly(b *testing.B) {
	secret := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		plainly(secret, "https://idp.example.test", "user:ada")
	}
}
