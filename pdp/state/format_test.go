package state_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp/state"
)

// Entries with everything in them are written byte by byte as the versions before
// wrote them. Whoever changes that on purpose changes formatVersion. A new field
// changes what the test makes up, and the sum with it.
func TestTheFormatIsAsItWas(t *testing.T) {
	const want = "780f09fbc21d927e974706a9f69f5e2d28febc4fd477cc86d971d0f019a9b84e"
	random, sum := rand.New(rand.NewPCG(7, 7)), sha256.New()
	for i := range 50 {
		e := new(state.Entry)
		fill(random, reflect.ValueOf(e).Elem())
		vary(random, reflect.ValueOf(e).Elem())
		if i%2 == 0 { // an id as decisions have it
			e.Record.ID = base64.RawURLEncoding.EncodeToString(append(e.Partition[:], make([]byte, 24)...))
		}
		written := e.AppendBinary(nil)
		if again, err := state.DecodeEntry(string(written)); err != nil || !bytes.Equal(again.AppendBinary(nil), written) {
			t.Fatalf("an entry does not come back: %v", err)
		}
		sum.Write(written)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("they are written otherwise: %s", got)
	}
}

// vary makes of the strings and numbers that [fill] set others of every length:
// none, those that have a number, and more than have one; and empties some lists.
func vary(random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		vary(random, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				vary(random, v.Field(i))
			}
		}
	case reflect.Slice:
		if random.IntN(4) == 0 {
			v.SetZero()
			return
		}
		for random.IntN(2) == 0 && v.Len() < 40 {
			v.Set(reflect.AppendSlice(v, v))
		}
		for i := range v.Len() {
			vary(random, v.Index(i))
		}
	case reflect.String:
		words := []string{"", "read", "mcp", "allowed", "tools/call", fmt.Sprint("word", random.IntN(1000)), strings.Repeat("long", random.IntN(100))}
		v.SetString(words[random.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(float64(random.IntN(100)) / 2)
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64() >> random.IntN(64))
	}
}
