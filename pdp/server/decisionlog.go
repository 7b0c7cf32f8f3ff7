package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/audit/export"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/telemetry"
	"github.com/remit-pdp/remit/pdp/value"
)

// lastExport is how long the last events have to be exported. What is left is
// exported after the next start.
const lastExport = 2 * time.Second

// decisionLog is the export of the decision log; without an exporter it goes
// nowhere.
type decisionLog struct{ exporter *export.Exporter }

// newDecisionLog makes the export that is configured. It begins with start.
func newDecisionLog(c *config.Config, keys *pdp.Keys, log *slog.Logger) (*decisionLog, error) {
	d := &c.DecisionLog
	if !d.Exports() {
		return &decisionLog{}, nil
	}
	sinks, err := sinksOf(d)
	if err != nil {
		return nil, err
	}
	exporter, err := export.New(export.Settings{
		Dir: filepath.Join(c.State.Dir, "export"), Sinks: sinks, Form: eventForm(d, keys), Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, closeAll(sinks))
	}
	return &decisionLog{exporter}, nil
}

// CheckExport says what would keep the decision log from being exported, as far as
// that can be known without writing anything.
func CheckExport(c *config.Config) error {
	d := &c.DecisionLog
	if info, err := os.Stat(d.File.Dir); d.File.Dir != "" && err == nil && !info.IsDir() {
		return fmt.Errorf("decision_log.file.dir: %s is not a folder", d.File.Dir)
	}
	if d.OPA.URL == "" {
		return nil
	}
	_, err := uploadTo(&d.OPA)
	return err
}

func sinksOf(d *config.DecisionLog) (map[string]export.Sink, error) {
	sinks := make(map[string]export.Sink)
	if d.OPA.URL != "" {
		upload, err := uploadTo(&d.OPA)
		if err != nil {
			return nil, err
		}
		sinks["opa"] = upload
	}
	if f := &d.File; f.Dir != "" {
		files, err := export.OpenFiles(export.FileSettings{
			Dir: f.Dir, MaxBytes: f.MaxBytes, MaxAge: f.MaxAge.D(), Keep: f.KeepFiles, KeepAge: f.KeepAge.D(), Gzip: f.Gzip, Now: time.Now,
		})
		if err != nil {
			return nil, fmt.Errorf("decision_log.file.dir: %w", err)
		}
		sinks["file"] = files
	}
	return sinks, nil
}

func closeAll(sinks map[string]export.Sink) error {
	var errs []error
	for _, sink := range sinks {
		errs = append(errs, sink.Close())
	}
	return errors.Join(errs...)
}

// uploadTo is OPA's service. Files that are missing are errors at the start.
func uploadTo(o *config.OPAExport) (*export.Upload, error) {
	const key = "decision_log.opa"
	s := export.UploadSettings{URL: o.URL, Partition: o.Partition, Timeout: o.Timeout.D(), TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if o.CAFile != "" {
		authorities, err := authoritiesIn(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", key, err)
		}
		s.TLS.RootCAs = authorities
	}
	if o.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", key, err)
		}
		// Read again for every connection: certificates are renewed.
		s.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			return &pair, err
		}
	}
	if o.TokenFile != "" {
		s.Token = func() (string, error) { return tokenIn(o.TokenFile) }
		if _, err := s.Token(); err != nil {
			return nil, fmt.Errorf("%s.token_file: %w", key, err)
		}
	}
	return export.NewUpload(s)
}

// tokenIn is the token in a file.
func tokenIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return token, nil
}

// eventForm is what leaves: what `remit log tail --json` prints, masked.
func eventForm(d *config.DecisionLog, keys *pdp.Keys) export.Form {
	mask := audit.NewMask(d.Mask, d.Erase, func(text string) string { return keys.Fingerprint("decision log", text) })
	return export.Form{
		Event: func(at state.Position, e *state.Entry) []byte {
			return value.AppendJSON(nil, mask.Apply(audit.Event(at, e)))
		},
		Gap: func(from, to state.Position, why string, at time.Time) []byte {
			return value.AppendJSON(nil, audit.Gap(from, to, why, at))
		},
	}
}

// retention is how the store keeps the journal for the export.
func (l *decisionLog) retention(d *config.DecisionLog) localstore.Retention {
	r := localstore.Retention{Age: d.Retain.Age.D(), Bytes: d.Retain.Bytes, MaxLag: d.MaxLag, Deny: d.OnFull == "deny"}
	if l.exporter != nil {
		r.Exported = l.exporter.Exported
	}
	return r
}

func (l *decisionLog) start(store *localstore.Store) error {
	if l.exporter == nil {
		return nil
	}
	return l.exporter.Start(store)
}

func (l *decisionLog) stop() {
	if l.exporter != nil {
		l.exporter.Stop(lastExport)
	}
}

func (l *decisionLog) close() error {
	if l.exporter == nil {
		return nil
	}
	return l.exporter.Close()
}

// status is how the export is, for the metrics.
func (l *decisionLog) status() (all []telemetry.Export) {
	if l.exporter == nil {
		return nil
	}
	for _, s := range l.exporter.Status() {
		all = append(all, telemetry.Export{
			Sink: s.Sink, Events: s.Events, Gaps: s.Gaps, Refused: s.Refused, Failed: s.Failed, Blocked: s.Blocked, LagBytes: s.LagBytes, Lag: s.Lag,
		})
	}
	return all
}
