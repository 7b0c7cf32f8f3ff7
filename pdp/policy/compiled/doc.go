// Package compiled evaluates Rego without an interpreter and without a tree of
// its input.
//
//	Rego ──OPA's compiler and planner──▶ plan (package ir) ──▶ closures ──▶ values
//	       safety, ordering, with,       34 kinds of          one a         read from a view
//	       every, else, defaults         statements           statement     of the request
//
// OPA does what is hard: its planner (the one of its Wasm target) turns a policy
// into a small language of registers and blocks, [ir.Policy]. This package
// turns every statement of a plan into one Go closure, once, when a bundle is
// activated; an evaluation calls them. Where things are:
//
//   - plan.go: modules → plan; flatten.go, tidy.go and inline.go: fewer blocks and
//     calls, which say the same; program.go: plan → functions; analyse.go and
//     hoist.go: what is known before: constants are made once; static.go: what
//     depends on nothing but data is evaluated once
//   - statement.go, assign.go, call.go, input.go: one function for each kind of
//     statement; input.go reads each path of the input once an evaluation
//   - guard.go, index.go: rules whose first conditions ask the input for a member
//     or compare it with constants are found by what is there, and the others are
//     not run
//   - value.go, composite.go, order.go: values, their order and equality as
//     Rego has them; arena.go lends composites for one evaluation
//   - builtin.go, native.go: builtins: a few of this engine's own, for all
//     others, and for every odd case of these, the very function topdown calls
//   - run.go: one evaluation, its limits, and the pool of them
//
// A program gives topdown's result, or an error; never another result. Which
// error is topdown's to say: whoever asks evaluates again with topdown where a
// program fails (other than by a limit). README.md has the numbers.
package compiled
