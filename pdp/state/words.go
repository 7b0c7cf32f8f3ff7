package state

// A lexicon numbers the words of one encoding: those of [commonWords], and then
// every other in the order it came. Whoever reads makes the same one.
type lexicon struct {
	words []string
	slots [256]uint8 // a word's number, by its hash and what comes behind; 0: none
}

// maxWords bounds the words that have a number: a number takes one byte.
const maxWords = 128

// commonWords have the same number in every encoding. They are part of the
// format: to change them is to change [formatVersion].
var commonWords = []string{
	"",
	// operations, sensitivities, protocols
	"discover", "read", "write", "delete", "execute", "send", "credential", "admin",
	"public", "internal", "confidential", "restricted",
	"http", "grpc", "mcp", "a2a", "network",
	// events, scopes, kinds, outcomes
	"attempted", "allowed", "denied", "done", "failed", "unknown",
	"session", "agent", "partition", "last", "ring", "access_log", "outcome", "policy",
	// how identity is proved, and what asks
	"jwt", "spiffe", "mtls", "api_key", "ext_authz", "agents", "envoy",
	// methods of requests
	"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS",
	"tools/call", "tools/list", "initialize", "ping", "resources/read", "message/send",
	// classes of denials, and the most usual task
	"out_of_scope", "needs_approval", "budget_spent", "pending", "revoked", "unauthenticated", "unreadable", "unavailable",
	`{"source":"none"}`,
}

// initialLexicon has the common words alone.
var initialLexicon = func() (l lexicon) {
	for _, word := range commonWords {
		l.add(word)
	}
	return l
}()

// reset makes l the initial lexicon again.
func (l *lexicon) reset() {
	if cap(l.words) < maxWords {
		l.words = append(make([]string, 0, maxWords), initialLexicon.words...)
	}
	clear(l.words[len(commonWords):]) // what was remembered is let go
	l.words = l.words[:len(commonWords)]
	l.slots = initialLexicon.slots
}

// number returns the number of a word.
func (l *lexicon) number(word string) (n int, known bool) {
	for at := hashWord(word); l.slots[at] != 0; at++ {
		if n := int(l.slots[at] - 1); l.words[n] == word {
			return n, true
		}
	}
	return 0, false
}

// add gives a word the next number, as long as there are some.
func (l *lexicon) add(word string) {
	if len(l.words) >= maxWords-1 {
		return
	}
	at := hashWord(word)
	for l.slots[at] != 0 {
		at++
	}
	l.words = append(l.words, word)
	l.slots[at] = uint8(len(l.words))
}

// learn is add for whoever only reads.
func (l *lexicon) learn(word string) {
	if len(l.words) < maxWords-1 {
		l.words = append(l.words, word)
	}
}

// hashWord is cheap and spreads what words differ by. Words that somebody chose
// to collide cost as many comparisons as there are numbers, at most.
func hashWord(word string) uint8 {
	h := uint32(len(word))
	if h > 0 {
		h = h<<24 ^ uint32(word[0])<<16 ^ uint32(word[len(word)/2])<<8 ^ uint32(word[len(word)-1])
	}
	return uint8(h * 0x9E3779B1 >> 24)
}
