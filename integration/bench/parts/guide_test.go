package parts

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// shipped is what the compiler is guided by.
var shipped = filepath.Join("..", "..", "..", "cmd", "remit", "default.pgo")

// What the compiler is guided by is of decisions as they are made now: where this
// fails, `make guide` writes it anew.
func TestTheCompilersGuideIsOfDecisions(t *testing.T) {
	stacks, err := Read(t.Context(), shipped)
	if err != nil {
		t.Fatal(err)
	}
	var all, decisions time.Duration
	for i := range stacks {
		all += stacks[i].Time
		if slices.ContainsFunc([]string{ours + ".(*Point).answer", ours + "/policy/compiled.(*Program).eval"}, stacks[i].has) {
			decisions += stacks[i].Time
		}
	}
	if all < 30*time.Second || decisions < all/2 {
		t.Errorf("%v of %v are decisions", decisions, all)
	}
	for _, p := range []string{"outcomes", "policy", "identity", "attributes", "journal", "state", "transport"} {
		if Share(Of(stacks), p) == 0 {
			t.Errorf("nothing of it is of %s", p)
		}
	}
}

// A guide has every text but those that say where it was made.
func TestAGuideSaysNotWhereItWasMade(t *testing.T) {
	var profile []byte
	for _, text := range []string{"", "samples", "/home/somebody/build/remit", "pdp.(*Point).answer"} {
		profile = protowire.AppendTag(profile, texts, protowire.BytesType)
		profile = protowire.AppendString(profile, text)
	}
	profile = protowire.AppendVarint(protowire.AppendTag(profile, 9, protowire.VarintType), 7)
	guide, err := Guide(zip(t, profile))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := unzip(t, guide), bytes.Replace(profile, []byte("\x1a/home/somebody/build/remit"), []byte{0}, 1); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	kept, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Guide(kept)
	if err != nil || !bytes.Equal(unzip(t, again), unzip(t, kept)) {
		t.Errorf("the one that ships says where it was made, or %v", err)
	}
	for _, bad := range []string{"", "no profile", string(zip(t, []byte("\x32\x7fcut off")))} {
		if _, err := Guide([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "read the profile: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func zip(t *testing.T, text []byte) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return zipped.Bytes()
}

func unzip(t *testing.T, zipped []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
