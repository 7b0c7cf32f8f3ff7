package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/bundles/git"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/attributes"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/telemetry"
	"github.com/remit-pdp/remit/pdp/value"
	"github.com/remit-pdp/remit/policies"
)

// NewGeneration makes what decisions are made with from a configuration and the
// bundle it names; issuers outlive it. It reports everything that is wrong with either at once;
// the warnings are of what is not wrong but probably not meant.
func NewGeneration(ctx context.Context, c *config.Config, keys *pdp.Keys, issuers *identity.Issuers, now func() time.Time) (*pdp.Generation, []error, error) {
	source, err := newSource(&c.Policy.Bundle)
	if err != nil {
		return nil, nil, err
	}
	m, makerErr := newMaker(c, keys, issuers, now)
	snapshot, err := source.Fetch(ctx, "")
	if err != nil {
		return nil, nil, errors.Join(err, makerErr)
	}
	generation, warnings, err := m.generation(ctx, snapshot)
	if err := errors.Join(err, makerErr); err != nil {
		return nil, nil, err
	}
	return generation, warnings, nil
}

// newSource returns where the configuration says that policy comes from.
func newSource(b *config.Bundle) (bundles.Source, error) {
	switch {
	case b.Git != nil:
		return git.New(git.Settings{
			URL: b.Git.URL, Ref: b.Git.Ref, Folder: b.Git.Folder, CAFile: b.Git.CAFile,
			CredentialsFile: b.Git.CredentialsFile, CredentialsEnv: b.Git.CredentialsEnv,
		})
	case b.Tarball != "":
		return bundles.Tarball(b.Tarball), nil
	default:
		return bundles.Dir(b.Dir), nil
	}
}

// maker makes one generation after the other, of one configuration and what its
// source of policy holds. What depends on the configuration alone is made once.
type maker struct {
	config   *config.Config
	digest   string
	reader   pdp.Reader
	verifier pdp.Verifier
	// seen is what was seen of tools; nil where nobody looks.
	seen *catalog.Seen
	// meter measures decisions; nil where nobody measures.
	meter *telemetry.Meter
}

// newMaker returns a maker. With an error it is good for finding what is wrong
// with a bundle, and for nothing else.
func newMaker(c *config.Config, keys *pdp.Keys, issuers *identity.Issuers, now func() time.Time) (*maker, error) {
	verifier, identityErr := identity.New(identitySettings(c, issuers), keys, now)
	reading, readingErr := readerSettings(c)
	digest, digestErr := configDigest(c)
	m := &maker{config: c, digest: digest, reader: attributes.New(reading), verifier: verifier}
	return m, errors.Join(identityErr, readingErr, digestErr)
}

// generation makes a generation, or says everything that is wrong with the
// bundle. Nothing of it is in use before all of it is good.
func (m *maker) generation(ctx context.Context, s *bundles.Snapshot) (_ *pdp.Generation, warnings []error, err error) {
	bundle, err := bundles.Parse(s)
	if err != nil {
		return nil, nil, err
	}
	c := m.config
	known, catalogErr := catalog.New(bundle.Data.Path("remit", "catalog"), bundle.Locate)
	engine, policyErr := policy.Compile(ctx, sourceOf(bundle), policy.Options{
		Entrypoint: c.Policy.Entrypoint, Timeout: c.Policy.Timeout.D(), Engine: policy.EngineName(c.Policy.Engine), InputSchema: policies.InputSchema,
	})
	if err := errors.Join(catalogErr, policyErr); err != nil {
		return nil, nil, err
	}
	if err := observesNothing(c, bundle, engine.Observe()); err != nil {
		return nil, nil, err
	}
	for _, problem := range engine.Warnings() {
		warnings = append(warnings, problem)
	}
	warnings = append(warnings, unreviewed(c, known, bundle.Locate)...)
	if m.meter != nil {
		know(m.meter, bundle)
	}
	return &pdp.Generation{
		ID:       bundleName(s, bundle) + "+" + m.digest,
		Reader:   m.reader,
		Verifier: m.verifier,
		Catalog:  m.seen.Over(known),
		Policy:   engine,
		Declared: engine.Declared(),
		Observe:  engine.Observe(),
		Agents:   bundle.Data.Path("remit", "agents"),
	}, append(warnings, unmeant(c, bundle)...), nil
}

// bundleName names a bundle such that another content has another name: a commit
// does so, a manifest's revision is what somebody wrote.
func bundleName(s *bundles.Snapshot, b *bundles.Bundle) string {
	if s.Version != "" || b.Revision == b.Digest {
		return b.Revision
	}
	return b.Revision + "@" + b.Digest
}

// unmeant are settings that are allowed and rarely wanted.
func unmeant(c *config.Config, b *bundles.Bundle) (warnings []error) {
	for _, l := range c.Listeners {
		if l.Identity.None {
			warnings = append(warnings, fmt.Errorf("listener %s identifies nobody: no decision on it can know who acts, or remember anything", l.Name))
		}
	}
	if c.Outcomes.Address == "" {
		warnings = append(warnings, errors.New("outcomes.address is not set: nothing ever settles, and every allowed action becomes unknown"))
	}
	for _, name := range []string{"catalog", "agents"} {
		empty := true
		entries := b.Data.Path("remit", name)
		if name == "catalog" {
			entries = entries.Get("systems")
		}
		entries.Range(func(string, value.Value) bool { empty = false; return false })
		if empty {
			warnings = append(warnings, fmt.Errorf("data.remit.%s is empty: the starter pack denies everything then", name))
		}
	}
	return warnings
}

func sourceOf(b *bundles.Bundle) policy.Source {
	s := policy.Source{Revision: b.Revision, Data: b.Data, Locate: b.Locate}
	for _, m := range b.Modules {
		s.Modules = append(s.Modules, policy.Module{Path: m.Path, Text: m.Text})
	}
	return s
}

// configDigest names a configuration: the same settings have the same name, and
// so do the same descriptor sets.
func configDigest(c *config.Config) (string, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return "", err
	}
	for _, l := range c.Listeners {
		for _, file := range l.GRPC.Descriptors {
			set, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			sum := sha256.Sum256(set)
			text = append(text, sum[:]...)
		}
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4]), nil
}
