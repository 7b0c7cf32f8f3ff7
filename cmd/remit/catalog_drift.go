package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/server"
)

func newDrift() *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Hold the tools of MCP servers against what was reviewed",
		Long: `Look now at the tools of every system that catalog.definitions names, and print
those whose definition is not the one that the catalog has pinned. It fails where
one has changed or a server cannot be seen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			known, _, c, err := openCatalog(cmd)
			if err != nil {
				return err
			}
			if c == nil || len(c.Catalog.Definitions) == 0 {
				return errors.New("the configuration has no catalog.definitions: nothing says where tools can be seen")
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "SYSTEM\tTOOL\tSTATE\tPINNED\tSEEN")
			var wrong []error
			for _, watched := range server.Definitions(c) {
				listing, err := watched.Source.Tools(cmd.Context())
				if err != nil {
					wrong = append(wrong, fmt.Errorf("%s cannot be seen: %w", watched.System, err))
					continue
				}
				for _, row := range drift(known.PinnedTools(watched.System), listing) {
					fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", watched.System, row.tool, row.state, short(row.pinned), short(row.seen))
					if row.state == pdp.DefinitionChanged {
						wrong = append(wrong, fmt.Errorf("%s: the tool %s is not the one that was reviewed", watched.System, row.tool))
					}
				}
			}
			return errors.Join(append([]error{out.Flush()}, wrong...)...)
		},
	}
}

// drifted is one tool as it was reviewed and as it is seen.
type drifted struct {
	tool, pinned, seen string
	state              pdp.DefinitionState
}

func drift(pinned map[string]string, listing *catalog.Listing) (rows []drifted) {
	seen := make(map[string]string)
	for _, tool := range listing.Tools {
		seen[tool.Name] = tool.Digest
	}
	names := maps.Clone(seen)
	maps.Copy(names, pinned)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := pdp.Definition{Pinned: pinned[name], Seen: seen[name]}
		rows = append(rows, drifted{name, d.Pinned, d.Seen, d.State(d.Until)})
	}
	return rows
}

// short is enough of a digest to tell it from others.
func short(digest string) string {
	if digest == "" {
		return "-"
	}
	return digest[:min(len(digest), 19)]
}
