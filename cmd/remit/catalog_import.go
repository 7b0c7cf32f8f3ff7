package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp/catalog"
)

func newImport() *cobra.Command {
	var into catalog.Into
	var to string
	var dry bool
	command := &cobra.Command{
		Use:   "import FILE",
		Short: "Import the tools of an MCP server, for a person to review",
		Long: `Import the tools of an MCP server from its answer to tools/list: the result, or
the JSON-RPC response with it; of a list with several pages all of them, one
after the other. FILE - is the standard input.

What a tool does cannot be read off its description, and its annotations are
claims of a server that may lie: every new tool is marked "review: true" and is
unknown until a person has said what it does and removed the mark. The digest of
its definition is recorded with it; a tool that has another one at the next
import is to be reviewed again. What people decided and wrote stays.`,
		Example: `  remit catalog import tools.json --system support-tools --host tools.example.com --path /mcp
  remit catalog import tools.json --system support-tools       # again, later`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readAll(cmd, args[0])
			if err != nil {
				return err
			}
			listing, err := catalog.ReadListing(text)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if to == "" {
				if to, err = fileOf(cmd, into.System); err != nil {
					return err
				}
			}
			return importTools(cmd.OutOrStdout(), to, listing, into, dry)
		},
	}
	flags := command.Flags()
	flags.StringVar(&into.System, "system", "", "the server's name in the catalog")
	flags.StringSliceVar(&into.Hosts, "host", nil, "for a new system: a host that requests to it are sent to")
	flags.StringVar(&into.Path, "path", "", "for a new system: the path of its MCP server, for example /mcp")
	flags.StringVar(&to, "to", "", "the data file to write; without it where the system stands, or remit/catalog/systems/SYSTEM/data.yaml")
	flags.BoolVar(&dry, "dry-run", false, "say what would change, and write nothing")
	if err := command.MarkFlagRequired("system"); err != nil {
		panic(err) // the flag is there
	}
	return command
}

func readAll(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(cmd.InOrStdin(), catalog.MaxToolsBytes+1))
	}
	return os.ReadFile(name)
}

// fileOf is the data file that a system stands in, or would.
func fileOf(cmd *cobra.Command, system string) (string, error) {
	dir, _, err := bundleFolder(cmd)
	if err != nil {
		return "", err
	}
	bundle, err := bundles.LoadDir(dir)
	if err != nil {
		return "", err
	}
	if bundle.Data.Path("remit", "catalog", "systems", system).Defined() {
		file, _ := bundle.Locate("remit", "catalog", "systems", system)
		if filepath.Ext(file) != ".yaml" {
			return "", fmt.Errorf("the system %s stands in %s: only YAML files can be imported into", system, file)
		}
		if !filepath.IsAbs(file) && !within(file, dir) {
			file = filepath.Join(dir, file)
		}
		return file, nil
	}
	return filepath.Join(dir, "remit", "catalog", "systems", system, "data.yaml"), nil
}

// within reports whether a path begins with a folder's.
func within(path, dir string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rest)
}

func importTools(out io.Writer, to string, listing *catalog.Listing, into catalog.Into, dry bool) error {
	was, err := os.ReadFile(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, changes, err := catalog.Merge(was, listing, into)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	for _, c := range changes {
		fmt.Fprintf(out, "%-8s %s\n", c.What, c.Tool)
	}
	for _, refused := range listing.Refused {
		fmt.Fprintf(out, "not taken: %v\n", refused)
	}
	if listing.More {
		fmt.Fprintln(out, "the list goes on: add the server's further pages, or what is on them stays unknown")
	}
	if dry {
		fmt.Fprintf(out, "%s stays as it is\n", to)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := replace(to, text); err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %s; what is marked \"review: true\" is unknown until you say what it does and remove the mark\n", to)
	return nil
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".import-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
