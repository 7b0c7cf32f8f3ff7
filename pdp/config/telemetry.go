package config

import (
	"net"
	"net/url"
)

// Telemetry says what remit tells of its work besides the metrics, which are
// always there.
type Telemetry struct {
	Traces Traces `yaml:"traces"`
}

// Traces is where the traces of decisions go, and which decisions have one: those
// that the caller traces (a sampled traceparent), and a share of the others.
type Traces struct {
	// Endpoint is the URL of an OTLP/HTTP receiver, without a path:
	// "https://collector.example.com:4318"; none are sent without it. Plain http
	// is for this machine only.
	Endpoint string `yaml:"endpoint"`
	// CAFile holds who may sign the receiver's certificate; the system's where
	// empty.
	CAFile string `yaml:"ca_file"`
	// Ratio is the share of decisions that are traced although the caller does
	// not, 0 to 1.
	Ratio float64 `yaml:"ratio"`
	// MaxPerSecond bounds how many decisions are traced: any caller can ask for it.
	MaxPerSecond int `yaml:"max_per_second"`
}

func (t *Traces) fill() {
	if t.Endpoint != "" {
		orInt(&t.MaxPerSecond, 100)
	}
}

func (t *Traces) problems(say sayFunc) {
	const key = "telemetry.traces"
	if t.Endpoint == "" {
		if *t != (Traces{}) {
			say(key+".endpoint", "is required where traces are configured: name the collector, https://HOST:4318")
		}
		return
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
		say(key+".endpoint", "%q is not like https://HOST:4318", t.Endpoint)
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		say(key+".endpoint", "%q must begin with https://: plain http is for a collector on this machine", t.Endpoint)
	}
	if !(t.Ratio >= 0 && t.Ratio <= 1) {
		say(key+".ratio", "%v is not between 0 and 1", t.Ratio)
	}
	if t.MaxPerSecond < 1 || t.MaxPerSecond > 100_000 {
		say(key+".max_per_second", "%d is not between 1 and 100000", t.MaxPerSecond)
	}
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
