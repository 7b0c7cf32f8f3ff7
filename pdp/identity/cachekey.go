package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// A cacheKey stands for a credential and tells nothing about it: GHASH, the
// polynomial hash of GCM, over the whole credential, under a secret that this
// process made for this cache and that never leaves it. Two credentials of n
// blocks of 16 bytes, however they were chosen, have the same key with a
// probability of at most (n+1)/2^128 (McGrew and Viega, "The Security and
// Performance of GCM", 2004), as long as nobody sees keys: they are compared,
// and never shown or kept. It costs less than half of a SHA-256.
type cacheKey [16]byte

// keyer makes keys. Safe for concurrent use.
type keyer struct {
	hash   cipher.AEAD
	atRest sync.Pool // of *keyRoom
}

// keyRoom is where a credential is copied to on its way into the hash.
type keyRoom struct {
	text []byte
	key  cacheKey
}

func newKeyer() *keyer {
	var secret [16]byte
	rand.Read(secret[:]) // never fails since Go 1.24
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err) // AES takes keys of this length
	}
	hash, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // GCM takes blocks of this length
	}
	return &keyer{hash: hash, atRest: sync.Pool{New: func() any { return new(keyRoom) }}}
}

// sameNonce adds the same to every key, which is nothing to who compares them.
var sameNonce [12]byte

// key returns the key of a credential of several parts, each with its length in
// front, so that no two lists of parts read the same.
func (k *keyer) key(parts ...string) cacheKey {
	room := k.atRest.Get().(*keyRoom)
	room.text = room.text[:0]
	for _, part := range parts {
		room.text = binary.BigEndian.AppendUint64(room.text, uint64(len(part)))
		room.text = append(room.text, part...)
	}
	k.hash.Seal(room.key[:0], sameNonce[:], nil, room.text)
	key := room.key
	clear(room.text) // invariant 7
	k.atRest.Put(room)
	return key
}
