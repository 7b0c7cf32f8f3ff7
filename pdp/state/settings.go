package state

import "time"

// Settings bound the sessions and what is remembered of them. [Defaults]
// gives the ones that DESIGN names.
type Settings struct {
	// Idle and MaxAge end the session of an agent whose token names none;
	// MaxAge ends every session.
	Idle, MaxAge time.Duration
	// Carry is how long after an agent's last session its labels reach a new
	// one.
	Carry time.Duration
	// OutcomeTimeout is how long an outcome is awaited; after it the action is
	// unknown.
	OutcomeTimeout time.Duration
	// MaxOpen and MaxPerMinute bound an agent's sessions.
	MaxOpen, MaxPerMinute int
	// MaxQuestions bounds an agent's questions a minute about what would be
	// allowed.
	MaxQuestions int
	// Recent is how many of a session's latest actions a policy sees.
	Recent int
	// AnonymousPerSecond is how many denials of callers without an identity
	// are recorded one by one; beyond it, identical ones share a record a
	// second.
	AnonymousPerSecond int
}

// Defaults are the settings where nothing is configured.
var Defaults = Settings{
	Idle: 30 * time.Minute, MaxAge: 8 * time.Hour, Carry: 24 * time.Hour,
	OutcomeTimeout: time.Minute, MaxOpen: 64, MaxPerMinute: 60, MaxQuestions: 256, Recent: 8, AnonymousPerSecond: 50,
}
