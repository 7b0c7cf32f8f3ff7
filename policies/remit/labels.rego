# METADATA
# title: Labels
# description: What the session carries because of what it did (taint).
package remit.labels

# The label of a session of whose history something was lost: it counts as
# every other label.
incomplete := "history-incomplete"

# METADATA
# description: The session may carry the label.
carries(name) if input.session.labels[name]

carries(_) if input.session.labels[incomplete]
