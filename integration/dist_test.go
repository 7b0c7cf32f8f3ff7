package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// The commit that the tests release is made up, so that its id is known nowhere.
const (
	distVersion = "v0.9.0-rc.1"
	distTime    = "2026-01-02T03:04:05Z"
)

// What is released of a commit is the same wherever it is built and whatever the
// environment is, and it is what README.md says.
func TestRelease(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), filepath.Join(t.TempDir(), "a folder with quite another name")
	commitTree(t, here)
	command(t, here, nil, "git", "clone", "--quiet", here, there)
	made := makeDist(t, here)
	again := makeDist(t, there, "TZ=Pacific/Chatham", "LANG=C", "SOURCE_DATE_EPOCH=1", "GOFLAGS=-buildvcs=false -tags=other", "GOAMD64=v3", "CGO_ENABLED=1")
	commit := strings.TrimSpace(command(t, here, nil, "git", "rev-parse", "HEAD"))
	binary := filepath.Join(t.TempDir(), "remit")

	t.Run("same bytes", func(t *testing.T) { theSameFiles(t, made, again) })
	t.Run("checksums", func(t *testing.T) { checksumsHold(t, here, made) })
	t.Run("archive", func(t *testing.T) { archiveHolds(t, made[releaseName+".tar.gz"], binary) })
	t.Run("binary", func(t *testing.T) { staticBinary(t, binary, commit) })
	t.Run("inventory", func(t *testing.T) { inventoryIsTrue(t, made[releaseName+".cdx.json"], binary) })
	t.Run("image", func(t *testing.T) { imageHolds(t, made, commit, binary) })
	t.Run("no paths", func(t *testing.T) { namesNoMachine(t, made, here, there) })
	t.Run("changed tree", func(t *testing.T) { changesAreRefused(t, here) })
}

const releaseName = "remit_" + distVersion + "_linux_amd64"

// commitTree copies the working tree, changes that no commit has included, and
// commits it there.
func commitTree(t *testing.T, folder string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains([]string{".git", "bin", "build", "data"}, name) && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(folder, name), 0o755)
		case name == ".git": // of a linked worktree
			return nil
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	command(t, folder, nil, "git", "init", "--quiet")
	command(t, folder, nil, "git", "add", "--all")
	when := []string{"GIT_AUTHOR_DATE=" + distTime, "GIT_COMMITTER_DATE=" + distTime}
	command(t, folder, when, "git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.test", "commit", "--quiet", "-m", "a release")
	command(t, folder, nil, "git", "tag", distVersion)
}

// makeDist runs make dist for one processor and returns the files it makes.
func makeDist(t *testing.T, tree string, env ...string) map[string][]byte {
	t.Helper()
	command(t, tree, env, "make", "dist", "ARGS=-arch amd64")
	made := make(map[string][]byte)
	out := os.DirFS(filepath.Join(tree, "build", "dist"))
	err := fs.WalkDir(out, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		made[name], err = fs.ReadFile(out, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// command runs a command without anybody's configuration of git, and returns what
// it prints.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func theSameFiles(t *testing.T, made, again map[string][]byte) {
	want := []string{"SHA256SUMS", "image/Containerfile", "image/root_linux_amd64.tar", releaseName + ".cdx.json", releaseName + ".tar.gz"}
	for _, files := range []map[string][]byte{made, again} {
		var names []string
		for name := range files {
			names = append(names, name)
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Fatalf("made %v, want %v", names, want)
		}
	}
	for name, content := range made {
		if !bytes.Equal(content, again[name]) {
			t.Errorf("%s has other bytes elsewhere", name)
		}
	}
}

func checksumsHold(t *testing.T, tree string, made map[string][]byte) {
	dist := filepath.Join(tree, "build", "dist")
	command(t, dist, nil, "sha256sum", "--check", "--strict", "SHA256SUMS")
	if lines := bytes.Count(made["SHA256SUMS"], []byte("\n")); lines != len(made)-1 {
		t.Errorf("SHA256SUMS has %d lines for %d files", lines, len(made)-1)
	}
}

// archiveHolds looks into what is downloaded, and unpacks the binary.
func archiveHolds(t *testing.T, archive []byte, binary string) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, unzipped)
	for name, mode := range map[string]int64{"": 0o755, "remit": 0o755, "LICENSE": 0o644, "README.md": 0o644, "NOTICES": 0o644} {
		f, found := files[releaseName+"/"+name]
		if !found || f.header.Mode != mode || f.header.Uid != 0 || f.header.ModTime.UTC().Format("2006-01-02T15:04:05Z") != distTime {
			t.Errorf("%q: %+v", name, f.header)
		}
	}
	if len(files) != 5 {
		t.Errorf("%d entries, want 5", len(files))
	}
	if err := os.WriteFile(binary, files[releaseName+"/remit"].content, 0o755); err != nil {
		t.Fatal(err)
	}
	notices := string(files[releaseName+"/NOTICES"].content)
	for _, line := range strings.Split(command(t, ".", nil, "go", "version", "-m", binary), "\n") {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "dep" && !strings.Contains(notices, fmt.Sprintf("==== %s %s: ", f[1], f[2])) {
			t.Errorf("NOTICES has no licence of %s %s", f[1], f[2])
		}
	}
}

type tarred struct {
	header  tar.Header
	content []byte
}

func untar(t *testing.T, r io.Reader) map[string]tarred {
	t.Helper()
	files := make(map[string]tarred)
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = tarred{*header, content}
	}
}

// namesNoMachine looks for where things were built in everything that is not packed
// (the layer of the image has what the archive has).
func namesNoMachine(t *testing.T, made map[string][]byte, trees ...string) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	paths := append(trees, root, os.TempDir()+"/remit-dist-")
	for _, name := range []string{"GOROOT", "GOCACHE", "GOMODCACHE"} {
		paths = append(paths, strings.TrimSpace(command(t, root, nil, "go", "env", name)))
	}
	for name, content := range made {
		for _, path := range paths {
			if bytes.Contains(content, []byte(path)) {
				t.Errorf("%s names %s", name, path)
			}
		}
	}
}

// changesAreRefused: a binary of them would say that it is of the commit.
func changesAreRefused(t *testing.T, tree string) {
	if err := os.WriteFile(filepath.Join(tree, "cmd", "remit", "more.go"), []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "make", "dist")
	c.Dir = tree
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "cmd/remit/more.go") {
		t.Errorf("released with a file that no commit has: %v\n%s", err, out)
	}
}
