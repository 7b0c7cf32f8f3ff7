package config

import (
	"fmt"
	"net"
	"net/url"
	"time"
)

// Catalog says what remit learns of the systems in the catalog by itself.
type Catalog struct {
	Definitions []Definitions `yaml:"definitions"`
}

// Definitions says where the tools of an MCP server are seen as they are now, to
// be held against what the catalog has pinned: exactly one of URL and File.
type Definitions struct {
	// System is the server's name in the catalog.
	System string `yaml:"system"`
	// URL is the MCP server itself, which remit asks past the proxy: https, or
	// http on loopback.
	URL string `yaml:"url"`
	// TokenFile holds the bearer token to ask with; it is read anew each time.
	TokenFile string `yaml:"token_file"`
	// File holds the answers to tools/list, kept up to date by something else;
	// its time of change counts.
	File string `yaml:"file"`
	// Every is how often it is looked at.
	Every Duration `yaml:"every"`
	// StaleAfter is how long what was seen counts as what there is.
	StaleAfter Duration `yaml:"stale_after"`
}

func (c *Catalog) fill() {
	for i := range c.Definitions {
		orDuration(&c.Definitions[i].Every, time.Minute)
		orDuration(&c.Definitions[i].StaleAfter, 5*time.Minute)
	}
}

func (c *Catalog) problems(say sayFunc) {
	systems := make(map[string]bool)
	for i := range c.Definitions {
		d, key := &c.Definitions[i], fmt.Sprintf("catalog.definitions[%d]", i)
		switch {
		case d.System == "":
			say(key+".system", "is required: the system of the catalog whose tools these are")
		case systems[d.System]:
			say(key+".system", "%q is there twice", d.System)
		}
		systems[d.System] = true
		if (d.URL == "") == (d.File == "") {
			say(key, "must hold exactly one of url and file")
		}
		if d.URL != "" && !isServerURL(d.URL) {
			say(key+".url", "%q is neither https nor http on loopback: somebody on the way could answer for the server", d.URL)
		}
		if d.TokenFile != "" && d.URL == "" {
			say(key+".token_file", "is for url: nobody is asked with it")
		}
		between(key+".every", d.Every, time.Second, time.Hour, say)
		between(key+".stale_after", d.StaleAfter, d.Every.D(), 24*time.Hour, say)
	}
}

func isServerURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (c *Catalog) rebase(under func(*string)) {
	for i := range c.Definitions {
		under(&c.Definitions[i].File)
		under(&c.Definitions[i].TokenFile)
	}
}
