package git

import (
	"context"
	"fmt"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// fetchLocal reads a repository on this machine in place.
func (s *Source) fetchLocal(_ context.Context, mark string) (*object.Commit, error) {
	repository, err := gogit.PlainOpen(s.dir)
	if err != nil {
		return nil, err
	}
	refs, err := localRefs(repository.Storer)
	if err != nil {
		return nil, err
	}
	id, err := resolve(refs, s.settings.Ref)
	if err != nil {
		return nil, err
	}
	commit, err := commitOf(repository.Storer, id)
	if err != nil || commit.Hash.String() == mark {
		return nil, err
	}
	return commit, nil
}

func localRefs(store storer.ReferenceStorer) (map[string]plumbing.Hash, error) {
	refs := make(map[string]plumbing.Hash)
	all, err := store.IterReferences()
	if err != nil {
		return nil, err
	}
	return refs, all.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference {
			refs[r.Name().String()] = r.Hash()
		}
		return nil
	})
}

// resolve finds what a reference names. A name that is both a branch's and a
// tag's is refused: it would be whoever's who may push either.
func resolve(refs map[string]plumbing.Hash, name string) (plumbing.Hash, error) {
	if plumbing.IsHash(name) {
		return plumbing.NewHash(name), nil
	}
	if id, found := refs[name]; found {
		return id, nil
	}
	branch, isBranch := refs["refs/heads/"+name]
	tag, isTag := refs["refs/tags/"+name]
	switch {
	case isBranch && isTag:
		return plumbing.ZeroHash, fmt.Errorf("%s is a branch and a tag: write refs/heads/%[1]s or refs/tags/%[1]s", name)
	case isBranch:
		return branch, nil
	case isTag:
		return tag, nil
	default:
		return plumbing.ZeroHash, fmt.Errorf("there is no branch and no tag %q", name)
	}
}
