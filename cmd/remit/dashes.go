package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// named are the commands whose argument is an id that remit has made, by the form
// of it. One in 64 begins with a dash, and is no flag.
var named = map[string]*regexp.Regexp{
	"remit log show":          regexp.MustCompile(`^-[A-Za-z0-9_-]{53}$`), // of a decision: see pdp.IDs
	"remit revoke credential": regexp.MustCompile(`^-[A-Za-z0-9_-]{21}$`), // a fingerprint: see pdp.Keys
}

// withIDs puts ids that begin with a dash where they are taken for none: behind
// "--", at the end. A part of an id that begins with one needs that of its user.
func withIDs(root *cobra.Command, args []string) []string {
	command, _, err := root.Find(args)
	if err != nil || slices.Contains(args, "--") {
		return args
	}
	form := named[command.CommandPath()]
	if form == nil {
		return args
	}
	var others, ids []string
	for _, arg := range args {
		if name, long := strings.CutPrefix(arg, "--"); form.MatchString(arg) && (!long || command.Flag(name) == nil) {
			ids = append(ids, arg)
		} else {
			others = append(others, arg)
		}
	}
	if len(ids) == 0 {
		return args
	}
	return append(append(others, "--"), ids...)
}
