package config

import (
	_ "embed"
	"reflect"
	"slices"
	"strings"
)

// referenceText is made of the types' comments by TestReferenceIsFresh.
//
//go:embed reference.md
var referenceText string

// Reference is the description of every key, in Markdown.
func Reference() string { return referenceText }

// FlagNames are the names, without dashes, of the flags that c's keys can be
// given as; secrets are none.
func FlagNames(c *Config) (names []string) {
	for _, l := range leaves(reflect.ValueOf(c), true) {
		if !l.secret() {
			names = append(names, l.names...)
		}
	}
	return names
}

// IsSwitch reports whether a flag's name is that of a key that is true or false,
// whatever the lists hold: such a flag needs no value.
func IsSwitch(name string) bool {
	segments := strings.Split(name, ".")
	for _, l := range leaves(reflect.ValueOf(&Config{}), true) {
		if l.typ.Kind() == reflect.Bool && sameShape(strings.Split(l.names[0], "."), segments) {
			return true
		}
	}
	return false
}

// sameShape compares a name of the empty configuration, where every element of a
// list is "0", with one that names elements.
func sameShape(pattern, name []string) bool {
	return slices.EqualFunc(pattern, name, func(p, n string) bool { return p == n || p == "0" })
}
