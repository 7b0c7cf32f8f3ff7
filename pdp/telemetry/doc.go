// Package telemetry tells operators how deciding goes: Prometheus metrics and
// OpenTelemetry traces, as wrappers of the seams. The decision itself knows
// nothing of it.
//
//	decisions    [Points] is the decision point, a sample of whose steps is timed
//	answers      [Answers] counts those of a listener, and times them
//	the store    [Meter.Store] counts what is accepted: decisions, outcomes, sessions
//	all else     [Sources] are asked when somebody asks for the metrics: the policy
//	             in force, the keys of issuers, the space of the store
//
// metrics.md lists every metric; it is made of the declarations in metrics.go.
//
// No label's values are the agents' to choose, and none holds a secret: labels
// are names from the configuration, remit's own words, and reason codes that
// stand in the text of the bundle. A code that does not, because the policy
// makes it up as it goes, is counted as "other"; so is everything above a
// bound (see codes.go).
//
// All of it may cost half a microsecond of a decision, so series are looked up
// once and kept, and steps are timed in one decision of 16: their histograms
// hold a fair sample, not every decision.
package telemetry
