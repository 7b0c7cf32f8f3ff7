package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DecisionLog says where the decision log goes besides the journal, and how long
// the journal keeps it.
type DecisionLog struct {
	File FileExport `yaml:"file"`
	OPA  OPAExport  `yaml:"opa"`
	OTLP OTLPExport `yaml:"otlp"`
	// Mask are paths of events whose values leave as a stable keyed token:
	// "/input/request/path", "/input/agent/chain/*/id". The journal keeps them.
	Mask []string `yaml:"mask"`
	// Erase are paths of events that do not leave at all.
	Erase  []string `yaml:"erase"`
	Retain Retain   `yaml:"retain"`
	// MaxLag is how many bytes of the journal the slowest export may be behind,
	// before on_full says what happens.
	MaxLag int64 `yaml:"max_lag_bytes"`
	// OnFull is what happens then: "give_up" removes what retain does not keep although
	// it was not exported, with an event where it is missing; "deny" allows nothing
	// more until the export has caught up, and removes nothing.
	OnFull string `yaml:"on_full"`
}

// Retain bounds what the journal keeps. What is exported is waited for.
type Retain struct {
	// Age is how long entries are kept at the least, like "720h"; 0 is for ever.
	Age Duration `yaml:"age"`
	// Bytes is how much of the journal is kept at the least: what is beyond it is
	// removed, file by file; 0 is all.
	Bytes int64 `yaml:"bytes"`
}

// FileExport writes the decision log to files, one JSON object a line.
type FileExport struct {
	// Dir is the folder, of its own; none are written without it.
	Dir string `yaml:"dir"`
	// MaxBytes is how large a file gets before the next one is begun;
	// 0 is 100 MiB.
	MaxBytes int64 `yaml:"max_bytes"`
	// MaxAge is for how long one file is written to; 0 is 24h.
	MaxAge Duration `yaml:"max_age"`
	// KeepFiles is how many closed files are kept; 0 is all.
	KeepFiles int `yaml:"keep_files"`
	// KeepAge is how long closed files are kept; 0 is for ever.
	KeepAge Duration `yaml:"keep_age"`
	// Gzip says that closed files are compressed.
	Gzip bool `yaml:"gzip"`
}

// OPAExport uploads the decision log as OPA does (its Decision Log Service API).
type OPAExport struct {
	// URL is that of the service, to which /logs is added; nothing is uploaded
	// without it. Plain http is for this machine only.
	URL string `yaml:"url"`
	// Partition is added to the path: /logs/PARTITION.
	Partition string `yaml:"partition"`
	// TokenFile holds the bearer token; it is read at every upload.
	TokenFile string `yaml:"token_file"`
	// CAFile holds who may sign the service's certificate; the system's where empty.
	CAFile string `yaml:"ca_file"`
	// CertFile is remit's certificate for the service, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the private key of the certificate, PEM.
	KeyFile string `yaml:"key_file"`
	// Timeout is how long one upload may take; 0 is 30s.
	Timeout Duration `yaml:"timeout"`
}

// Exports reports whether the decision log goes anywhere.
func (d *DecisionLog) Exports() bool {
	return d.File.Dir != "" || d.OPA.URL != "" || d.OTLP.Endpoint != ""
}

func (d *DecisionLog) fill() {
	if d.File.Dir != "" {
		orInt64(&d.File.MaxBytes, 100<<20)
		orDuration(&d.File.MaxAge, 24*time.Hour)
	}
	if d.OPA.URL != "" {
		orDuration(&d.OPA.Timeout, 30*time.Second)
	}
	d.OTLP.fill()
	orInt64(&d.MaxLag, 1<<30)
	orString(&d.OnFull, "give_up")
}

func orInt64(n *int64, fallback int64) {
	if *n == 0 {
		*n = fallback
	}
}

