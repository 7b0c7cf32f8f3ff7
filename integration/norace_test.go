//go:build !race

package integration

// underRace says that the race detector slows the tests' own clients down.
const underRace = false
