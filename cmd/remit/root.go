package main

import (
	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/config"
)

// configFlag is the flag every command that needs a configuration has.
const configFlag = "config"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "remit",
		Short: "Decides, for every request an AI agent makes, whether it is still within the agent's remit",
		Long: `remit decides, for every request an AI agent makes, whether it is still within
the agent's remit. It stands behind Envoy (ext_authz over gRPC) and evaluates
Rego with who the agent is and for whom it acts, how old its session is, what
it has already done in it, and how sensitive the thing is that it wants to
touch now.

To begin:

  remit init policy          write the policy library and a starter pack to ./policy
  remit check                find what is wrong in configuration, catalog and policies
  remit eval request.yaml    decide a request from a file, and say why
  remit serve                answer Envoy
  remit log tail             see decisions as they are made`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringP(configFlag, "c", "remit.yaml", "the configuration file")
	root.AddCommand(newServe(), newCheck(), newEval(), newInit(), newLog(), newSession(), newVersion())
	return root
}

// loadConfig reads the configuration that cmd's flag names.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	path, err := cmd.Flags().GetString(configFlag)
	if err != nil {
		return nil, err
	}
	return config.Load(path)
}
