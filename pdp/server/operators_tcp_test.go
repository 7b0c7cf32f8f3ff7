package server

import (
	"slices"
	"testing"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/value"
)

// A name counts where its holder cannot have chosen it.
func TestNamesThatNobodyChose(t *testing.T) {
	email, sub := config.ClaimPath{"email"}, config.ClaimPath{"sub"}
	for name, c := range map[string]struct {
		path   config.ClaimPath
		claims string
		good   bool
	}{
		"verified":            {email, `{"email_verified": true}`, true},
		"not said":            {email, `{}`, true},
		"not verified":        {email, `{"email_verified": false}`, false},
		"verified, as text":   {email, `{"email_verified": "true"}`, false},
		"null":                {email, `{"email_verified": null}`, false},
		"another claim names": {sub, `{"email_verified": false}`, true},
	} {
		claims, err := value.ParseJSON([]byte(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		if err := chosen(c.path, claims); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGroups(t *testing.T) {
	for text, want := range map[string][]string{
		`"a b"`: {"a b"}, `["a", "b"]`: {"a", "b"}, `["a", 1, ["b"], null]`: {"a"}, `{"a": true}`: nil, `true`: nil, `null`: nil, `[]`: nil,
	} {
		claim, err := value.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := groupsOf(claim); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
