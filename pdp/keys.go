package pdp

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// SeedSize is the number of secret bytes that all of a remit's keys come from.
const SeedSize = 32

// Keys are the secrets of one remit, or of all replicas that share a store.
// Everything that must be recognised again (fingerprints, partitions, decision
// ids, stamps) is keyed with them, so the state directory and the seed belong
// together. Immutable, safe for concurrent use.
type Keys struct {
	fingerprint, partition, id, stamp, session *macKey
	seal                                       ed25519.PrivateKey
	name                                       string
}

// NewKeys derives the keys from a secret seed of [SeedSize] bytes (HKDF-SHA256,
// RFC 5869, one purpose a key).
func NewKeys(seed []byte) (*Keys, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("key seed has %d bytes, want %d", len(seed), SeedSize)
	}
	derived := make(map[string][]byte)
	for _, purpose := range []string{"fingerprint", "partition", "decision id", "stamp", "session token", "seal", "name"} {
		key, err := hkdf.Key(sha256.New, seed, nil, "remit "+purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("derive the %s key: %w", purpose, err)
		}
		derived[purpose] = key
	}
	return &Keys{
		fingerprint: newMACKey(derived["fingerprint"]),
		partition:   newMACKey(derived["partition"]),
		id:          newMACKey(derived["decision id"]),
		stamp:       newMACKey(derived["stamp"]),
		session:     newMACKey(derived["session token"]),
		seal:        ed25519.NewKeyFromSeed(derived["seal"]),
		name:        hex.EncodeToString(derived["name"][:8]),
	}, nil
}

// Name identifies the keys without giving them away: a store refuses to open
// with other keys than it was made with.
func (k *Keys) Name() string { return k.name }

// Seal returns the key that signs the journal's seals.
func (k *Keys) Seal() ed25519.PrivateKey { return k.seal }

// Fingerprint returns a keyed hash of a secret: the same for the same kind and
// secret, and telling nothing about it (invariant 7). 22 characters.
func (k *Keys) Fingerprint(kind, secret string) string {
	sum := k.FingerprintBytes(kind, secret)
	var text [22]byte
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

// FingerprintBytes returns what [Keys.Fingerprint] writes as text, for where it
// must take little space.
func (k *Keys) FingerprintBytes(kind, secret string) [16]byte {
	sum := keyed(k.fingerprint, kind, secret)
	return [16]byte(sum[:16])
}

// PartitionKey names a partition: a keyed hash of its root.
type PartitionKey [16]byte

// String returns the key in hexadecimal.
func (p PartitionKey) String() string { return hex.EncodeToString(p[:]) }

// Partition returns the partition of what is remembered under root.
func (k *Keys) Partition(root Principal) PartitionKey {
	sum := keyed(k.partition, root.Issuer, root.ID)
	return PartitionKey(sum[:16])
}
