package integration

import (
	"strings"
	"testing"
)

// A target that remit accepts leaves Envoy nothing to repair: what was sent is what
// the policy saw and what the server gets, byte for byte. FuzzPath holds the same
// against parsers that can be asked a thousand times a second.
func TestAcceptedPathsStayAsTheyAreSent(t *testing.T) {
	s := startStack(t, "", withDemoPolicies)
	for _, rest := range []string{
		"7", "a%20b", "%C3%9F", "%F0%9D%84%9E", "a:b", "C:", "a,b", "a@b", "a=b&c", "...", ".a", "a.", "~a", "a!$'()+", "%22a%3C%3E%5E%60%7B%7C%7D",
		"7?", "7?a", "7?a=", "7?a=b%2Fc", "7?a=..%2F..&a=2", "7?a=/../b//c", "7?a+b=c%2B", "7?a[]=1&a%5B%5D=2", "7?a=b?c", "7?%C3%9F=%E2%82%AC",
	} {
		target := strings.TrimSuffix(apiTarget, "7") + rest
		hostile{name: "accepted", line: "GET " + target}.run(t, s, passes(target))
	}
	everythingWasDecided(t, s)
}
