package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/audit/export"
	"github.com/remit-pdp/remit/pdp/config"
)

// CheckExport says what would keep the decision log from being exported, as far as
// that can be known without writing anything.
func CheckExport(c *config.Config) error {
	d := &c.DecisionLog
	if info, err := os.Stat(d.File.Dir); d.File.Dir != "" && err == nil && !info.IsDir() {
		return fmt.Errorf("decision_log.file.dir: %s is not a folder", d.File.Dir)
	}
	_, err := receiversOf(d, slog.New(slog.DiscardHandler))
	return err
}

// sinksOf are the sinks that are configured, by their names in the metrics.
func sinksOf(d *config.DecisionLog, log *slog.Logger) (map[string]export.Sink, error) {
	sinks, err := receiversOf(d, log)
	if err != nil {
		return nil, err
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

// receiversOf are the sinks that send to somebody.
func receiversOf(d *config.DecisionLog, log *slog.Logger) (map[string]export.Sink, error) {
	sinks := make(map[string]export.Sink)
	if d.OPA.URL != "" {
		upload, err := uploadTo(&d.OPA)
		if err != nil {
			return nil, err
		}
		sinks["opa"] = upload
	}
	if d.OTLP.Endpoint != "" {
		otlp, err := otlpTo(&d.OTLP, log)
		if err != nil {
			return nil, err
		}
		sinks["otlp"] = otlp
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
	s := service{"decision_log.opa", o.CAFile, o.CertFile, o.KeyFile, o.TokenFile, nil}
	trust, err := s.tls()
	if err != nil {
		return nil, err
	}
	if _, err := s.header(); err != nil {
		return nil, err
	}
	return export.NewUpload(export.UploadSettings{URL: o.URL, Partition: o.Partition, Timeout: o.Timeout.D(), TLS: trust, Header: s.header})
}

// otlpTo is a receiver of OTLP. Files that are missing are errors at the start.
func otlpTo(o *config.OTLPExport, log *slog.Logger) (*export.OTLP, error) {
	s := service{"decision_log.otlp", o.CAFile, o.CertFile, o.KeyFile, o.TokenFile, o.HeaderFiles}
	trust, err := s.tls()
	if err != nil {
		return nil, err
	}
	if _, err := s.header(); err != nil {
		return nil, err
	}
	resource := map[string]string{"service.name": "remit", "service.version": ownVersion()}
	maps.Copy(resource, o.Resource)
	return export.NewOTLP(export.OTLPSettings{URL: o.Endpoint, Timeout: o.Timeout.D(), TLS: trust, Header: s.header, Resource: resource, Log: log})
}

// service is who gets the decision log over HTTP: what is configured to trust it,
// and for it to know remit.
type service struct {
	key                                string // of the configuration
	caFile, certFile, keyFile, tokenIn string
	headersIn                          map[string]string // files, by the header's name
}

func (s *service) tls() (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.caFile != "" {
		authorities, err := authoritiesIn(s.caFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", s.key, err)
		}
		trust.RootCAs = authorities
	}
	if s.certFile != "" {
		if _, err := tls.LoadX509KeyPair(s.certFile, s.keyFile); err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", s.key, err)
		}
		// Read again for every connection: certificates are renewed.
		trust.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
			return &pair, err
		}
	}
	return trust, nil
}

// header is what a request says besides its body, read again for every one: tokens
// change.
func (s *service) header() (http.Header, error) {
	header := make(http.Header)
	if s.tokenIn != "" {
		token, err := secretIn(s.tokenIn)
		if err != nil {
			return nil, fmt.Errorf("%s.token_file: %w", s.key, err)
		}
		header.Set("Authorization", "Bearer "+token)
	}
	for name, file := range s.headersIn {
		is, err := secretIn(file)
		if err != nil {
			return nil, fmt.Errorf("%s.header_files: %w", s.key, err)
		}
		header.Set(name, is)
	}
	return header, nil
}

// secretIn is what a file holds, without the white space around it.
func secretIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return secret, nil
}
