package bundles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Tarball is a file with a bundle as `opa build` makes it (.tar.gz;
// https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format)
// as a source. Replace it by renaming: one that is written in place is bad
// until it is whole.
type Tarball string

// overhead is what the archive's own headers may take.
const overhead = 1 << 16

// maxPacked bounds the bytes of the file itself.
const maxPacked = 64 << 20

// String implements [Source].
func (t Tarball) String() string { return "tarball " + string(t) }

// Fetch implements [Source].
func (t Tarball) Fetch(_ context.Context, mark string) (*Snapshot, error) {
	file, err := os.Open(string(t))
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read the bundle: %s is not a file", string(t))
	}
	packed, err := io.ReadAll(io.LimitReader(file, maxPacked+1))
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if len(packed) > maxPacked {
		return nil, fmt.Errorf("%s has more than %d bytes", string(t), maxPacked)
	}
	sum := sha256.Sum256(packed)
	now := hex.EncodeToString(sum[:])
	if now == mark {
		return nil, nil
	}
	snapshot, err := unpack(string(t), packed, inForce)
	if err != nil {
		return nil, err
	}
	snapshot.Mark = now
	return snapshot, nil
}

// unpack reads a compressed archive. Nothing of it is written anywhere.
func unpack(name string, packed []byte, most limits) (*Snapshot, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s is not compressed with gzip: %w", name, err)
	}
	bounded := &boundedReader{from: unzipped, left: 2*most.all + overhead}
	archive := tar.NewReader(bounded)
	g := &Gathering{name: name, most: most}
	seen := make(map[string]bool)
	for entries := 0; ; entries++ {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not a whole archive: %w", name, err)
		}
		if entries > most.files {
			return nil, fmt.Errorf("%s holds too many files", name)
		}
		if !plainForm(bounded.last, header.PAXRecords) {
			return nil, fmt.Errorf("%s: the entry %q is archived in a form in which readers find other names: use a plain one (opa build, tar --format=ustar)", name, header.Name)
		}
		if err := g.unpackOne(header, archive, seen); err != nil {
			return nil, err
		}
	}
	if !bounded.atTheEnd() {
		return nil, fmt.Errorf("%s is not a whole archive: its end is missing", name)
	}
	// The checksum stands behind the archive's end.
	if _, err := io.Copy(padding{}, bounded); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	return g.Snapshot(), nil
}

func (g *Gathering) unpackOne(header *tar.Header, text io.Reader, seen map[string]bool) error {
	file, err := entryPath(header.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
	default:
		return fmt.Errorf("%s is a link or a device: an archive holds files only", path.Join(g.name, file))
	}
	if isManifest := strings.HasSuffix(file, manifest) || strings.HasSuffix(file, manifest+".pb"); isManifest && file != manifest && !Hidden(path.Dir(file)) {
		return fmt.Errorf("%s is a manifest to OPA, and remit reads %s alone: take it out", path.Join(g.name, file), manifest)
	}
	if !Wanted(file) {
		return nil
	}
	if seen[file] {
		return fmt.Errorf("%s is in the archive twice", path.Join(g.name, file))
	}
	seen[file] = true
	return g.Add(file, header.Size, text)
}

// entryPath returns the path of an entry from the bundle's root. `opa build`
// writes a slash before it, tar "./".
func entryPath(name string) (string, error) {
	file := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/"), "/")
	if file == "" {
		return ".", nil
	}
	if !fs.ValidPath(file) || strings.Contains(file, `\`) {
		return "", fmt.Errorf("the entry %q is not a plain path below the bundle's folder", name)
	}
	return file, nil
}

// block is the unit of an archive; two of zeros are its end.
const block = 512

// boundedReader fails when more is read than there may be: a few bytes of gzip
// can hold gigabytes.
type boundedReader struct {
	from io.Reader
	left int64
	read int64
	last []byte // the last two blocks of it
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.last = append(b.last, p[max(0, n-2*block):n]...)
	b.last = b.last[max(0, len(b.last)-2*block):]
	b.read += int64(n)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("it unpacks to more bytes than a bundle may have")
	}
	return n, err
}

// plainForm reports whether the header that was read last is of POSIX's form, or
// of GNU's without the fields that it alone has: to some readers they are the
// beginning of the name, as is what older forms have there. Records may hold
// another name as well, for a file with holes in it.
func plainForm(last []byte, records map[string]string) bool {
	for name := range records {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return false
		}
	}
	header := last[len(last)-block:]
	switch string(header[257:265]) { // magic and version
	case "ustar\x0000":
		return string(header[508:]) != "tar\x00" // Joerg Schilling's
	case "ustar  \x00":
		return !slices.ContainsFunc(header[345:500], notZero)
	}
	return false
}

// atTheEnd reports whether what was read ends as an archive does. Readers differ
// in whether they take one that was cut off.
func (b *boundedReader) atTheEnd() bool {
	return b.read%block == 0 && len(b.last) == 2*block && !slices.ContainsFunc(b.last, notZero)
}

// padding takes what may stand behind an archive's end.
type padding struct{}

// Write implements [io.Writer].
func (padding) Write(p []byte) (int, error) {
	if slices.ContainsFunc(p, notZero) {
		return 0, errors.New("something stands behind the archive's end")
	}
	return len(p), nil
}

func notZero(b byte) bool { return b != 0 }
