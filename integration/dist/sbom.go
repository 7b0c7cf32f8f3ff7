package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// inventory returns what is in a binary, as CycloneDX. It is made from what the
// linker wrote into the binary and not from go.mod, which also has what only tests
// and tools use. It has no serial number: the same binary has the same inventory.
func inventory(b *binary) ([]byte, error) {
	main := application(b)
	parts := []cdx.Component{standardLibrary(b)}
	for _, m := range b.modules() {
		part, err := library(m)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	var linked []string // a binary does not say what of it needs what
	for _, p := range parts {
		linked = append(linked, p.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: b.at.UTC().Format(time.RFC3339), Component: &main}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &linked}}
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

// application is remit itself: the digest is the binary's, the properties are how
// it was built.
func application(b *binary) cdx.Component {
	digest := sha256.Sum256(b.bytes)
	c := component(cdx.ComponentTypeApplication, b.info.Main.Path, b.version())
	c.Name = "remit"
	c.Licenses = &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(digest[:])}}
	c.ExternalReferences = &[]cdx.ExternalReference{{Type: cdx.ERTypeVCS, URL: "https://" + b.info.Main.Path}}
	var properties []cdx.Property
	for _, s := range b.info.Settings {
		properties = append(properties, cdx.Property{Name: "remit:build:" + s.Key, Value: s.Value})
	}
	c.Properties = &properties
	return c
}

// standardLibrary is listed like a module: that is where most advisories that
// concern a Go program are about.
func standardLibrary(b *binary) cdx.Component {
	return component(cdx.ComponentTypeLibrary, "stdlib", strings.TrimPrefix(b.info.GoVersion, "go"))
}

// library is a module that is linked in; its digest is the one that go.sum has.
func library(m *debug.Module) (cdx.Component, error) {
	digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
	if err != nil || len(digest) != sha256.Size {
		return cdx.Component{}, fmt.Errorf("%s has no digest in go.sum (%q): a release has no module that is replaced by a folder", m.Path, m.Sum)
	}
	c := component(cdx.ComponentTypeLibrary, m.Path, m.Version)
	c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(digest)}}
	return c, nil
}

func component(kind cdx.ComponentType, path, version string) cdx.Component {
	purl := "pkg:golang/" + path + "@" + url.QueryEscape(version) // a "+" would be read as something else
	return cdx.Component{Type: kind, BOMRef: purl, Name: path, Version: version, PackageURL: purl}
}
