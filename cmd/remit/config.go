package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/config"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "See the configuration: what is in force, and what there is",
		Long: `See the configuration. Every key of remit.yaml is also a flag and an environment
variable: policy.timeout is --policy.timeout 50ms and REMIT_POLICY_TIMEOUT=50ms,
and a listener is named by its name, --listeners.agents.deadline 2s. A flag
wins over the environment, the environment over the file.`,
	}
	c.AddCommand(newConfigShow(), newConfigReference())
	return c
}

func newConfigShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print every value in force and where it was set",
		Long: `Print every value in force and where it was set: file and line, flag, environment
variable, or default. Secrets are not printed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := readConfig(cmd)
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "KEY\tVALUE\tFROM")
			for _, e := range loaded.Entries {
				fmt.Fprintf(out, "%s\t%s\t%s\n", e.Key, e.Value, e.From)
			}
			return out.Flush()
		},
	}
}

func newConfigReference() *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print every key there is, with type, default and meaning",
		Long: `Print every key there is, with its type, default and meaning, as Markdown. Each
is also a flag and an environment variable; the head of it says how.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), config.Reference())
			return err
		},
	}
}
