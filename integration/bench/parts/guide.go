package parts

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// texts is the field of a profile that holds all its texts
// (github.com/google/pprof, proto/profile.proto: string_table).
const texts protowire.Number = 6

// Guide makes of a processor profile what the Go compiler can be guided by
// (`go help build`, -pgo), the same profile without the places of the machine that
// it was taken on.
func Guide(profile []byte) ([]byte, error) {
	unzip, err := gzip.NewReader(bytes.NewReader(profile))
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	rest, err := io.ReadAll(unzip)
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	var guide []byte
	for len(rest) > 0 {
		number, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return nil, fmt.Errorf("read the profile: %w", protowire.ParseError(n))
		}
		field := rest[:n]
		rest = rest[n:]
		if number == texts {
			field = withoutPlace(field)
		}
		guide = append(guide, field...)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(guide); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return zipped.Bytes(), nil
}

// withoutPlace is a text that is no path from the root; one that is becomes empty,
// as texts are referred to by their number.
func withoutPlace(field []byte) []byte {
	_, _, tag := protowire.ConsumeTag(field)
	if text, _ := protowire.ConsumeString(field[tag:]); strings.HasPrefix(text, "/") {
		return protowire.AppendString(field[:tag:tag], "")
	}
	return field
}
