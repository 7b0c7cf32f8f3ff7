// Package pdp is the decision point: its nouns, its seams, and the two short
// functions everything else serves.
//
// # The life of a request
//
// A door (ext_authz, …) turns its own message into an [Envelope] and calls
// [Point.Decide], which asks one seam per step:
//
//	generation   the policy, catalog and declarations in force, from an atomic pointer
//	[Reader]     envelope → request: one spelling of path, headers and body
//	[Verifier]   request → agent, credential, delegation chain
//	[Catalog]    request → operation, tool, target
//	[History]    one read of the partition: session, facts, budgets
//	[Policy]     with no open session the admission first, then the entry point
//	[Turn]       one commit: effects and decision record in one journal entry
//
// The decision starts as the zero [Decision], which denies, and becomes
// something else only by a verdict that was committed. A step that cannot do
// its work yields a [Refusal]; the steps after it still find out what they can
// (who asked, in which session), so that a denial leaves a history too.
//
// When the outcome of an allowed action arrives, [Point.Settle] settles it
// once. It can add facts and labels, never allow or deny.
//
// The package imports the standard library and pdp/value alone. Telemetry is
// not in it: it wraps the seams.
package pdp
