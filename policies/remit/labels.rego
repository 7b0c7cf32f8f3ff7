# METADATA
# title: Labels
# description: What the session carries because of what it did (taint).
package remit.labels

# The label of a session of whose history something was lost: it counts as
# every other label.
incomplete := "history-incomplete"

# The label that stands for those beyond the bound of a session: which they
# were is not kept, so it counts as every other label too.
overflow := "label-overflow"

# METADATA
# description: The session may carry the label.
carries(name) if input.session.labels[name]

carries(_) if lost

# METADATA
# description: Labels that the session carries are not known by name.
lost if input.session.labels[incomplete]

lost if input.session.labels[overflow]
