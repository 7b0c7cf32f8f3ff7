package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/config"
)

func newCatalog() *cobra.Command {
	c := &cobra.Command{
		Use:   "catalog",
		Short: "See and fill the catalog: what each request does and to what",
		Long: `See and fill the catalog, which says what each request does and to what. The
policies' folder is that of the configuration, or the one that --bundle names.`,
	}
	c.PersistentFlags().String(bundleFlag, "", "the folder with the policies; without it that of the configuration")
	c.AddCommand(newExplain(), newImport(), newDrift())
	return c
}

const bundleFlag = "bundle"

// openCatalog reads the catalog of the folder that cmd is about. The
// configuration is nil where there is none and a folder was named.
func openCatalog(cmd *cobra.Command) (*catalog.Catalog, *bundles.Bundle, *config.Config, error) {
	dir, c, err := bundleFolder(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	bundle, err := bundles.LoadDir(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	known, err := catalog.New(bundle.Data.Path("remit", "catalog"), bundle.Locate)
	return known, bundle, c, err
}

// bundleFolder is the folder that cmd is about.
func bundleFolder(cmd *cobra.Command) (dir string, c *config.Config, err error) {
	if dir, err = cmd.Flags().GetString(bundleFlag); err != nil {
		return "", nil, err
	}
	c, err = loadConfig(cmd)
	switch {
	case dir != "" && err != nil:
		return dir, nil, nil
	case err != nil:
		return "", nil, err
	case dir == "" && c.Policy.Bundle.Dir == "":
		return "", nil, fmt.Errorf("policy.bundle is no folder: name a folder with a copy of it with --%s", bundleFlag)
	case dir == "":
		dir = c.Policy.Bundle.Dir
	}
	return dir, c, nil
}

func newExplain() *cobra.Command {
	var arguments string
	explain := &cobra.Command{
		Use:   "explain REQUEST",
		Short: "Say which entry describes a request, and why",
		Long: `Say which entry of the catalog describes a request and why, what the target is,
and which other entries nearly covered it. For what is unknown it prints an
entry to begin with. A request is one of

  'POST https://api.example.com/v1/tickets/7/notes'
  'mcp:SYSTEM TOOL'                   the call of a tool of a system's MCP server
  'mcp:tools.example.com/mcp TOOL'    the same by host and path
  'grpc:HOST package.Service/Method'`,
		Example: `  remit catalog explain 'GET https://api.example.com/v1/tickets/7'
  remit catalog explain 'mcp:support-tools read_ticket' --arguments '{"ticket": "7"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, bundle, _, err := openCatalog(cmd)
			if err != nil {
				return err
			}
			q, err := asked(args[0], arguments, bundle)
			if err != nil {
				return err
			}
			printExplanation(cmd.OutOrStdout(), known.Explain(q), bundle.Locate)
			if entry, file := catalog.Suggest(q, known); entry != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "\nTo describe it, say what it does in %s; for example\n\n%s", file, entry)
			}
			return nil
		},
	}
	explain.Flags().StringVar(&arguments, "arguments", "", "the call's arguments, as JSON")
	return explain
}

func printExplanation(out io.Writer, x catalog.Explanation, at catalog.Locator) {
	t := &x.Action.Target
	known := "known"
	if !t.Known {
		known = "UNKNOWN"
	}
	fmt.Fprintf(out, "operation    %s\ntarget       %s (%s)\nsensitivity  %s\n", x.Action.Operation, t.ID, known, t.Sensitivity)
	for _, line := range [][2]string{
		{"environment", t.Environment}, {"owner", t.Owner},
		{"labels", strings.Join(t.Labels, ", ")}, {"adds", strings.Join(t.Adds, ", ")}, {"definition", t.Definition.Pinned},
	} {
		if line[1] != "" {
			fmt.Fprintf(out, "%-12s %s\n", line[0], line[1])
		}
	}
	if x.Entry != nil {
		fmt.Fprintf(out, "entry        %s\n", place(x.Entry, at))
	}
	fmt.Fprintln(out, "\nBecause")
	for _, why := range x.Because {
		fmt.Fprintf(out, "- %s\n", why)
	}
	if len(x.RunnersUp) > 0 {
		fmt.Fprintln(out, "\nNot by")
	}
	for _, r := range x.RunnersUp {
		fmt.Fprintf(out, "- %s: %s\n", place(r.Entry, at), r.Why)
	}
}

// place says where an entry stands.
func place(path []string, at catalog.Locator) string {
	name := strings.Join(path, ".")
	if file, line := at(append([]string{"remit", "catalog"}, path...)...); file != "" {
		return fmt.Sprintf("%s (%s:%d)", name, file, line)
	}
	return name
}
