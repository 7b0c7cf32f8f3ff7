package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this binary was built from",
		Long: `Print what this binary was built from: version and commit, as the Go command
recorded them, and the engine of the policies. Without a commit, it was not built
from a clone; with "+dirty", there were changes that no commit has.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return fmt.Errorf("the binary holds no build information")
			}
			printVersion(cmd.OutOrStdout(), info)
			return nil
		},
	}
}

func printVersion(out io.Writer, info *debug.BuildInfo) {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	fmt.Fprintf(out, "remit %s, %s %s/%s\n", info.Main.Version, info.GoVersion, settings["GOOS"], settings["GOARCH"])
	if commit := settings["vcs.revision"]; commit != "" {
		fmt.Fprintf(out, "commit %s of %s\n", commit, settings["vcs.time"])
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/open-policy-agent/opa" {
			fmt.Fprintf(out, "policies: Rego v1, OPA %s\n", dep.Version)
		}
	}
}
