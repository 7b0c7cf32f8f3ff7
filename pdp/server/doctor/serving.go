package doctor

import "fmt"

// serving judges the remit that serves.
func serving(s *signs) []Finding {
	l, where := &s.live, "http://"+reachable(s.config.Health.Address)
	if !l.answers {
		return []Finding{wrong(Warning, fmt.Sprintf("nothing answers at health.address: %v", l.err), where,
			"remit does not serve here: Envoy answers 503 to everything that would be decided", "remit serve; where it serves elsewhere, run doctor there")}
	}
	if !l.ready {
		return []Finding{wrong(Error, "it is not ready: "+l.said, where+"/ready", "Envoy sends nothing here", "without keys: see keys; else it is ending, or has just begun")}
	}
	if len(l.metrics) == 0 {
		return []Finding{good("it is ready", where), wrong(Warning, "its metrics cannot be read", where+"/metrics", "how its work goes is not known", "see that a remit of this version answers there")}
	}
	found := []Finding{good(fmt.Sprintf("it is ready: %.0f decisions, %.0f connections of proxies", l.sum("remit_decisions_total"), l.sum("remit_connections")), where)}
	if l.sum("remit_store_unavailable") > 0 {
		found = append(found, wrong(Error, "its journal cannot go on", where+"/metrics", "decisions are denied (unavailable), or will be when the room there is is used up", "see store; remit's log says the cause"))
	}
	if n := l.sum("remit_panics_total"); n > 0 {
		found = append(found, wrong(Warning, fmt.Sprintf("%.0f panics became denials", n), where+"/metrics", "a mistake in remit", "report it, with the stack in remit's log"))
	}
	if l.sum("remit_connections") == 0 {
		found = append(found, wrong(Warning, "no proxy is connected", where+"/metrics", "nobody asks this remit", "see envoy; compare the addresses on both sides"))
	}
	return found
}

// Of a hundred actions one may end without an outcome: a stream of Envoy's that
// breaks takes what it held with it.
const unknownShare = 0.01

// outcomes judges what the serving remit learns of requests that are over.
func outcomes(s *signs) (found []Finding) {
	l, where := &s.live, "http://"+reachable(s.config.Health.Address)+"/metrics"
	if len(l.metrics) == 0 || s.config.Outcomes.Address == "" {
		return nil
	}
	if n := l.sum("remit_envoy_requests_total", "authz", "undecided"); n > 0 {
		found = append(found, wrong(Error, fmt.Sprintf("%.0f requests reached a tool and nobody was asked", n), where,
			"a way around remit: a route or listener without ext_authz, or failure_mode_allow", "see envoy; since a restart of remit it counts anew"))
	}
	if n := l.sum("remit_envoy_requests_total", "authz", "error"); n > 0 {
		found = append(found, wrong(Warning, fmt.Sprintf("to %.0f requests Envoy got no answer of remit's, and denied them", n), where,
			"remit was down or too late", "look at remit_decision_duration_seconds, Envoy's time-out, and when remit was restarted"))
	}
	if l.sum("remit_outcome_streams") == 0 {
		return append(found, wrong(Warning, "no stream of Envoy's access log is open", where,
			"no outcome can arrive: what is allowed now becomes unknown", "see envoy; Envoy opens it with the first request"))
	}
	allowed, unknown := l.sum("remit_actions_allowed_total"), l.sum("remit_outcomes_total", "state", "unknown")
	if unknown > allowed*unknownShare {
		return append(found, wrong(Warning, fmt.Sprintf("%.0f of %.0f allowed actions ended without an outcome", unknown, allowed), where,
			"they stay charged to budgets, and what depends on them stays pending", "see the access log under envoy (filter, buffer), and outcome_timeout for long requests"))
	}
	return append(found, good(fmt.Sprintf("outcomes arrive: %.0f streams are open, %.0f of %.0f allowed actions unknown", l.sum("remit_outcome_streams"), unknown, allowed), where))
}
