package pdp

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// A session token says which session a request of an agent belongs to. It is
// no credential: it is good only beside one that proves the agent it was made
// for. To the agent it is opaque:
//
//	remit_s1_<base64url of: partition (16), agent (16), sender (16),
//	          expiry (8, UnixNano), session id (1 to 64), HMAC-SHA256 (32)>
//
// The agent and its sender are keyed hashes. The sender is the key that the
// agent's credential is bound to (`cnf`, RFC 7800) and the workload that
// presented it; zero for a credential that is bound to neither.
const (
	tokenPrefix  = "remit_s1_"
	tokenFixed   = 16 + 16 + 16 + 8
	tokenMAC     = 32
	maxSessionID = 64
)

// The ways a session token is not good. [ErrForged] is one more.
var (
	// ErrOtherAgent says that the token was made for somebody else: another
	// agent, an agent acting for another person, or a holder of another key.
	ErrOtherAgent = errors.New("the session token was made for another holder")
	// ErrExpired says that the token's time is over.
	ErrExpired = errors.New("the session token has expired")
)

// SessionToken returns the token of a session, for a and nobody else, good up
// to expires.
func (k *Keys) SessionToken(a *Agent, session string, expires time.Time) string {
	partition := k.Partition(a.Root())
	body := append(make([]byte, 0, tokenFixed+len(session)+tokenMAC), partition[:]...)
	body = append(body, k.holder(a)...)
	body = append(body, k.sender(a)...)
	body = binary.BigEndian.AppendUint64(body, uint64(expires.UnixNano()))
	body = append(body, session...)
	mac := keyed(k.session, string(body))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(body, mac[:]...))
}

// SessionOf returns the id of the session that a's token is of. The error is
// [ErrForged], [ErrOtherAgent] or [ErrExpired], with what exactly was wrong.
func (k *Keys) SessionOf(token string, a *Agent, now time.Time) (session string, err error) {
	encoded, found := strings.CutPrefix(token, tokenPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	end := len(raw) - tokenMAC
	if !found || err != nil || strings.ContainsAny(encoded, "\r\n") || end <= tokenFixed || end > tokenFixed+maxSessionID {
		return "", fmt.Errorf("the session token is malformed: %w", ErrForged)
	}
	if mac := keyed(k.session, string(raw[:end])); !hmac.Equal(raw[end:], mac[:]) {
		return "", fmt.Errorf("the session token: %w", ErrForged)
	}
	partition := k.Partition(a.Root())
	switch {
	case string(raw[16:32]) != string(k.holder(a)):
		return "", fmt.Errorf("another agent: %w", ErrOtherAgent)
	case string(raw[:16]) != string(partition[:]):
		return "", fmt.Errorf("the agent acts for another person: %w", ErrOtherAgent)
	case string(raw[32:48]) != zeroSender && string(raw[32:48]) != string(k.sender(a)):
		return "", fmt.Errorf("another key (cnf) or workload: %w", ErrOtherAgent)
	case now.UnixNano() > int64(binary.BigEndian.Uint64(raw[48:tokenFixed])):
		return "", ErrExpired
	}
	return string(raw[tokenFixed:end]), nil
}

var zeroSender = string(make([]byte, 16))

// holder names an agent in a token.
func (k *Keys) holder(a *Agent) []byte {
	sum := keyed(k.session, "agent", a.Issuer, a.ID)
	return sum[:16]
}

// sender names what the agent's credential is bound to.
func (k *Keys) sender(a *Agent) []byte {
	var key, workload string
	if cnf := a.Claims.Get("cnf"); cnf.Kind() == value.Map {
		key = string(value.AppendJSON(nil, cnf))
	}
	if a.Workload != nil {
		workload = a.Workload.ID
	}
	if key == "" && workload == "" {
		return make([]byte, 16)
	}
	sum := keyed(k.session, "sender", key, workload)
	return sum[:16]
}
