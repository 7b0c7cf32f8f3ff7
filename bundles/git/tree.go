package git

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/remit-pdp/remit/bundles"
)

// gather adds the files of a tree that a bundle reads.
func gather(g *bundles.Gathering, tree *object.Tree) error {
	walker := object.NewTreeWalker(tree, true, nil)
	defer walker.Close()
	for {
		name, entry, err := walker.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case bundles.Hidden(name):
			continue
		case entry.Mode == filemode.Symlink, entry.Mode == filemode.Submodule:
			// Also one that nothing wants: policy could silently be missing.
			return fmt.Errorf("%s is a symbolic link or a submodule: put what it points to there", name)
		case entry.Mode == filemode.Dir || !bundles.Wanted(name):
			continue
		}
		file, err := tree.TreeEntryFile(&entry)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := addFile(g, name, file); err != nil {
			return err
		}
	}
}

func addFile(g *bundles.Gathering, name string, file *object.File) error {
	text, err := file.Reader()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer text.Close()
	return g.Add(name, file.Size, text)
}
