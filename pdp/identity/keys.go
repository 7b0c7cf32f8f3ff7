package identity

import (
	"fmt"
	"os"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

// keySet are the public keys of an issuer.
type keySet struct {
	byID map[string]jwk.Key
	only jwk.Key // the one key of a set that has one; else nil
}

// readKeys reads a JWKS file. A file that holds anything but good public keys
// is a mistake of whoever put it there, and is refused.
func readKeys(path string) (*keySet, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's keys: %w: put the issuer's JSON Web Key Set there", err)
	}
	set, err := jwk.Parse(text)
	if err != nil {
		// The parser's own words may quote the file. It takes no RSA key of
		// less than 2048 bits (RFC 7518 section 3.3).
		return nil, fmt.Errorf("%s is not a JSON Web Key Set with sound keys (RSA: 2048 bits or more): get the issuer's from its jwks_uri", path)
	}
	keys := &keySet{byID: make(map[string]jwk.Key)}
	for i := range set.Len() {
		key, _ := set.Key(i)
		if err := checkKey(key); err != nil {
			return nil, fmt.Errorf("%s: key %d: %w", path, i, err)
		}
		if use, ok := key.KeyUsage(); ok && use != "sig" && use != "jwt-svid" {
			continue // a key for something else, as sets of issuers have them
		}
		id, _ := key.KeyID()
		if keys.byID[id] != nil {
			return nil, fmt.Errorf("%s: two keys have the id %q: each needs one of its own", path, id)
		}
		keys.byID[id] = key
	}
	if len(keys.byID) == 0 {
		return nil, fmt.Errorf("%s holds no key for signatures: put the issuer's public keys there", path)
	}
	if len(keys.byID) == 1 {
		for _, key := range keys.byID {
			keys.only = key
		}
	}
	return keys, nil
}

func checkKey(key jwk.Key) error {
	var raw any
	if err := jwk.Export(key, &raw); err != nil {
		return fmt.Errorf("it is not a key that can be used: remove it")
	}
	private, err := jwk.IsPrivateKey(key)
	if err != nil {
		return fmt.Errorf("it is a shared secret: only public keys belong here")
	}
	if private {
		return fmt.Errorf("it is a private key: only public keys belong here, and this one is no longer secret")
	}
	return nil
}

// find returns the key a token names; a token that names none can only mean
// the only one.
func (s *keySet) find(id string) jwk.Key {
	if id == "" {
		return s.only
	}
	return s.byID[id]
}
