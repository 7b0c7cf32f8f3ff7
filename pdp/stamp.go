package pdp

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Stamp returns the value of the header x-remit-decision for an allow: the
// decision's id, when it was made, and an HMAC over both and the action's
// digest. A tool that has the stamp key can require it, and so notices a
// request that went around the decision point:
//
//	v1;id=<decision id>;t=<unix seconds>;mac=<base64url>
func (k *Keys) Stamp(d *Decision, now time.Time) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := k.stampMAC(d.ID, seconds, d.Digest)
	stamp := make([]byte, 0, 160)
	stamp = append(append(stamp, "v1;id="...), d.ID...)
	stamp = append(append(stamp, ";t="...), seconds...)
	stamp = append(append(stamp, ";mac="...), mac[:]...)
	return string(stamp)
}

// CheckStamp reports whether stamp was made for the action with this digest,
// at most maxAge before now (and not after it, with as much tolerance). It
// returns the decision id, or an error that wraps [ErrForged].
func (k *Keys) CheckStamp(stamp string, digest [32]byte, now time.Time, maxAge time.Duration) (id string, err error) {
	parts := strings.Split(stamp, ";")
	if len(parts) != 4 || parts[0] != "v1" {
		return "", fmt.Errorf("stamp is not of version v1: %w", ErrForged)
	}
	id, okID := strings.CutPrefix(parts[1], "id=")
	seconds, okTime := strings.CutPrefix(parts[2], "t=")
	mac, okMAC := strings.CutPrefix(parts[3], "mac=")
	made, err := strconv.ParseInt(seconds, 10, 64)
	if !okID || !okTime || !okMAC || err != nil {
		return "", fmt.Errorf("stamp is malformed: %w", ErrForged)
	}
	if want := k.stampMAC(id, seconds, digest); !hmac.Equal([]byte(mac), want[:]) {
		return "", fmt.Errorf("stamp is not for this action: %w", ErrForged)
	}
	if age := now.Sub(time.Unix(made, 0)); age > maxAge || age < -maxAge {
		return "", fmt.Errorf("stamp is %s old: %w", age.Round(time.Second), ErrForged)
	}
	return id, nil
}

// stampMAC is the stamp's HMAC in base64url.
func (k *Keys) stampMAC(id, seconds string, digest [32]byte) (mac [43]byte) {
	sum := keyed(k.stamp, id, seconds, string(digest[:]))
	base64.RawURLEncoding.Encode(mac[:], sum[:])
	return mac
}
