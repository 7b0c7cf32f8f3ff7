package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// OTLPExport sends the decision log as log records over OTLP/HTTP: to an
// OpenTelemetry Collector, or whatever takes them.
type OTLPExport struct {
	// Endpoint is the URL of the receiver, to which /v1/logs is added:
	// "https://collector.example.com:4318"; nothing is sent without it. Plain http is
	// for this machine only.
	Endpoint string `yaml:"endpoint"`
	// Resource are attributes of the resource besides service.name and
	// service.version, "{service.instance.id: remit-0}", or in their place.
	Resource map[string]string `yaml:"resource"`
	// TokenFile holds the bearer token; it is read at every request.
	TokenFile string `yaml:"token_file"`
	// HeaderFiles are the files that hold the values of headers, by the header's name,
	// "{api-key: otlp-key}"; they are read at every request.
	HeaderFiles map[string]string `yaml:"header_files"`
	// CAFile holds who may sign the receiver's certificate; the system's where empty.
	CAFile string `yaml:"ca_file"`
	// CertFile is remit's certificate for the receiver, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the private key of the certificate, PEM.
	KeyFile string `yaml:"key_file"`
	// Timeout is how long one request may take; 0 is 30s.
	Timeout Duration `yaml:"timeout"`
}

func (o *OTLPExport) fill() {
	if o.Endpoint != "" {
		orDuration(&o.Timeout, 30*time.Second)
	}
}

func (o *OTLPExport) rebase(under func(*string)) {
	for _, path := range []*string{&o.TokenFile, &o.CAFile, &o.CertFile, &o.KeyFile} {
		under(path)
	}
	for name, path := range o.HeaderFiles {
		under(&path)
		o.HeaderFiles[name] = path
	}
}

// headerName is a field name of HTTP (RFC 9110, section 5.1).
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// Headers that the request itself sets.
var ownHeaders = []string{"content-type", "content-encoding", "content-length", "transfer-encoding", "connection", "host"}

func (o *OTLPExport) problems(say sayFunc) {
	const key = "decision_log.otlp"
	if o.Endpoint == "" {
		if !reflect.ValueOf(*o).IsZero() {
			say(key+".endpoint", "is required where OTLP is configured: name the receiver, https://HOST:4318")
		}
		return
	}
	checkService(key, "endpoint", o.Endpoint, say)
	for name := range o.Resource {
		if name == "" {
			say(key+".resource", "has an attribute without a name")
		}
	}
	for name, file := range o.HeaderFiles {
		switch lower := strings.ToLower(name); {
		case !headerName.MatchString(name):
			say(key+".header_files", "%q is no name of a header", name)
		case slices.Contains(ownHeaders, lower):
			say(key+".header_files", "%q is remit's to set", name)
		case lower == "authorization" && o.TokenFile != "":
			say(key+".header_files", "%q and %s.token_file say the same: leave one out", name, key)
		case file == "":
			say(key+".header_files", "%q has no file that holds its value", name)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		say(key+".cert_file", "and %s.key_file belong together: set both or none", key)
	}
	between(key+".timeout", o.Timeout, time.Second, 10*time.Minute, say)
}
