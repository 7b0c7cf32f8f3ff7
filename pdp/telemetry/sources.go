package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are asked whenever somebody asks for the metrics. Each is called from
// any goroutine and must answer soon; a nil one has nothing to say.
type Sources struct {
	Policy      func() Policy
	Issuers     func() []Issuer
	Store       func() Store
	Connections func() (proxies, outcomeStreams int)
	Revocations func() int                         // points in force
	Exports     func() (all []Export, limit int64) // how far behind, in bytes, one may be
}

// Policy is the policy in force, and what is known of the one that should be.
type Policy struct {
	Generation  string
	Since       time.Time // in force
	Looked      time.Time // when its source was looked at last
	LastGood    bool      // it did not come from its source but from the copy of what served last
	Refused     bool      // the source holds one that is not good
	Unreachable bool      // the source cannot be read
}

// Issuer is what is known of the keys of an issuer that is asked for them.
type Issuer struct {
	Name    string
	Keys    int
	Age     time.Duration // since the issuer last confirmed them
	Usable  bool
	Failing bool // the last attempt
}

// Store is how a store is.
type Store struct {
	Written     uint64 // bytes, of the journal, since it was begun
	Kept        uint64 // bytes, of the journal, that are there still
	Room        int64  // bytes, in the files of the journal that are there
	Segment     int64  // bytes, of one file of the journal
	Free        uint64 // bytes, of the disk, which the next file is made of
	Snapshot    time.Time
	Unavailable bool // entries cannot be accepted, or soon cannot
	Partitions  int  // that are known
}

// Export is how the export of the decision log to a sink is.
type Export struct {
	Sink            string
	Events, Gaps    uint64 // since the start
	Refused, Failed uint64 // attempts, since the start
	Blocked         bool
	Failing         bool
	LagBytes        int64
	Lag             time.Duration
}

// Observe makes the sources part of the metrics. It is called once.
func (m *Meter) Observe(s Sources) { m.registry.MustRegister(&s) }

// Describe implements [prometheus.Collector].
func (s *Sources) Describe(to chan<- *prometheus.Desc) {
	for _, metric := range observed {
		to <- metric.desc()
	}
}

// Collect implements [prometheus.Collector].
func (s *Sources) Collect(to chan<- prometheus.Metric) {
	say := func(m *metric, is float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(m.desc(), m.kind.valueType(), is, labels...)
	}
	if s.Policy != nil {
		s.Policy().collect(say)
	}
	if s.Issuers != nil {
		for _, issuer := range worst(s.Issuers()) {
			issuer.collect(say)
		}
	}
	if s.Store != nil {
		s.Store().collect(say)
	}
	if s.Connections != nil {
		proxies, streams := s.Connections()
		say(connections, float64(proxies))
		say(outcomeStreams, float64(streams))
	}
	if s.Revocations != nil {
		say(revocationPoints, float64(s.Revocations()))
	}
	if s.Exports != nil {
		exports, limit := s.Exports()
		for _, export := range exports {
			export.collect(say)
		}
		if len(exports) > 0 {
			say(exportLimit, float64(limit))
		}
	}
}

// valueType is what Prometheus calls the kind of a metric that is read when it is
// asked for.
func (k kind) valueType() prometheus.ValueType {
	if k == counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

type sayFunc func(m *metric, is float64, labels ...string)

func (p Policy) collect(say sayFunc) {
	say(policyInfo, 1, p.Generation)
	say(policySince, unix(p.Since))
	say(policyLooked, unix(p.Looked))
	say(policyLastGood, truth(p.LastGood))
	say(policyRefused, truth(p.Refused))
	say(policyUnreachable, truth(p.Unreachable))
}

// worst is one of each name: listeners may ask the same issuer in different ways.
func worst(issuers []Issuer) map[string]Issuer {
	of := make(map[string]Issuer)
	for _, i := range issuers {
		if other, both := of[i.Name]; both {
			i.Keys, i.Age = min(i.Keys, other.Keys), max(i.Age, other.Age)
			i.Usable, i.Failing = i.Usable && other.Usable, i.Failing || other.Failing
		}
		of[i.Name] = i
	}
	return of
}

func (i Issuer) collect(say sayFunc) {
	say(issuerKeys, float64(i.Keys), i.Name)
	say(issuerKeysAge, i.Age.Seconds(), i.Name)
	say(issuerUsable, truth(i.Usable), i.Name)
	say(issuerFailing, truth(i.Failing), i.Name)
}

func (s Store) collect(say sayFunc) {
	say(journalWritten, float64(s.Written))
	say(journalKept, float64(s.Kept))
	say(journalRoom, float64(s.Room))
	say(journalSegment, float64(s.Segment))
	say(diskFree, float64(s.Free))
	say(snapshotAt, unix(s.Snapshot))
	say(storeUnavailable, truth(s.Unavailable))
	say(partitions, float64(s.Partitions))
}

func (e Export) collect(say sayFunc) {
	say(exportEvents, float64(e.Events), e.Sink)
	say(exportFailures, float64(e.Refused), e.Sink, "refused")
	say(exportFailures, float64(e.Failed), e.Sink, "failed")
	say(exportGaps, float64(e.Gaps), e.Sink)
	say(exportBlocked, truth(e.Blocked), e.Sink)
	say(exportFailing, truth(e.Failing), e.Sink)
	say(exportLagBytes, float64(e.LagBytes), e.Sink)
	say(exportLagSeconds, e.Lag.Seconds(), e.Sink)
}

// unix is a time in seconds; 0 for one that there was not.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
