package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/remit-pdp/remit/pdp/config"
)

// key is the value of a flag that is a key of the configuration: it keeps what
// was given for the configuration to judge. It implements [pflag.Value].
type key struct {
	given string
	// short says of which key the flag is another name; "" of none.
	short string
}

func (k *key) Set(value string) error { k.given = value; return nil }
func (k *key) String() string         { return k.given }
func (*key) Type() string             { return "value" }

// addKeys makes flags of the keys that args give. Which there can be depends on
// the configuration (listeners have names), so that all of them are made for
// completion only; the configuration itself refuses what is no key.
func addKeys(flags *pflag.FlagSet, args []string) {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		for _, name := range config.FlagNames(completed(args)) {
			addKey(flags, name)
		}
		return
	}
	for _, arg := range args {
		if arg == "--" {
			return
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && strings.Contains(name, ".") {
			addKey(flags, name)
		}
	}
}

func addKey(flags *pflag.FlagSet, name string) {
	if flags.Lookup(name) != nil {
		return
	}
	flags.Var(&key{}, name, "the key "+name+" of the configuration")
	if config.IsSwitch(name) {
		flags.Lookup(name).NoOptDefVal = "true"
	}
}

// completed is the configuration that a command line to be completed names; an
// empty one where it cannot be read.
func completed(args []string) *config.Config {
	path := defaultFile
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--"+configFlag+"="); ok {
			path = value
		} else if (arg == "-c" || arg == "--"+configFlag) && i+1 < len(args) {
			path = args[i+1]
		}
	}
	c, err := config.Load(path)
	if err != nil {
		return &config.Config{}
	}
	return c
}

// settings are the keys that cmd's flags give.
func settings(cmd *cobra.Command) (given []config.Setting) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if k, ok := f.Value.(*key); ok {
			given = append(given, config.Setting{Name: cmp.Or(k.short, f.Name), Value: k.given})
		}
	})
	return given
}

// readConfig reads the configuration from the file, the environment and cmd's
// flags. A file that nobody named need not be there where something else says
// what it would say.
func readConfig(cmd *cobra.Command) (*config.Loaded, error) {
	sources, err := sourcesOf(cmd)
	if err != nil {
		return nil, err
	}
	return config.Read(sources)
}

func sourcesOf(cmd *cobra.Command) (config.Sources, error) {
	path, err := cmd.Flags().GetString(configFlag)
	if err != nil {
		return config.Sources{}, err
	}
	named := cmd.Flags().Changed(configFlag)
	if from := os.Getenv(config.FileVariable); from != "" && !named {
		path, named = from, true
	}
	sources := config.Sources{File: path, Environ: os.Environ(), Flags: settings(cmd)}
	if _, err := os.Stat(path); !named && errors.Is(err, fs.ErrNotExist) && sources.Beyond() {
		sources.File = ""
	}
	return sources, nil
}

// loadConfig reads the configuration that cmd is to work with.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	loaded, err := readConfig(cmd)
	if err != nil {
		return nil, err
	}
	return loaded.Config, nil
}
