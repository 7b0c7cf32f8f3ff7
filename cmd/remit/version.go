package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return fmt.Errorf("the binary holds no build information")
			}
			fmt.Fprintf(cmd.OutOrStdout(), "remit %s, %s\n", info.Main.Version, info.GoVersion)
			for _, dep := range info.Deps {
				if dep.Path == "github.com/open-policy-agent/opa" {
					fmt.Fprintf(cmd.OutOrStdout(), "policies: Rego v1, OPA %s\n", dep.Version)
				}
			}
			return nil
		},
	}
}
