package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/server"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Find what is wrong in configuration, catalog and policies",
		Long: `Find what is wrong in the configuration, the catalog and the policies: everything
that remit serve would refuse to start with, each with file, line and remedy,
and warnings about what is allowed and rarely meant. It lists every place whose
denials are recorded and not enforced (data.remit.observe), with what each would
have denied by the journal so far. Nothing is served and no state is changed, so
it fits a pipeline beside opa test.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			if err := printPolicyStatus(cmd.OutOrStdout(), c.State.Dir); err != nil {
				return err
			}
			seed := make([]byte, pdp.SeedSize)
			rand.Read(seed) // never fails since Go 1.24; the keys of a check are used for nothing
			keys, err := pdp.NewKeys(seed)
			if err != nil {
				return err
			}
			issuers := server.NewIssuers(c, nil)
			generation, warnings, err := server.NewGeneration(cmd.Context(), c, keys, issuers, time.Now)
			if err != nil {
				return err
			}
			if err := server.CheckOperators(c, keys, issuers); err != nil {
				return err
			}
			ending, err := server.CheckCertificates(c, time.Now)
			if err != nil {
				return err
			}
			if err := server.CheckExport(c); err != nil {
				return err
			}
			for _, warning := range slices.Concat(warnings, ending, issuers.Try(cmd.Context())) {
				fmt.Fprintln(cmd.OutOrStdout(), "warning:", warning)
			}
			if err := printObserving(cmd.Context(), cmd.OutOrStdout(), generation.Observe, c.State.Dir); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "good: generation %s with %d facts and %d budgets\n",
				generation.ID, len(generation.Declared.Facts), len(generation.Declared.Budgets))
			return nil
		},
	}
}
