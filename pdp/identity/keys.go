package identity

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// A keySource finds the public key that a token names. It answers within the
// deadline of ctx and soon, whatever a client writes into its token.
type keySource interface {
	find(ctx context.Context, id string) (*publicKey, *pdp.Refusal)
}

// A publicKey is one key and the pinned algorithms that it is for. The same one,
// by address, is the same key in use without a break: see [keySet.takeOver].
type publicKey struct {
	key  jwk.Key
	algs []string
	text string // the key as it was published
}

// maxKeys bounds a key set; issuers publish a handful.
const maxKeys = 64

// The RSA moduli that are taken, in bits: shorter ones are broken (RFC 7518
// section 3.3), and longer ones make every signature cost its verifier dearly.
const minRSA, maxRSA = 2048, 8192

// keySet are the public keys of an issuer that fit a pinned algorithm.
type keySet struct {
	byID map[string]*publicKey
	only *publicKey // the one key of a set that has one; else nil
	// unused says of the other keys why they verify nothing.
	unused map[string]string
}

var _ keySource = (*keySet)(nil)

// readKeys reads a JWKS file.
func readKeys(path string, pinned map[string]jwa.SignatureAlgorithm) (*keySet, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("jwt.jwks_file: %w: put the issuer's JSON Web Key Set there", err)
	}
	keys, err := parseKeys(text, pinned)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(keys.byID) == 0 {
		return nil, fmt.Errorf("%s holds no key: put the issuer's public keys there", path)
	}
	return keys, nil
}

// parseKeys reads a key set (RFC 7517 section 5). A key that remit cannot use is
// left out, as the RFC asks for; one that should never have been published is
// a reason to believe nothing in the set. A set without any key is good: its
// issuer has withdrawn them all. No error quotes the text.
func parseKeys(text []byte, pinned map[string]jwa.SignatureAlgorithm) (*keySet, error) {
	members, err := membersOf(text)
	if err != nil {
		return nil, err
	}
	keys := &keySet{byID: make(map[string]*publicKey), unused: make(map[string]string)}
	for i, member := range members {
		if err := keys.add(member, pinned); err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
	}
	if len(members) > 0 && len(keys.byID) == 0 {
		return nil, fmt.Errorf("there is no key for signatures that fits %s: %s; put the issuer's public keys there, as its jwks_uri has them",
			names(pinned), strings.Join(keys.left(), "; "))
	}
	keys.choose()
	return keys, nil
}

