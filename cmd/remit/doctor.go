package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/server/doctor"
)

// usualEnvoy is where integration/envoy/envoy.yaml has Envoy's admin interface.
const usualEnvoy = "http://127.0.0.1:9901"

func newDoctor() *cobra.Command {
	var (
		o      doctor.Options
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine remit, its state and the Envoy in front, with a remedy for every finding",
		Long: `Examine everything that a decision depends on, and say what to do about each
thing that is not good:

  configuration  as remit check reads it, with the certificates it names
  policy         the bundle is good, and what serves is made of it
  keys           every issuer's keys can be had now
  store          the state directory: who has it open, who may, room on the disk
  journal        its newest segment is as it was written
  clock          against those of issuers and Envoy, and against the journal
  sockets        who may open remit's doors, and is believed to be the proxy
  serving        the remit that answers at health.address
  outcomes       what it learns of requests that are over, and passed it by
  envoy          the configuration Envoy runs with, against what remit needs: every
                 listener, filter, route and cluster that has to do with remit, and
                 every way around it

Each finding is ok, warning or error. With an error a promise is broken, or remit
denies what it should not; a warning is one of both tomorrow. The exit code is 0
without errors and 1 with one. Nothing is changed, and it does not matter whether
remit or Envoy is running. Run it where remit runs, as the user who runs it, with
the configuration that remit serve was given.`,
		Example: `  remit doctor
  remit doctor --envoy http://127.0.0.1:15000
  curl -s 'http://HOST:9901/config_dump?include_eds' >dump.json; remit doctor --envoy-config-dump dump.json
  remit doctor --json | jq '.findings[] | select(.severity == "error")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Config, o.Problem = readConfig(cmd)
			o.Envoy, o.Guessed = strings.TrimSuffix(o.Envoy, "/"), !cmd.Flags().Changed("envoy") && o.Dump == ""
			report := doctor.Examine(cmd.Context(), o)
			if err := printReport(cmd, report, asJSON); err != nil {
				return err
			}
			if n := report.Count(doctor.Error); n > 0 {
				return errors.New("not everything is good: see above")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Envoy, "envoy", usualEnvoy, "the URL of Envoy's admin interface; empty for no Envoy")
	cmd.Flags().StringVar(&o.Dump, "envoy-config-dump", "", "a file with what Envoy's /config_dump?include_eds answered")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object, for machines")
	cmd.MarkFlagsMutuallyExclusive("envoy", "envoy-config-dump")
	return cmd
}

func printReport(cmd *cobra.Command, r *doctor.Report, asJSON bool) error {
	if !asJSON {
		return r.Print(cmd.OutOrStdout())
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(text))
	return err
}
