package doctor

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

// unread says why there is no configuration to examine.
func unread(problem error) (found []Finding) {
	for _, err := range apart(problem) {
		f := wrong(Error, err.Error(), "", "remit serve does not start with this configuration", "correct it; remit config reference lists the keys")
		if p, ok := errors.AsType[*config.Problem](err); ok {
			f.What, f.Where = p.Key+": "+p.Text, p.Where
		}
		f.Area = "configuration"
		found = append(found, f)
	}
	return found
}

// configuration judges what remit is told, and the certificates it names.
func configuration(s *signs) []Finding {
	found := []Finding{good(fmt.Sprintf("the configuration is good: %s", counted(len(s.config.Listeners), "listener")), file(s))}
	for _, err := range apart(s.certificateErr) {
		found = append(found, wrong(Error, err.Error(), placed(err), "remit serve does not start without it", "put a certificate, its key and the authority of its callers there"))
	}
	for _, err := range s.ending {
		found = append(found, wrong(Warning, err.Error(), "", "when it has ended no proxy connects any more", "put a new one in its place: remit reads it again by itself"))
	}
	return found
}

// file is where the configuration is from.
func file(s *signs) string {
	for _, e := range s.options.Config.Entries {
		if name, _, isFile := cutLine(e.From); isFile {
			return name
		}
	}
	return ""
}

// policy judges the bundle, and whether what serves is made of it.
func policy(s *signs) (found []Finding) {
	for _, err := range apart(s.policyErr) {
		found = append(found, wrong(Error, err.Error(), placed(err),
			"it would not be activated: what serves serves on, and a start falls back to the last good policy", "correct it, and see remit check"))
	}
	if s.generation != "" {
		found = append(found, good("the policy is good: generation "+s.generation, source(s)))
	}
	for _, err := range s.unmeant {
		found = append(found, wrong(Warning, err.Error(), placed(err), "it is allowed and rarely meant", "change it, unless it is meant"))
	}
	if s.live.policy != nil {
		found = append(found, served(s)...)
	}
	return found
}

// source is where the configuration says where policy comes from.
func source(s *signs) string {
	for _, key := range []string{"policy.bundle.dir", "policy.bundle.tarball", "policy.bundle.git.url"} {
		if where := s.options.Config.Where(key); where != "" && where != "default" {
			return where
		}
	}
	return ""
}

// served compares what serves with what would.
func served(s *signs) (found []Finding) {
	is := s.live.policy
	where := "http://" + reachable(s.config.Health.Address) + "/health/policy"
	since := fmt.Sprintf("%s, since %s", is.Generation, is.Since.Format(time.RFC3339))
	switch {
	case is.LastGood:
		found = append(found, wrong(Warning, "remit serves the last good policy: "+since, where, "its source has not had it since remit was started", "make the source readable and good: see below, or above"))
	case s.generation != "" && is.Generation != s.generation:
		found = append(found, wrong(Warning, "remit serves another generation: "+since, where, "what is decided is not what these files say",
			"wait for policy.bundle.poll ("+s.config.Policy.Bundle.Poll.D().String()+"); after a change of the configuration, or with other flags or variables, restart remit"))
	default:
		found = append(found, good("remit serves this generation", where))
	}
	found = append(found, problem(is.Refused, "remit refuses the policy of its source", "correct it where remit reads it")...)
	return append(found, problem(is.Unreachable, "remit cannot read the source of its policy", "make "+is.Source+" readable for remit")...)
}

func problem(p *server.PolicyProblem, what, remedy string) []Finding {
	if p == nil {
		return nil
	}
	return []Finding{wrong(Error, fmt.Sprintf("%s since %s: %s", what, p.Since.Format(time.RFC3339), strings.TrimSpace(p.Revision+" "+p.Problem)), placed(errors.New(p.Problem)),
		"no change of policy gets into force", remedy)}
}

// place is a file and a line at the beginning of a message.
var place = regexp.MustCompile(`^([^\s:]+):(\d+)(?::|$)`)

// placed is the file and line that an error begins with; "" for none.
func placed(err error) string {
	if file, line, ok := cutLine(err.Error()); ok {
		return file + ":" + line
	}
	return ""
}

func cutLine(text string) (file, line string, ok bool) {
	parts := place.FindStringSubmatch(text)
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}
