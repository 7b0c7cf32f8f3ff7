package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/policies"
)

func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init FOLDER",
		Short: "Write the policy library and a starter pack to a folder of your own",
		Long: `Write the policy library, the starter pack, their tests and the schemas to a
folder that does not exist yet. Keep it in git, change what is yours, and run
the tests with the stock opa:

  opa test --bundle FOLDER`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := writePolicies(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wrote the policy library and the starter pack to %s; its README.md says how to go on\n", args[0])
			return nil
		},
	}
}

// writePolicies writes the shipped policies to dir, which must not exist: what
// somebody has changed is never overwritten.
func writePolicies(dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already; name a folder that does not", dir)
	}
	return fs.WalkDir(policies.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		text, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o644)
	})
}
