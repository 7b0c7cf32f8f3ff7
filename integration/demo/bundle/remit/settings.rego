# METADATA
# title: Settings
# description: |
#   The numbers and lists that the starter pack works with. Change them to what
#   your team means; the tests say whether they still make sense.
package remit.settings

# How old a session may be, in seconds, to touch a target of this sensitivity.
max_age_seconds := {
	"public": 28800,
	"internal": 28800,
	"confidential": 3600,
	"restricted": 900,
}

# How old a session may be, in seconds, for an operation that changes
# something, and for one that destroys or mints credentials.
# Seconds, where a team would say an hour: the sample session is short.
write_age_seconds := 15

destructive_age_seconds := 10

# Operations that change something, and those among them that need a grant of
# their own in the agent's profile (`destructive`).
writes := {"write", "delete", "execute", "send", "credential", "admin"}

destructive := {"delete", "execute", "credential", "admin"}

# What a session that carries a label may no longer do.
taint := {
	"untrusted-content": {"write", "delete", "execute", "send", "credential", "admin"},
	"secret": {"send"},
}

# The label of targets that others can listen at: what carries a secret may not
# ask there, not even to read.
outside := "outside"

# Runaway loops: actions in a minute, the same call in a minute, denials in a
# row, and denials in a row after which the session is quarantined.
actions_per_minute := 200

# The same over all sessions of an agent that acts for one person: actions in a
# minute, and denials in an hour after which it may change nothing.
agent_actions_per_minute := 600

agent_denials_per_hour := 100

same_call_per_minute := 10

denials_in_a_row := 10

denials_to_quarantine := 25

# Questions about what would be allowed, in a session, after which it may no
# longer change anything.
questions_in_a_session := 500

# How far a session may reach: distinct targets, and systems.
max_targets := 200

max_systems := 8
