package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/catalog/toolserver"
	"github.com/remit-pdp/remit/pdp/config"
)

// Definitions returns what is watched of the tools of MCP servers.
func Definitions(c *config.Config) []catalog.Watched {
	watched := make([]catalog.Watched, len(c.Catalog.Definitions))
	for i, d := range c.Catalog.Definitions {
		var source catalog.Source = listed(d.File)
		if d.URL != "" {
			source = asked{toolserver.Server{URL: d.URL, TokenFile: d.TokenFile, MaxBytes: catalog.MaxToolsBytes, MaxTools: catalog.MaxTools, Version: ownVersion()}}
		}
		watched[i] = catalog.Watched{System: d.System, Source: source, Every: d.Every.D(), Keep: d.StaleAfter.D()}
	}
	return watched
}

// unreviewed are entries of the catalog that wait for a person, and systems
// that are watched for nothing.
func unreviewed(c *config.Config, known *catalog.Catalog, at catalog.Locator) (warnings []error) {
	for _, path := range known.InReview() {
		file, line := at(append([]string{"remit", "catalog"}, path...)...)
		warnings = append(warnings, fmt.Errorf("%s:%d: data.remit.catalog.%s is still to be reviewed, and unknown until then", file, line, strings.Join(path, ".")))
	}
	for _, d := range c.Catalog.Definitions {
		if len(known.PinnedTools(d.System)) == 0 {
			warnings = append(warnings, fmt.Errorf("catalog.definitions watches the tools of %s, and the catalog pins no definition of one", d.System))
		}
	}
	return warnings
}

// watchDefinitions watches until ctx ends.
func watchDefinitions(ctx context.Context, seen *catalog.Seen, log *slog.Logger) {
	seen.Watch(ctx, func(system string, err error) {
		log.Warn("the tools of a system cannot be seen", "system", system, "error", err)
	})
}

func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// asked is an MCP server that remit asks itself.
type asked struct{ server toolserver.Server }

// Tools implements [catalog.Source].
func (a asked) Tools(ctx context.Context) (*catalog.Listing, error) {
	tools, err := a.server.Tools(ctx)
	if err != nil {
		return nil, err
	}
	return catalog.List(tools)
}

// listed is a file that something else keeps up to date: what it says is as old
// as the file.
type listed string

// Tools implements [catalog.Source].
func (l listed) Tools(context.Context) (*catalog.Listing, error) {
	info, err := os.Stat(string(l))
	if err != nil {
		return nil, err
	}
	text, err := toolserver.File(string(l), catalog.MaxToolsBytes)
	if err != nil {
		return nil, err
	}
	listing, err := catalog.ReadListing(text)
	if err == nil {
		listing.At = info.ModTime()
		if now := time.Now(); listing.At.After(now) {
			listing.At = now
		}
	}
	return listing, err
}
