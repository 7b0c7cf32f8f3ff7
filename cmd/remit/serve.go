package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

func newServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Answer Envoy",
		Long: `Answer Envoy's questions on the configured listeners until a signal ends it.
Nothing is served before the whole configuration, the catalog and the policies
are found good. A signal flips the health check first, so that Envoy stops
asking, then ends what is under way.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context(), c, newLogger(c.Log))
		},
	}
}

func newLogger(c config.Log) *slog.Logger {
	options := &slog.HandlerOptions{}
	// The configuration was validated: the level is one that slog knows.
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err == nil {
		options.Level = level
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
