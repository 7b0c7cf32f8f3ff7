package telemetry

import (
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/remit-pdp/remit/pdp"
)

// other is the reason that everything counts as which is not a label.
const other = "other"

// maxSeries bounds the series that answers may make, of one listener and of
// denials that were not enforced. What comes above it counts as [other].
const maxSeries = 512

// own are the reason codes that remit itself gives.
var own = []string{
	pdp.CodeRevision, pdp.CodeNotReady, pdp.CodeUnreadable, pdp.CodeUnauthenticated, pdp.CodeKeysUnavailable,
	pdp.CodeHistoryDown, pdp.CodeDeadline, pdp.CodePolicyUndefined, pdp.CodePolicyError, pdp.CodePolicyType,
	pdp.CodePolicyTimeout, pdp.CodeNotAdmitted, pdp.CodeRevoked, pdp.CodeSessionEnded, pdp.CodeSessionToken,
	pdp.CodeNoSession, pdp.CodeQuestionLimit, pdp.CodeSessionLimit, pdp.CodeQuarantined, pdp.CodeBudgetSpent,
	pdp.CodeStateFull, pdp.CodeRepeatedCheck, pdp.CodeEffectsNeedAgent, pdp.CodeInternal,
	"observed", "denied",
	"unreadable_connection", "unreadable_host", "unreadable_path", "unreadable_header", "unreadable_body",
	"unreadable_rpc", "unreadable_grpc", "truncated_body",
}

// codes are the reason codes that may be labels: remit's own, and what the text
// of the bundle says. A code that the policy puts together of others
// (sprintf("%s_after_%s", …)) counts as the pattern ("*_after_*"), so that
// whatever an agent chose is none of it.
type codes struct {
	known    map[string]bool
	patterns []pattern
}

type pattern struct {
	label string
	match *regexp.Regexp
}

// quoted are the strings in Rego that can be a code, or a pattern of one.
var quoted = regexp.MustCompile("[\"`]([a-z%][a-z0-9_%]{0,63})[\"`]")

// maxPatterns bounds how much an unknown code is compared with.
const maxPatterns = 32

func newCodes(texts [][]byte) *codes {
	c := &codes{known: make(map[string]bool)}
	for _, code := range own {
		c.known[code] = true
	}
	for _, text := range texts {
		for _, found := range quoted.FindAllSubmatch(text, -1) {
			c.add(string(found[1]))
		}
	}
	return c
}

func (c *codes) add(code string) {
	if !strings.Contains(code, "%") {
		c.known[code] = true
		return
	}
	label := verbs.ReplaceAllString(code, "*")
	fixed := strings.Trim(strings.ReplaceAll(label, "*", ""), "_")
	if fixed == "" || strings.Contains(label, "%") || c.known[code] || len(c.patterns) == maxPatterns {
		return // nothing of the code would be left, or it is none
	}
	c.known[code] = true // the pattern itself, once
	expression := strings.ReplaceAll(regexp.QuoteMeta(label), `\*`, ".*")
	c.patterns = append(c.patterns, pattern{label, regexp.MustCompile("^(?s:" + expression + ")$")})
}

// verbs are those of sprintf.
var verbs = regexp.MustCompile(`%[svd]`)

// label is what a code counts as.
func (c *codes) label(code string) string {
	if c.known[code] || code == "" {
		return code
	}
	for _, p := range c.patterns {
		if p.match.MatchString(code) {
			return p.label
		}
	}
	return other
}

// vocabulary is the codes of the generation in force.
type vocabulary struct{ atomic.Pointer[codes] }

func (v *vocabulary) label(code string) string { return v.Load().label(code) }
