// Package doctor examines a remit and what it stands between: its configuration,
// policy, keys, state and sockets, the process that serves, and the Envoy that
// asks it. It changes nothing, and it does not matter whether anything is running.
//
// Everything is looked at once ([look]); then each examination of a table judges
// what was seen and returns its findings, with a remedy for each that is not good.
package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
)

// Severity says how bad a finding is.
type Severity string

// The severities. With an Error a promise is broken, or remit denies what it
// should not; a Warning is one of both tomorrow, or a guard that is missing.
const (
	OK      Severity = "ok"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// A Finding is one thing that an examination has to say. What is not [OK] says
// why it matters and what to do.
type Finding struct {
	Severity Severity `json:"severity"`
	Area     string   `json:"area"` // the examination
	What     string   `json:"what"`
	Where    string   `json:"where,omitempty"` // file and line, path, address; Envoy's own names
	Why      string   `json:"why,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
}

// Options say what to examine.
type Options struct {
	// Config is the configuration; nil where it could not be read because of
	// Problem, and then nothing else can be examined.
	Config  *config.Loaded
	Problem error
	// Envoy is the URL of Envoy's admin interface, "" for none; a guess may be wrong.
	Envoy   string
	Guessed bool
	// Dump is a file with what its /config_dump?include_eds answered, "" for none.
	Dump string
	Now  func() time.Time // nil is time.Now
}

// examination judges one area. It is a function of what was seen.
type examination struct {
	area  string
	judge func(*signs) []Finding
}

// examinations are all there are, in the order in which one rests on another.
var examinations = []examination{
	{"configuration", configuration},
	{"policy", policy},
	{"keys", keys},
	{"store", store},
	{"journal", journal},
	{"clock", clock},
	{"sockets", sockets},
	{"serving", serving},
	{"outcomes", outcomes},
	{"envoy", envoy},
}

// Examine examines everything that o names.
func Examine(ctx context.Context, o Options) *Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Config == nil {
		return &Report{Findings: unread(o.Problem)}
	}
	return judged(look(ctx, o))
}

func judged(s *signs) *Report {
	r := &Report{}
	for _, e := range examinations {
		for _, f := range e.judge(s) {
			f.Area = e.area
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

// good is a finding that asks for nothing.
func good(what, where string) Finding { return Finding{Severity: OK, What: what, Where: where} }

// wrong is a finding that asks for something.
func wrong(severity Severity, what, where, why, remedy string) Finding {
	return Finding{Severity: severity, What: what, Where: where, Why: why, Remedy: remedy}
}

// apart returns the errors that were joined to one ([errors.Join]).
func apart(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok || err.Error() != errors.Join(joined.Unwrap()...).Error(): // an error around others says more
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, apart(one)...)
	}
	return all
}
