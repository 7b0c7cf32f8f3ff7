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
		_, place := l.find(word)
		l.add(word, place)
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

// find returns the number of a word and 1 more, or 0 and the place where it is
// not.
func (l *lexicon) find(word string) (code, place uint8) {
	for place = hashWord(word); ; place++ {
		if code = l.slots[place]; code == 0 || l.words[code-1] == word {
			return code, place
		}
	}
}

// add gives a word the next number, as long as there are some, at the place
// where it was not found.
func (l *lexicon) add(word string, place uint8) {
	if l.learn(word) {
		l.slots[place] = uint8(len(l.words))
	}
}

// learn is add for whoever only reads. It reports whether the word has a number.
func (l *lexicon) learn(word string) bool {
	if len(l.words) >= maxWords-1 {
		return false
	}
	l.words = append(l.words, word)
	return true
}

// word codes a string that has a number, or is likely to be met again: its
// number and 1 more, or 0 and the string.
func word[S ~string](c *coder, v *S) {
	switch {
	case c.reading:
		readWord(c, v)
	case *v == "": // half of them are, and it is the first of the common words
		c.out = append(c.out, 1)
	default:
		c.writeWord(string(*v))
	}
}

func (c *coder) writeWord(word string) {
	code, place := c.find(word)
	if c.out = append(c.out, code); code == 0 {
		c.writeText(word)
		c.add(word, place)
	}
}

func readWord[S ~string](c *coder, v *S) {
	n := c.readUint()
	switch {
	case n > uint64(len(c.words)):
		c.fail()
	case n > 0:
		*v = S(c.words[n-1])
	default:
		text(c, v)
		c.learn(string(*v))
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
