package envoyconfig

// Severity says how bad a finding is.
type Severity string

// The severities. An Error breaks a promise of remit's, or lets it deny what it
// should not; a Warning is a guard that is missing while others hold.
const (
	OK      Severity = "ok"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// A Finding is one thing about Envoy's configuration.
type Finding struct {
	Severity Severity
	What     string
	Where    string // Envoy's own names: listener, filter, virtual host, route, cluster
	Why      string // why it matters; "" where nothing is wrong
	Remedy   string // what to do; "" where nothing is wrong
}

// A rule is one thing that remit needs of a T.
type rule[T any] struct {
	severity Severity
	// seen says what is there instead of what is needed, beginning with the name of the
	// setting; "" where all is good.
	seen        func(T) string
	why, remedy string
}

// examine holds something against rules.
func examine[T any](rules []rule[T], where string, of T) (found []Finding) {
	for _, r := range rules {
		if what := r.seen(of); what != "" {
			found = append(found, Finding{r.severity, what, where, r.why, r.remedy})
		}
	}
	return found
}

// when is what a rule has seen, where that is so.
func when(is bool, what string) string {
	if is {
		return what
	}
	return ""
}
