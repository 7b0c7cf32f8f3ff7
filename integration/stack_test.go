package integration

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// buildOnce builds the binary under test once for all tests: with the race
// detector.
var buildOnce = sync.OnceValues(func() (string, error) {
	root, err := harness.Root()
	if err != nil {
		return "", err
	}
	return harness.BuildRemit(context.Background(), root, "remit-race", true, "")
})

// startStack starts everything with the policies of testdata/name and takes it
// down after the test. Deadlines are long: with the race detector on two busy
// cores a decision takes many times what it takes in production, and these
// tests are about who is allowed, not about time.
func startStack(t *testing.T, name string, more ...func(*harness.Options)) *harness.Stack {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return startStackWith(t, binary, name, more...)
}

func startStackWith(t *testing.T, binary, name string, more ...func(*harness.Options)) *harness.Stack {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	o := harness.Options{
		Root:         root,
		Dir:          shortDir(t),
		Binary:       binary,
		Bundle:       filepath.Join(root, "integration", "testdata", name),
		WithoutPacks: true,
		Remit:        filepath.Join(root, "integration", "testdata", "remit.yaml"),
		EnvoyReplace: []string{"timeout: 0.5s", "timeout: 20s"},
	}
	for _, change := range more {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := harness.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// shortDir is a temporary folder whose path leaves room for the name of a Unix
// socket (107 bytes in all), which t.TempDir does not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "remit-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// tokenFor returns a token of the sample agent acting for person, in the session
// "s1".
func tokenFor(t *testing.T, s *harness.Stack, person string) string {
	t.Helper()
	tok, err := s.Issuer.Token("agent", person, "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
