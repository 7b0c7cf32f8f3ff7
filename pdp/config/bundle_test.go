package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withBundle is a good configuration with another policy.bundle.
func withBundle(bundle string) string {
	return strings.Replace(good, "{ bundle: policy }", "{ bundle: "+bundle+" }", 1)
}

func TestWhereBundlesComeFrom(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for text, want := range map[string]Bundle{
		`policy`:                        {Dir: in("policy"), Poll: Duration(time.Second)},
		`{ dir: policy, poll: 5s }`:     {Dir: in("policy"), Poll: Duration(5 * time.Second)},
		`{ tarball: bundles/b.tar.gz }`: {Tarball: in("bundles/b.tar.gz"), Poll: Duration(time.Second)},
		`{ tarball: /srv/b.tar.gz }`:    {Tarball: "/srv/b.tar.gz", Poll: Duration(time.Second)},
		`{ git: { url: "https://git.example.test/p.git", ref: main, folder: a/b, ca_file: ca.pem, credentials_file: c } }`: {
			Git: &Git{URL: "https://git.example.test/p.git", Ref: "main", Folder: "a/b", CAFile: in("ca.pem"), CredentialsFile: in("c")}, Poll: Duration(30 * time.Second)},
		`{ git: { url: "file:///srv/p.git", ref: v1, credentials_env: POLICY }, poll: 1s }`: {
			Git: &Git{URL: "file:///srv/p.git", Ref: "v1", CredentialsEnv: "POLICY"}, Poll: Duration(time.Second)},
	} {
		path := in("remit.yaml")
		if err := os.WriteFile(path, []byte(withBundle(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := c.Policy.Bundle
		if got.Dir != want.Dir || got.Tarball != want.Tarball || got.Poll != want.Poll || (got.Git == nil) != (want.Git == nil) || got.Git != nil && *got.Git != *want.Git {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}

func TestRefusedBundles(t *testing.T) {
	const secret = "never-shown"
	repository := func(more string) string { return `{ git: { ref: main, ` + more + ` } }` }
	for text, want := range map[string]string{
		`""`:                              "policy.bundle: is required",
		`{}`:                              "policy.bundle: is required",
		`[ policy ]`:                      "bundle",
		`{ dir: a, tarball: b }`:          "policy.bundle: must hold exactly one",
		`{ directory: a }`:                "directory",
		`{ dir: a, poll: 10ms }`:          "policy.bundle.poll",
		`{ dir: a, poll: 2h }`:            "policy.bundle.poll",
		`{ git: { ref: main } }`:          "policy.bundle.git.url",
		`{ git: { url: "https://h/p" } }`: "policy.bundle.git.ref",
		`{ git: { url: "https://h/p", ref: main }, poll: 500ms }`:                 "policy.bundle.poll",
		repository(`url: "http://h/p"`):                                           "use https://",
		repository(`url: "git://h/p"`):                                            "use https://",
		repository(`url: "ssh://git@h/p"`):                                        "ssh:// needs",
		repository(`url: "git@h:p.git"`):                                          "is ssh",
		repository(`url: "https://u:` + secret + `@h/p"`):                         "holds credentials",
		repository(`url: "http://u:` + secret + `@h/p"`):                          "holds credentials",
		repository(`url: "p.git"`):                                                "is neither https",
		repository(`url: "file://h/p"`):                                           "is neither https",
		repository(`url: "https://h/p", folder: ../x`):                            "policy.bundle.git.folder",
		repository(`url: "https://h/p", folder: /x`):                              "policy.bundle.git.folder",
		repository(`url: "https://h/p", folder: a/../../x`):                       "policy.bundle.git.folder",
		repository(`url: "https://h/p", credentials_file: a, credentials_env: b`): "policy.bundle.git.credentials_env",
		repository(`url: "https://h/p", password: ` + secret):                     "password",
	} {
		_, err := Parse([]byte(withBundle(text)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !strings.Contains(want, "password") && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", text, err)
		}
	}
}
