// Package git reads bundles from git repositories, over https and from the
// local disk, without a git binary. What is decided with such a bundle carries
// the commit's id.
package git

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/remit-pdp/remit/bundles"
)

// Settings say which repository is read, and what of it.
type Settings struct {
	// URL is https://… or file:///…. It holds no credentials.
	URL string
	// Ref is a branch, a tag, a full name ("refs/heads/main") or a commit's id
	// of 40 digits.
	Ref string
	// Folder is the bundle's folder in the repository; "" is the root.
	Folder string
	// CAFile holds the only certificates (PEM) that may vouch for the server;
	// "" takes the system's.
	CAFile string
	// CredentialsFile and CredentialsEnv name a file, or an environment
	// variable, with "USER:PASSWORD", or with a token that is sent as bearer.
	// They are read at every fetch, and never logged.
	CredentialsFile, CredentialsEnv string
}

// timeout bounds one fetch.
const timeout = 2 * time.Minute

// Source is a repository as a source of bundles. It implements
// [bundles.Source].
type Source struct {
	settings Settings
	client   *http.Client // nil for file://
	dir      string       // of a repository on the local disk
}

var _ bundles.Source = (*Source)(nil)

// New returns the source. It does not reach for the repository yet.
func New(s Settings) (*Source, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("the repository's URL cannot be read") // the URL may hold what must not be shown
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("the URL of the repository on %s holds credentials: put them into a file", u.Host)
	case u.Scheme == "file" && u.Host == "" && path.IsAbs(u.Path):
		return &Source{settings: s, dir: u.Path}, nil
	case u.Scheme == "https" && u.Host != "":
		client, err := newClient(s.CAFile)
		return &Source{settings: s, client: client}, err
	default:
		return nil, fmt.Errorf("%s is neither https://HOST/PATH nor file:///PATH", s.URL)
	}
}

// String implements [bundles.Source].
func (s *Source) String() string {
	name := "git " + s.settings.URL + " " + s.settings.Ref
	if s.settings.Folder != "" {
		name += " " + s.settings.Folder
	}
	return name
}

// Fetch implements [bundles.Source]. The mark is the commit's id.
func (s *Source) Fetch(ctx context.Context, mark string) (*bundles.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	fetch := s.fetchHTTPS
	if s.client == nil {
		fetch = s.fetchLocal
	}
	commit, err := fetch(ctx, mark)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if commit == nil {
		return nil, nil
	}
	return s.snapshot(commit)
}

// snapshot gathers the files of a commit.
func (s *Source) snapshot(commit *object.Commit) (*bundles.Snapshot, error) {
	id := commit.Hash.String()
	g := bundles.NewGathering(fmt.Sprintf("%s@%s", strings.TrimSuffix(path.Join(path.Base(s.settings.URL), s.settings.Folder), "/"), id[:12]))
	tree, err := commit.Tree()
	if err == nil && s.settings.Folder != "" {
		tree, err = tree.Tree(path.Clean(s.settings.Folder))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: commit %s has no folder %q: %w", s, id, s.settings.Folder, err)
	}
	if err := gather(g, tree); err != nil {
		return nil, fmt.Errorf("%s: commit %s: %w", s, id, err)
	}
	snapshot := g.Snapshot()
	snapshot.Version, snapshot.Mark = "git:"+id, id
	return snapshot, nil
}

// commitOf returns the commit that an object is or a tag is of.
func commitOf(store storer.EncodedObjectStorer, id plumbing.Hash) (*object.Commit, error) {
	for range 8 { // a tag may be of a tag
		tag, err := object.GetTag(store, id)
		if err != nil {
			break
		}
		id = tag.Target
	}
	commit, err := object.GetCommit(store, id)
	if err != nil {
		return nil, fmt.Errorf("%s is no commit that is there: %w", id, err)
	}
	return commit, nil
}
