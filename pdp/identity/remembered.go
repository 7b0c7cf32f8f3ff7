package identity

import (
	"context"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// recall returns the token that was verified under key before, nil where none
// was. What a signature proves stays proved; what can have changed since is
// looked at on every use, and refused in the same words: whether the issuer
// still publishes the key and may be believed, and the token's times. Whom the
// token is bound to is for the caller to look at: that differs by connection.
func (l *listener) recall(ctx context.Context, key cacheKey, now time.Time) (*token, *pdp.Refusal) {
	t, known := l.tokens.get(key)
	if !known {
		return nil, nil
	}
	current, refusal := l.keys.find(ctx, t.keyID)
	if refusal != nil {
		return nil, refusal
	}
	if current != t.key { // another key of that id: the signature proves nothing any more
		l.tokens.drop(key)
		return nil, nil
	}
	if refusal := l.JWT.checkLifetime(t.life, now); refusal != nil {
		l.tokens.drop(key)
		return nil, refusal
	}
	return t, nil
}

// remember keeps a token that was verified good and presented by whom it is
// bound to, where it is.
func (l *listener) remember(key cacheKey, t *token, now time.Time) {
	root := t.agent.Root()
	owner := t.agent.Issuer + "\n" + t.agent.ID + "\n" + root.Issuer + "\n" + root.ID
	l.tokens.put(key, owner, t, weigh(t.claims), now, t.life.expires.Add(l.JWT.Skew))
}

// weigh returns about how many bytes v takes: what an issuer puts into a token
// is not remit's to say, and a short text can make many values.
func weigh(v value.Value) int {
	const one = 96
	weight := one + len(v.Text())
	for _, item := range v.Items() {
		weight += weigh(item)
	}
	v.Range(func(name string, member value.Value) bool {
		weight += len(name) + weigh(member)
		return true
	})
	return weight
}
