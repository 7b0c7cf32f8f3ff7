package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionSaysWhatItWasBuiltFrom(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.0",
		Main:      debug.Module{Version: "v1.2.3"},
		Deps:      []*debug.Module{{Path: "github.com/open-policy-agent/opa", Version: "v1.0.0"}},
		Settings:  []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}},
	}
	const engine = "policies: Rego v1, OPA v1.0.0\n"
	if got, want := versionOf(info), "remit v1.2.3, go1.26.0 linux/arm64\n"+engine; got != want {
		t.Errorf("without a commit: %q, want %q", got, want)
	}
	info.Settings = append(info.Settings, debug.BuildSetting{Key: "vcs.revision", Value: "0123abcd"}, debug.BuildSetting{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"})
	if got, want := versionOf(info), "remit v1.2.3, go1.26.0 linux/arm64\ncommit 0123abcd of 2026-01-02T03:04:05Z\n"+engine; got != want {
		t.Errorf("with a commit: %q, want %q", got, want)
	}
}

func versionOf(info *debug.BuildInfo) string {
	var b strings.Builder
	printVersion(&b, info)
	return b.String()
}
