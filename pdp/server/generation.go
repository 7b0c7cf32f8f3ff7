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
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/attributes"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/value"
	"github.com/remit-pdp/remit/policies"
)

// NewGeneration makes what decisions are made with from a configuration and the
// bundle it names; issuers outlive it. It reports everything that is wrong with either at once;
// the warnings are of what is not wrong but probably not meant.
func NewGeneration(ctx context.Context, c *config.Config, keys *pdp.Keys, issuers *identity.Issuers, now func() time.Time) (_ *pdp.Generation, warnings []error, err error) {
	bundle, err := bundles.LoadDir(c.Policy.Bundle)
	if err != nil {
		return nil, nil, err
	}
	known, catalogErr := catalog.New(bundle.Data.Path("remit", "catalog"), bundle.Locate)
	engine, policyErr := policy.Compile(ctx, source(bundle), policy.Options{
		Entrypoint: c.Policy.Entrypoint, Timeout: c.Policy.Timeout.D(), InputSchema: policies.InputSchema,
	})
	verifier, identityErr := identity.New(identitySettings(c, issuers), keys, now)
	reading, readingErr := readerSettings(c)
	if err := errors.Join(catalogErr, policyErr, identityErr, readingErr); err != nil {
		return nil, nil, err
	}
	if err := observesNothing(c, bundle, engine.Observe()); err != nil {
		return nil, nil, err
	}
	for _, problem := range engine.Warnings() {
		warnings = append(warnings, problem)
	}
	digest, err := configDigest(c)
	if err != nil {
		return nil, nil, err
	}
	return &pdp.Generation{
		ID:       bundle.Revision + "+" + digest,
		Reader:   attributes.New(reading),
		Verifier: verifier,
		Catalog:  known,
		Policy:   engine,
		Declared: engine.Declared(),
		Observe:  engine.Observe(),
		Agents:   bundle.Data.Path("remit", "agents"),
	}, append(warnings, unmeant(c, bundle)...), nil
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

func source(b *bundles.Bundle) policy.Source {
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
