//go:build race

package value

// raceEnabled is set where the race detector empties pools at random, so that
// allocations cannot be counted.
const raceEnabled = true
