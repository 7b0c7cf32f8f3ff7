package git_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/bundles/git"
	"github.com/remit-pdp/remit/integration/harness"
)

func repository(t *testing.T, credentials string) *harness.Git {
	t.Helper()
	g, err := harness.StartGit(t.TempDir(), credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	return g
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func push(t *testing.T, g *harness.Git, files map[string]string) string {
	t.Helper()
	write(t, g.Work(), files)
	commit, err := g.Push("a change")
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func run(t *testing.T, g *harness.Git, args ...string) string {
	t.Helper()
	out, err := g.Run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func source(t *testing.T, s git.Settings) *git.Source {
	t.Helper()
	made, err := git.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func load(t *testing.T, s git.Settings) *bundles.Bundle {
	t.Helper()
	snapshot, err := source(t, s).Fetch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundles.Parse(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ways are the two ways to the same repository.
func ways(g *harness.Git) map[string]git.Settings {
	return map[string]git.Settings{
		"https": {URL: g.URL, CAFile: g.CAFile, Ref: "main"},
		"file":  {URL: "file://" + g.Dir, Ref: "main"},
	}
}

func TestEveryKindOfReference(t *testing.T) {
	g := repository(t, "")
	first := push(t, g, map[string]string{"policy/p.rego": "package p\n\nmarker := 1\n", "policy/x/data.json": `{"a": 1}`, "other/q.rego": "package q\n"})
	run(t, g, "tag", "light", first)
	run(t, g, "-c", "user.name=n", "-c", "user.email=n@example.test", "tag", "-a", "-m", "m", "heavy", first)
	second := push(t, g, map[string]string{"policy/p.rego": "package p\n\nmarker := 2\n"})
	run(t, g, "config", "uploadpack.allowReachableSHA1InWant", "true")
	for way, settings := range ways(g) {
		for ref, want := range map[string]string{
			"main": second, "refs/heads/main": second, "light": first, "heavy": first, "refs/tags/heavy": first, first: first, second: second,
		} {
			settings.Ref, settings.Folder = ref, "policy"
			b := load(t, settings)
			if b.Revision != "git:"+want || len(b.Modules) != 1 || !strings.HasSuffix(b.Modules[0].Path, "/p.rego") || !strings.Contains(b.Modules[0].Path, want[:12]) {
				t.Errorf("%s %s: revision %s with %v, want %s", way, ref, b.Revision, b.Modules, want)
			}
			again, err := source(t, settings).Fetch(t.Context(), want)
			if err != nil || again != nil {
				t.Errorf("%s %s: an unchanged repository is new: %v", way, ref, err)
			}
		}
		settings.Folder = ""
		settings.Ref = "main"
		if b := load(t, settings); len(b.Modules) != 2 {
			t.Errorf("%s: the whole repository has %d modules", way, len(b.Modules))
		}
	}
}

// An unchanged branch costs one question, and a changed one no history.
func TestOnlyWhatIsNewIsFetched(t *testing.T) {
	g := repository(t, "")
	commit := push(t, g, map[string]string{"p.rego": "package p\n"})
	s := source(t, git.Settings{URL: g.URL, CAFile: g.CAFile, Ref: "main"})
	for range 5 {
		if again, err := s.Fetch(t.Context(), commit); again != nil || err != nil {
			t.Fatalf("got %v, %v", again, err)
		}
	}
	if n := g.Fetches.Load(); n != 0 {
		t.Errorf("objects were asked for %d times", n)
	}
	next := push(t, g, map[string]string{"p.rego": "package p\n\na := 1\n"})
	snapshot, err := s.Fetch(t.Context(), commit)
	if err != nil || snapshot.Mark != next {
		t.Errorf("got %v, %v; want commit %s", snapshot, err, next)
	}
}

func TestCredentials(t *testing.T) {
	const secret = "hunter2-never-shown"
	g := repository(t, "robot:"+secret)
	push(t, g, map[string]string{"p.rego": "package p\n"})
	file := filepath.Join(t.TempDir(), "credentials")
	write(t, filepath.Dir(file), map[string]string{"credentials": "robot:" + secret + "\n", "wrong": "robot:" + secret + "x", "empty": "", "two": secret + "\n" + secret, "token": secret})
	t.Setenv("POLICY_CREDENTIALS", "robot:"+secret)
	good := git.Settings{URL: g.URL, CAFile: g.CAFile, Ref: "main"}
	good.CredentialsFile = file
	load(t, good)
	env := good
	env.CredentialsFile, env.CredentialsEnv = "", "POLICY_CREDENTIALS"
	load(t, env)
	for _, name := range []string{"wrong", "empty", "two", "token", "gone"} {
		bad := good
		bad.CredentialsFile = filepath.Join(filepath.Dir(file), name)
		_, err := source(t, bad).Fetch(t.Context(), "")
		if err == nil {
			t.Errorf("%s: served", name)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	for url, want := range map[string]string{
		"http://git.example.test/p.git":                    "is neither https",
		"ssh://git@git.example.test/p.git":                 "credentials", // of user git
		"ssh://git.example.test/p.git":                     "is neither https",
		"git@git.example.test:p.git":                       "cannot be read",
		"git://git.example.test/p.git":                     "is neither https",
		"https://robot:never-shown@git.example.test/p.git": "holds credentials",
		"file://host/p.git":                                "is neither https",
		"/p.git":                                           "is neither https",
		"":                                                 "is neither https",
	} {
		_, err := git.New(git.Settings{URL: url, Ref: "main"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "never-shown") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A server that nobody vouches for is not believed, and one that sends
// elsewhere is not followed.
func TestOnlyTheServerThatIsMeant(t *testing.T) {
	g := repository(t, "")
	push(t, g, map[string]string{"p.rego": "package p\n"})
	unknown := git.Settings{URL: g.URL, Ref: "main"}
	if _, err := source(t, unknown).Fetch(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	elsewhere := httptest.NewTLSServer(http.RedirectHandler(g.URL, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	sent := git.Settings{URL: elsewhere.URL, CAFile: g.CAFile, Ref: "main"} // httptest has one certificate for all
	if _, err := source(t, sent).Fetch(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "redirect") && !strings.Contains(err.Error(), "sends elsewhere") {
		t.Errorf("a redirect: %v", err)
	}
}

func TestRefusedRepositories(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(g *harness.Git)
		ref     string
		folder  string
		want    string
	}{
		"no such branch": {nil, "gone", "", `no branch and no tag "gone"`},
		"no such commit": {nil, strings.Repeat("ab", 20), "", "abababab"},
		"no such folder": {nil, "main", "gone", `has no folder "gone"`},
		"above the root": {nil, "main", "../x", `has no folder "../x"`},
		"two of a name":  {func(g *harness.Git) { run(t, g, "tag", "main", "HEAD") }, "main", "", "is a branch and a tag"},
		"a link": {func(g *harness.Git) {
			if err := os.Symlink("/etc/passwd", filepath.Join(g.Work(), "q.rego")); err != nil {
				t.Fatal(err)
			}
			push(t, g, nil)
		}, "main", "", "q.rego is a symbolic link"},
		"gone altogether": {func(g *harness.Git) { os.RemoveAll(g.Dir) }, "main", "", "policy.git"},
	} {
		t.Run(name, func(t *testing.T) {
			g := repository(t, "")
			push(t, g, map[string]string{"p.rego": "package p\n"})
			if c.prepare != nil {
				c.prepare(g)
			}
			for way, settings := range ways(g) {
				settings.Ref, settings.Folder = c.ref, c.folder
				_, err := source(t, settings).Fetch(t.Context(), "")
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v", way, err)
				}
			}
		})
	}
}
