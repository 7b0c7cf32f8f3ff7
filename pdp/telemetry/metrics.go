package telemetry

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A metric is one that remit exports: what it is called, what it says, and the
// labels of its series.
type metric struct {
	kind    kind
	name    string
	help    string
	labels  []string
	buckets []time.Duration // of a histogram
}

type kind string

const (
	counter   kind = "counter"
	gauge     kind = "gauge"
	histogram kind = "histogram"
)

// The bounds of histograms: of a decision, which is asked for by a proxy with a
// deadline of some 100 ms, and of one step of it.
var (
	wholeBuckets = growing(20*time.Microsecond, 2, 16) // to 655 ms
	stepBuckets  = growing(time.Microsecond, 4, 11)    // to 1 s
)

func growing(first time.Duration, factor, count int) (bounds []time.Duration) {
	for ; len(bounds) < count; first *= time.Duration(factor) {
		bounds = append(bounds, first)
	}
	return bounds
}

// Decisions.
var (
	decisionsTotal = &metric{kind: counter, name: "remit_decisions_total",
		help:   "Answers, by the first of their reasons. question is what was asked: action (may this be done), admission, ending, itself, supposed. class is empty for an allow.",
		labels: []string{"listener", "question", "effect", "class", "reason"}}
	decisionSeconds = &metric{kind: histogram, name: "remit_decision_duration_seconds",
		help:   "From the receipt of a question about an action to its answer. made says whether a decision could be made: \"no\" holds the denials of class unavailable.",
		labels: []string{"listener", "made"}, buckets: wholeBuckets}
	stepSeconds = &metric{kind: histogram, name: "remit_step_duration_seconds",
		help:   "One step of a decision: read (the request), identity, catalog, state (the wait for the partition), policy (one evaluation), commit (effects and record accepted by the journal). A sample: one in 16.",
		labels: []string{"step"}, buckets: stepBuckets}
	wouldDenyTotal = &metric{kind: counter, name: "remit_would_deny_total",
		help:   "Denials that were not enforced, by the place in observe they belong to (\"listener agents\", \"system crm\", \"pack sunday\").",
		labels: []string{"place", "class", "reason"}}
	topdownTotal = &metric{kind: counter, name: "remit_decisions_by_topdown_total",
		help: "Answers whose policy was evaluated by OPA's topdown, which takes many times as long: the fallback of the compiled engine (remit check says why), or policy.engine."}
	panicsTotal = &metric{kind: counter, name: "remit_panics_total",
		help: "Panics that became denials: a mistake in remit."}
)

// Outcomes.
var (
	actionsTotal = &metric{kind: counter, name: "remit_actions_allowed_total",
		help: "Actions that were allowed and whose outcome is awaited."}
	outcomesTotal = &metric{kind: counter, name: "remit_outcomes_total",
		help:   "Outcomes that settled an action. state is done, failed or unknown; late is \"yes\" after the outcome timeout.",
		labels: []string{"state", "late"}}
	outcomesRefusedTotal = &metric{kind: counter, name: "remit_outcomes_refused_total",
		help:   "Outcomes that settled nothing: forged (not an id of this remit), not_in_flight (settled before, or forgotten), not_ready, store.",
		labels: []string{"cause"}}
	envoyRequestsTotal = &metric{kind: counter, name: "remit_envoy_requests_total",
		help:   "Requests that are over, as Envoy's access log tells of them: ok (Envoy had an allow of remit's), denied, error (Envoy got no answer), undecided (Envoy asked nobody: a route or listener without ext_authz, or with failure_mode_allow).",
		labels: []string{"authz"}}
	outcomeStreams = &metric{kind: gauge, name: "remit_outcome_streams",
		help: "Streams of access logs that are open: none means that no outcome can arrive."}
)