func (d *DecisionLog) rebase(under func(*string)) {
	for _, path := range []*string{&d.File.Dir, &d.OPA.TokenFile, &d.OPA.CAFile, &d.OPA.CertFile, &d.OPA.KeyFile} {
		under(path)
	}
	d.OTLP.rebase(under)
}

func (d *DecisionLog) problems(segment int64, say sayFunc) {
	d.File.problems(say)
	d.OPA.problems(say)
	d.OTLP.problems(say)
	for i, path := range d.Mask {
		checkMask(fmt.Sprintf("decision_log.mask[%d]", i), path, say)
	}
	for i, path := range d.Erase {
		checkMask(fmt.Sprintf("decision_log.erase[%d]", i), path, say)
	}
	if d.Retain.Age != 0 {
		between("decision_log.retain.age", d.Retain.Age, time.Hour, 100*365*24*time.Hour, say)
	}
	if d.Retain.Bytes != 0 && d.Retain.Bytes < 2*segment {
		say("decision_log.retain.bytes", "%d is less than two files of the journal (%d, see state.segment_bytes); 0 keeps all", d.Retain.Bytes, 2*segment)
	}
	if d.MaxLag < 1<<20 || d.MaxLag > 1<<40 {
		say("decision_log.max_lag_bytes", "%d is not between 1 MiB and 1 TiB", d.MaxLag)
	}
	oneOf("decision_log.on_full", d.OnFull, []string{"give_up", "deny"}, say)
	if d.OnFull == "deny" && !d.Exports() {
		say("decision_log.on_full", "\"deny\" has nothing to wait for: set decision_log.file.dir, decision_log.opa.url or decision_log.otlp.endpoint, or leave it out")
	}
}

func (f *FileExport) problems(say sayFunc) {
	const key = "decision_log.file"
	if f.Dir == "" {
		if *f != (FileExport{}) {
			say(key+".dir", "is required where files are configured: name a folder that holds nothing else")
		}
		return
	}
	if f.MaxBytes < 1<<20 || f.MaxBytes > 1<<40 {
		say(key+".max_bytes", "%d is not between 1 MiB and 1 TiB", f.MaxBytes)
	}
	between(key+".max_age", f.MaxAge, time.Minute, 366*24*time.Hour, say)
	if f.KeepFiles < 0 {
		say(key+".keep_files", "%d is less than 0, which keeps all", f.KeepFiles)
	}
	between(key+".keep_age", f.KeepAge, 0, 100*365*24*time.Hour, say)
}

func (o *OPAExport) problems(say sayFunc) {
	const key = "decision_log.opa"
	if o.URL == "" {
		if *o != (OPAExport{}) {
			say(key+".url", "is required where an upload is configured: name the service, https://HOST/PATH")
		}
		return
	}
	checkService(key, "url", o.URL, say)
	if (o.CertFile == "") != (o.KeyFile == "") {
		say(key+".cert_file", "and %s.key_file belong together: set both or none", key)
	}
	between(key+".timeout", o.Timeout, time.Second, 10*time.Minute, say)
}

// checkService checks the URL of a service that gets the decision log.
func checkService(key, name, at string, say sayFunc) {
	u, err := url.Parse(at)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
		say(key+"."+name, "is not like https://HOST/PATH, without a password or a query: a token belongs in %s.token_file", key)
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		say(key+"."+name, "%q must begin with https://: plain http is for a service on this machine", at)
	}
}

// maskable are the members of an event that may be masked. The others say which
// event it is.
var maskable = []string{"input", "result", "effects", "outcome", "order", "revocation", "requested_by", "trace_id"}

func checkMask(key, path string, say sayFunc) {
	steps := strings.Split(path, "/")
	if len(steps) < 2 || steps[0] != "" || slices.Contains(steps[1:], "") {
		say(key, "%q is not a path like /input/request/path", path)
		return
	}
	if !slices.Contains(maskable, steps[1]) {
		say(key, "%q does not begin with one of /%s: the other members say which event it is", path, strings.Join(maskable, ", /"))
	}
}