// algorithms are those that the keys are used with, in order.
func (s *keySet) algorithms() (all []string) {
	for _, key := range s.byID {
		all = append(all, key.algs...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// choose finds the key that tokens mean which name none.
func (s *keySet) choose() {
	if len(s.byID) == 1 {
		for _, key := range s.byID {
			s.only = key
		}
	}
}

// takeOver puts the keys of before in the place of those that are the very same:
// tokens that they verified need not be verified again.
func (s *keySet) takeOver(before *keySet) {
	for id, key := range s.byID {
		if was := before.byID[id]; was != nil && was.text == key.text && slices.Equal(was.algs, key.algs) {
			s.byID[id] = was
		}
	}
	s.choose()
}

// membersOf returns the keys of a set, or the one key of a text that is one.
func membersOf(text []byte) ([]value.Value, error) {
	set, err := value.ParseJSON(text)
	members := set.Get("keys")
	if err == nil && set.Get("kty").Defined() {
		members = value.List(set)
	}
	if err != nil || members.Kind() != value.Array {
		return nil, errors.New("it is not a JSON Web Key Set: get the issuer's from its jwks_uri")
	}
	if len(members.Items()) > maxKeys {
		return nil, fmt.Errorf("it holds %d keys, more than %d", len(members.Items()), maxKeys)
	}
	return members.Items(), nil
}

// add takes a key, or notes why it is of no use.
func (s *keySet) add(member value.Value, pinned map[string]jwa.SignatureAlgorithm) error {
	id := member.Get("kid").Text()
	switch {
	case member.Get("kty").Text() == "oct" || member.Get("k").Defined():
		return errors.New("it is a shared secret: only public keys belong here")
	case member.Get("d").Defined():
		return errors.New("it is a private key: only public keys belong here, and this one is no longer secret")
	}
	key, reason := usable(member, pinned)
	if reason != "" {
		s.unused[id] = reason
		return nil
	}
	if s.byID[id] != nil {
		return fmt.Errorf("two keys have the id %q: each needs one of its own", clip(id))
	}
	s.byID[id] = key
	return nil
}

// usable returns the key in member, or why it can verify no token.
func usable(member value.Value, pinned map[string]jwa.SignatureAlgorithm) (*publicKey, string) {
	if use := member.Get("use"); use.Defined() && use.Text() != "sig" && use.Text() != "jwt-svid" {
		return nil, "its use is not sig"
	}
	if ops := member.Get("key_ops"); ops.Defined() && !slices.ContainsFunc(ops.Items(), isVerify) {
		return nil, "its key_ops do not hold verify"
	}
	kind := member.Get("kty").Text()
	if !slices.Contains([]string{"EC", "RSA", "OKP"}, kind) {
		return nil, fmt.Sprintf("its kty %q is not one that remit knows", clip(kind))
	}
	algs := slices.Sorted(maps.Keys(pinned))
	if algs = slices.DeleteFunc(algs, func(alg string) bool { return !fits(alg, member) }); len(algs) == 0 {
		return nil, fmt.Sprintf("its kty %q, crv %q, alg %q fit none of %s", clip(kind), clip(member.Get("crv").Text()), clip(member.Get("alg").Text()), names(pinned))
	}
	text := string(value.AppendJSON(nil, member))
	key, err := jwk.ParseKey([]byte(text))
	if err != nil {
		return nil, fmt.Sprintf("it is not a sound key (RSA: %d bits or more)", minRSA)
	}
	var raw any
	if err := jwk.Export(key, &raw); err != nil {
		return nil, "it is not a key that can be used"
	}
	if r, ok := raw.(*rsa.PublicKey); ok && (r.N.BitLen() < minRSA || r.N.BitLen() > maxRSA) {
		return nil, fmt.Sprintf("it is an RSA key of %d bits, not %d bits or more and at most %d", r.N.BitLen(), minRSA, maxRSA)
	}
	return &publicKey{key, algs, text}, ""
}

func isVerify(op value.Value) bool { return op.Text() == "verify" }

// kinds says which kty and crv each signature algorithm works with (RFC 7518
// section 3.1, RFC 8037, RFC 9864); "" is no curve.
var kinds = map[string][][2]string{
	"ES256": {{"EC", "P-256"}}, "ES384": {{"EC", "P-384"}}, "ES512": {{"EC", "P-521"}},
	"RS256": {{"RSA", ""}}, "RS384": {{"RSA", ""}}, "RS512": {{"RSA", ""}},
	"PS256": {{"RSA", ""}}, "PS384": {{"RSA", ""}}, "PS512": {{"RSA", ""}},
	"EdDSA": {{"OKP", "Ed25519"}}, "Ed25519": {{"OKP", "Ed25519"}},
}

// fits reports whether a key is for an algorithm: by its kind and curve, and by
// the one algorithm it names, where it does (RFC 8725 section 3.1).
func fits(alg string, key value.Value) bool {
	if stated := key.Get("alg"); stated.Defined() && stated.Text() != alg {
		return false
	}
	return slices.Contains(kinds[alg], [2]string{key.Get("kty").Text(), key.Get("crv").Text()})
}

// find returns the key a token names; a token that names none can only mean
// the only one.
func (s *keySet) find(_ context.Context, id string) (*publicKey, *pdp.Refusal) {
	if key := s.get(id); key != nil {
		return key, nil
	}
	return nil, s.unknown(id)
}

func (s *keySet) get(id string) *publicKey {
	if id == "" {
		return s.only
	}
	return s.byID[id]
}

// unknown refuses a token because of the key it names.
func (s *keySet) unknown(id string) *pdp.Refusal {
	if reason := s.unused[id]; reason != "" {
		return refuse("no key with the id %q is in use: %s", clip(id), reason)
	}
	return refuse("no key with the id %q is in the key set", clip(id))
}

// left says of each key that is not used why, in the order of their ids.
func (s *keySet) left() (reasons []string) {
	for _, id := range slices.Sorted(maps.Keys(s.unused)) {
		reasons = append(reasons, fmt.Sprintf("key %q is left out: %s", clip(id), s.unused[id]))
	}
	return reasons
}

func names(pinned map[string]jwa.SignatureAlgorithm) string {
	return fmt.Sprint(slices.Sorted(maps.Keys(pinned)))
}
