package identity_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// Who calls remit itself is held to what an agent is, and does so in person.
func TestBearer(t *testing.T) {
	b, err := identity.NewBearer(jwtSettings(t), nil, testKeys(t, 1), clock)
	if err != nil {
		t.Fatal(err)
	}
	mine, another := authorityOf().issue(t, []string{bot}, nil), authorityOf().issue(t, []string{bot}, nil)
	line := func(changes claims) string { return "Bearer " + ec().sign(t, nil, changes) }
	direct, bound := claims{"act": nil}, claims{"act": nil, "cnf": claims{"x5t#S256": thumbprint(mine)}}
	for name, c := range map[string]struct {
		lines []string
		leaf  *x509.Certificate
		want  string // "" is good
	}{
		"a token":                       {[]string{line(direct)}, nil, ""},
		"its certificate's":             {[]string{line(bound)}, mine, ""},
		"another certificate's":         {[]string{line(bound)}, another, "another certificate"},
		"a certificate's, without it":   {[]string{line(bound)}, nil, "the connection has none"},
		"for another":                   {[]string{line(claims{"act": claims{"sub": "agent"}})}, nil, "acting for another"},
		"expired":                       {[]string{line(claims{"act": nil, "exp": now.Add(-time.Hour).Unix()})}, nil, "expired"},
		"no line":                       {nil, nil, "no token"},
		"two lines":                     {[]string{line(direct), line(direct)}, nil, "more than once"},
		"another scheme":                {[]string{"Basic YTpi"}, nil, "not of the scheme Bearer"},
		"a token without anything else": {[]string{ec().sign(t, nil, direct)}, nil, "not of the scheme Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time it is known again
				got, err := b.Verify(t.Context(), c.lines, c.leaf)
				switch {
				case c.want == "" && (err != nil || got.Get("sub").Text() == ""):
					t.Errorf("got %v, %v", got, err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || got.Defined()):
					t.Errorf("got %v, %v, want %q", got, err, c.want)
				}
			}
		})
	}
	if _, err := identity.NewBearer(&identity.JWT{}, nil, &pdp.Keys{}, clock); err == nil {
		t.Error("settings that check nothing are accepted")
	}
}
