package state

import (
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// notes are the memos that apply: of the event that came about now, and those
// that wait for the outcome of an allow.
func (t *turn) notes(c *pdp.Case, memos []pdp.Memo, allowed bool) (notes []Note) {
	for i := range memos {
		m := &memos[i]
		now := m.On == pdp.OnAttempted || (m.On == pdp.OnAllowed && allowed) || (m.On == pdp.OnDenied && !allowed)
		later := allowed && (m.On == pdp.OnDone || m.On == pdp.OnFailed)
		if now || later {
			notes = t.keyring.note(notes, c.Generation.Declared, m)
		}
	}
	return notes
}

// A keyring makes the keys of facts, each once in a turn: what was looked up is
// often what is noted.
type keyring struct {
	keys *pdp.Keys
	made []madeKey
	room []byte
}

// Room for the keys of most turns: two, the text of which is that of a digest.
const (
	usualKeys = 2
	usualText = 80
)

type madeKey struct {
	fact      *pdp.Fact
	text, key string
}

// note appends what is kept of a memo: nothing for a fact that is not declared,
// which the policy package has refused before.
func (k *keyring) note(notes []Note, declared *pdp.Declarations, m *pdp.Memo) []Note {
	fact := declared.Facts[m.Fact]
	if fact == nil {
		return notes
	}
	n := Note{
		Fact: fact.Name, Kind: fact.Kind, Scope: fact.Scope, Key: k.key(fact, m.Key), On: m.On,
		TTL: int64(fact.TTL), Keys: fact.Keys, Ring: fact.Ring,
	}
	if fact.Kind == pdp.FactRing {
		n.Number = 1
		if len(m.Values) > 0 {
			n.Number = numberOf(m.Values[0])
		}
		return append(notes, n)
	}
	for _, v := range m.Values {
		n.Values = append(n.Values, k.kept(fact, v))
	}
	return append(notes, n)
}

// key is the canonical form of a key: readable where the fact is declared so,
// else the 16 bytes of its fingerprint.
func (k *keyring) key(fact *pdp.Fact, key []value.Value) string {
	if k.room = k.room[:0]; k.made == nil {
		k.room, k.made = make([]byte, 0, usualText), make([]madeKey, 0, usualKeys)
	}
	for i, v := range key {
		if i > 0 {
			k.room = append(k.room, ',')
		}
		k.room = value.AppendJSON(k.room, v)
	}
	for i := range k.made {
		if m := &k.made[i]; m.fact == fact && m.text == string(k.room) {
			return m.key
		}
	}
	m := madeKey{fact: fact, text: string(k.room)}
	if fact.Clear {
		m.key = bounded(k.keys, "fact "+fact.Name, m.text)
	} else {
		sum := k.keys.FingerprintBytes("fact "+fact.Name, m.text)
		m.key = string(sum[:])
	}
	if len(k.made) < maxMade {
		k.made = append(k.made, m)
	}
	return m.key
}

// maxMade bounds the keys that are kept at hand: they are looked for one by
// one.
const maxMade = 16

// kept is a value as a fact keeps it: JSON text.
func (k *keyring) kept(fact *pdp.Fact, v value.Value) string {
	json := string(value.AppendJSON(nil, v))
	if fact.Clear && len(json) <= maxName {
		return json
	}
	return `"` + k.keys.Fingerprint("value "+fact.Name, json) + `"`
}

// maxName bounds what is remembered of a name that an agent may have chosen.
const maxName = 256

// bounded returns a name as it is remembered: a longer one than [maxName] is
// known by its fingerprint.
func bounded(keys *pdp.Keys, kind, name string) string {
	if len(name) <= maxName {
		return name
	}
	return keys.Fingerprint(kind, name)
}