// The store.
var (
	entriesTotal = &metric{kind: counter, name: "remit_store_entries_total",
		help:   "Entries that the journal accepted, by what they tell of: decided, settled, activated, revoked, lifted, ordered (about a session, by an operator).",
		labels: []string{"kind"}}
	storeErrorsTotal = &metric{kind: counter, name: "remit_store_errors_total",
		help:   "What the store could not do. operation is acquire (the turn on a partition), commit or revoke; cause is unavailable (full, broken, overrun), deadline (the caller's time was over) or other.",
		labels: []string{"operation", "cause"}}
	sessionsTotal = &metric{kind: counter, name: "remit_sessions_opened_total",
		help: "Sessions that began."}
	aggregatedTotal = &metric{kind: counter, name: "remit_records_aggregated_total",
		help: "Denials of callers without an identity that share the record of an identical one."}
)

// The policy in force.
var (
	policyInfo = &metric{kind: gauge, name: "remit_policy_info",
		help: "1, with the generation in force: the policy's revision and the digest of the configuration.", labels: []string{"generation"}}
	policySince = &metric{kind: gauge, name: "remit_policy_since_timestamp_seconds",
		help: "When the generation was put in force (Unix time)."}
	policyLooked = &metric{kind: gauge, name: "remit_policy_looked_timestamp_seconds",
		help: "When the source of the policy was looked at last (Unix time)."}
	policyLastGood = &metric{kind: gauge, name: "remit_policy_last_good",
		help: "1 where what serves is the copy of what served last, because its source did not have it since remit was started."}
	policyRefused = &metric{kind: gauge, name: "remit_policy_refused",
		help: "1 while the source of the policy holds one that is not good."}
	policyUnreachable = &metric{kind: gauge, name: "remit_policy_source_unreachable",
		help: "1 while the source of the policy cannot be read."}
	activationsTotal = &metric{kind: counter, name: "remit_policy_activations_total",
		help: "Policies that were put in force (result ok) and that were refused.", labels: []string{"result"}}
)

// The keys of issuers that are asked for them over the network.
var (
	issuerKeys = &metric{kind: gauge, name: "remit_issuer_keys",
		help: "Keys that can verify tokens.", labels: []string{"issuer"}}
	issuerKeysAge = &metric{kind: gauge, name: "remit_issuer_keys_age_seconds",
		help: "Since the issuer last confirmed its keys.", labels: []string{"issuer"}}
	issuerUsable = &metric{kind: gauge, name: "remit_issuer_keys_usable",
		help: "0 where there are no keys, or they are too old to be used: tokens of the issuer are denied.", labels: []string{"issuer"}}
	issuerFailing = &metric{kind: gauge, name: "remit_issuer_failing",
		help: "1 where the last attempt to get the issuer's keys failed.", labels: []string{"issuer"}}
)

// The store as it is.
var (
	storeUnavailable = &metric{kind: gauge, name: "remit_store_unavailable",
		help: "1 where the journal cannot go on, or not beyond the file that is being written: disk full, unwritable or broken."}
	journalWritten = &metric{kind: gauge, name: "remit_journal_written_bytes",
		help: "Length of the journal since it was begun."}
	journalKept = &metric{kind: gauge, name: "remit_journal_kept_bytes",
		help: "How much of the journal is kept: all of it unless decision_log.retain bounds it."}
	journalRoom = &metric{kind: gauge, name: "remit_journal_room_bytes",
		help: "Room left in the file of the journal that is being written. It is allocated: the disk can be full."}
	journalSegment = &metric{kind: gauge, name: "remit_journal_segment_bytes",
		help: "Size of one file of the journal: what the next one takes of the free space."}
	diskFree = &metric{kind: gauge, name: "remit_disk_free_bytes",
		help: "Free space where the state directory is."}
	snapshotAt = &metric{kind: gauge, name: "remit_snapshot_timestamp_seconds",
		help: "When the newest snapshot was taken (Unix time); 0 before the first."}
	partitions = &metric{kind: gauge, name: "remit_partitions",
		help: "Partitions that are remembered: roots that somebody acted for."}
	revocationPoints = &metric{kind: gauge, name: "remit_revocations",
		help: "Revocation points in force."}
	connections = &metric{kind: gauge, name: "remit_connections",
		help: "Connections of proxies that are open."}
)

