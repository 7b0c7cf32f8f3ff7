package telemetry

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write metrics.md")

const referenceHead = `# Metrics

` + "`GET /metrics`" + ` at ` + "`health.address`" + ` (127.0.0.1:8282), in Prometheus' format. Besides these there are those of
Go's runtime (` + "`go_…`" + `) and of the process (` + "`process_…`" + `). ` + "`integration/observability`" + ` has a dashboard and
alert rules made of them.

No label is an agent's to choose. A ` + "`reason`" + ` is a code that stands in the text of the bundle, or one of
remit's own; a code that a policy puts together (` + "`sprintf(\"%s_after_%s\", …)`" + `) is its pattern
(` + "`*_after_*`" + `), and anything else is ` + "`other`" + `, as is what comes above 512 series of a listener.

Made from pdp/telemetry/metrics.go by ` + "`go test ./pdp/telemetry -run TestReferenceIsFresh -update`" + `.

| metric | kind | labels | meaning |
|---|---|---|---|
`

func TestReferenceIsFresh(t *testing.T) {
	var text strings.Builder
	text.WriteString(referenceHead)
	for _, m := range all {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		if m.help == "" || !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: %q is no sentence", m.name, m.help)
		}
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, m.help)
	}
	if *update {
		if err := os.WriteFile("metrics.md", []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if is, err := os.ReadFile("metrics.md"); err != nil || string(is) != text.String() {
		t.Errorf("metrics.md is not fresh: go test ./pdp/telemetry -run TestReferenceIsFresh -update (%v)", err)
	}
}

// What is declared is in the reference, and what is exported is declared, with
// the same labels and meaning.
func TestReferenceIsWhole(t *testing.T) {
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	if declared := strings.Count(string(source), "= &metric{"); declared != len(all) {
		t.Errorf("%d metrics are declared, %d are in the reference", declared, len(all))
	}
	known := make(map[string]*metric)
	for _, m := range all {
		known[m.name] = m
	}
	m := New()
	m.Observe(everything())
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		name := family.GetName()
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		declared := known[name]
		if declared == nil {
			t.Errorf("%s is not in the reference", name)
			continue
		}
		if kind := strings.ToLower(family.GetType().String()); kind != string(declared.kind) {
			t.Errorf("%s is a %s, declared as %s", name, kind, declared.kind)
		}
		if labels := len(family.GetMetric()[0].GetLabel()); labels != len(declared.labels) {
			t.Errorf("%s has %d labels, %d are declared", name, labels, len(declared.labels))
		}
		delete(known, name)
	}
	for _, m := range observed {
		if known[m.name] != nil {
			t.Errorf("%s is declared and not exported", m.name)
		}
	}
}

// everything are sources that have something to say.
func everything() Sources {
	at := time.Unix(1_700_000_000, 0)
	return Sources{
		Policy: func() Policy {
			return Policy{Generation: "abc+1", Since: at, Looked: at.Add(time.Minute), LastGood: true, Refused: true}
		},
		Issuers: func() []Issuer {
			return []Issuer{{Name: "https://idp", Keys: 2, Age: time.Minute, Usable: true}, {Name: "https://idp", Keys: 1, Age: time.Hour, Failing: true}}
		},
		Store: func() Store {
			return Store{Written: 5, Kept: 4, Room: 6, Segment: 10, Free: 7, Unavailable: true, Partitions: 8}
		},
		Connections: func() (int, int) { return 3, 4 },
		Revocations: func() int { return 9 },
		Exports: func() ([]Export, int64) {
			return []Export{{Sink: "file", Events: 3, Gaps: 1, Refused: 4, Failed: 5, Blocked: true, Failing: true, LagBytes: 6, Lag: 7 * time.Second}}, 8
		},
	}
}

func TestSourcesAreAsked(t *testing.T) {
	m := New()
	m.Observe(everything())
	expect(t, m,
		`remit_policy_info{generation="abc+1"} 1`, `remit_policy_since_timestamp_seconds 1.7e+09`, `remit_policy_looked_timestamp_seconds 1.70000006e+09`,
		`remit_policy_last_good 1`, `remit_policy_refused 1`, `remit_policy_source_unreachable 0`,
		`remit_issuer_keys{issuer="https://idp"} 1`, `remit_issuer_keys_age_seconds{issuer="https://idp"} 3600`,
		`remit_issuer_keys_usable{issuer="https://idp"} 0`, `remit_issuer_failing{issuer="https://idp"} 1`,
		`remit_journal_written_bytes 5`, `remit_journal_kept_bytes 4`, `remit_journal_room_bytes 6`, `remit_journal_segment_bytes 10`, `remit_disk_free_bytes 7`, `remit_store_unavailable 1`,
		`remit_partitions 8`, `remit_snapshot_timestamp_seconds 0`,
		`remit_connections 3`, `remit_outcome_streams 4`, `remit_revocations 9`,
		`remit_export_events_total{sink="file"} 3`, `remit_export_gaps_total{sink="file"} 1`, `remit_export_blocked{sink="file"} 1`, `remit_export_failing{sink="file"} 1`,
		`remit_export_failures_total{cause="refused",sink="file"} 4`, `remit_export_failures_total{cause="failed",sink="file"} 5`,
		`remit_export_lag_bytes{sink="file"} 6`, `remit_export_lag_seconds{sink="file"} 7`, `remit_export_lag_limit_bytes 8`)
}
