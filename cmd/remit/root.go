package main

import "github.com/spf13/cobra"

// configFlag is the flag every command that needs a configuration has.
const (
	configFlag  = "config"
	defaultFile = "remit.yaml"
)

// newRoot returns the command for a command line, without the program's name.
func newRoot(args []string) *cobra.Command {
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
  remit doctor               find what is wrong where it runs, Envoy included
  remit log tail             see decisions as they are made
  remit revoke agent ID      end what an agent may do, at once

Every key of the configuration is also a flag (--policy.timeout 50ms) and an
environment variable (REMIT_POLICY_TIMEOUT): remit config reference. Completion
for a shell: remit completion bash, zsh or fish.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringP(configFlag, "c", defaultFile, "the configuration file; also REMIT_CONFIG")
	addKeys(root.PersistentFlags(), args)
	root.AddCommand(newServe(), newCheck(), newDoctor(), newEval(), newInit(), newLog(), newSession(), newRevoke(), newConfig(), newCatalog(), newVersion())
	root.SetArgs(withIDs(root, args))
	return root
}