// The export of the decision log. sink is file, opa or otlp.
var (
	exportEvents = &metric{kind: counter, name: "remit_export_events_total",
		help: "Events of the decision log that a sink took.", labels: []string{"sink"}}
	exportFailures = &metric{kind: counter, name: "remit_export_failures_total",
		help:   "Attempts that failed and are made again. cause is refused (the receiver will not take it like this, however often) or failed (anything else).",
		labels: []string{"sink", "cause"}}
	exportGaps = &metric{kind: counter, name: "remit_export_gaps_total",
		help: "Parts of the journal that a sink could not be given any more, or took and did not keep all of: each is an event (type gap) where it is missing.", labels: []string{"sink"}}
	exportBlocked = &metric{kind: gauge, name: "remit_export_blocked",
		help: "1 while a receiver refuses what it gets and nothing goes on until somebody changes something.", labels: []string{"sink"}}
	exportFailing = &metric{kind: gauge, name: "remit_export_failing",
		help: "1 while the latest attempt failed and was not refused: it is made again until one is taken.", labels: []string{"sink"}}
	exportLagBytes = &metric{kind: gauge, name: "remit_export_lag_bytes",
		help: "How much of the journal a sink does not have: decision_log.on_full says what happens above decision_log.max_lag_bytes.", labels: []string{"sink"}}
	exportLimit = &metric{kind: gauge, name: "remit_export_lag_limit_bytes",
		help: "decision_log.max_lag_bytes, where the decision log is exported."}
	exportLagSeconds = &metric{kind: gauge, name: "remit_export_lag_seconds",
		help: "Since the oldest entry was written that is being handed to a sink; 0 where it has all.", labels: []string{"sink"}}
)

// The process, besides what the runtime of Go and the kernel say of it (go_…,
// process_…).
var (
	buildInfo = &metric{kind: gauge, name: "remit_build_info",
		help: "1, with what this binary was built from.", labels: []string{"version", "go"}}
)

// all lists every metric of remit's own, in the order of the reference.
var all = []*metric{
	decisionsTotal, decisionSeconds, stepSeconds, wouldDenyTotal, topdownTotal, panicsTotal,
	actionsTotal, outcomesTotal, outcomesRefusedTotal, envoyRequestsTotal, outcomeStreams,
	entriesTotal, storeErrorsTotal, sessionsTotal, aggregatedTotal,
	policyInfo, policySince, policyLooked, policyLastGood, policyRefused, policyUnreachable, activationsTotal,
	issuerKeys, issuerKeysAge, issuerUsable, issuerFailing,
	storeUnavailable, journalWritten, journalKept, journalRoom, journalSegment, diskFree, snapshotAt, partitions, revocationPoints,
	connections,
	exportEvents, exportFailures, exportGaps, exportBlocked, exportFailing, exportLagBytes, exportLimit, exportLagSeconds,
	buildInfo,
}

// observed are those that [Sources] answer for.
var observed = []*metric{
	policyInfo, policySince, policyLooked, policyLastGood, policyRefused, policyUnreachable,
	issuerKeys, issuerKeysAge, issuerUsable, issuerFailing,
	storeUnavailable, journalWritten, journalKept, journalRoom, journalSegment, diskFree, snapshotAt, partitions, revocationPoints,
	connections, outcomeStreams,
	exportEvents, exportFailures, exportGaps, exportBlocked, exportFailing, exportLagBytes, exportLimit, exportLagSeconds,
}

func (m *metric) counter(in prometheus.Registerer) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, m.labels)
	in.MustRegister(v)
	return v
}

func (m *metric) gauge(in prometheus.Registerer) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.name, Help: m.help}, m.labels)
	in.MustRegister(v)
	return v
}

func (m *metric) histogram(in prometheus.Registerer) *prometheus.HistogramVec {
	seconds := make([]float64, len(m.buckets))
	for i, bound := range m.buckets {
		seconds[i] = bound.Seconds()
	}
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.name, Help: m.help, Buckets: slices.Clip(seconds)}, m.labels)
	in.MustRegister(v)
	return v
}

// desc describes a metric that is read when it is asked for.
func (m *metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.name, m.help, m.labels, nil) }
