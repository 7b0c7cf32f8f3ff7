# METADATA
# title: What a session may no longer do after what it saw
# description: |
#   Content that anybody could have written may carry instructions, and a secret
#   that was read may be sent away with perfectly valid credentials. The catalog
#   says which tools bring in which label; data.remit.settings.taint says what is
#   no longer allowed then. A label reaches the agent's other sessions as well.
# custom:
#   controls: [ASI01, ASI02]
package packs.taint

import data.remit.labels
import data.remit.settings

deny contains {
	"code": replace(sprintf("%s_after_%s", [input.action.operation, name]), "-", "_"),
	"message": sprintf("this session carries the label %s", [name]),
	"controls": ["ASI01"],
} if {
	some name, operations in settings.taint
	input.session.labels[name]
	input.action.operation in operations
}

# The worst is assumed of a session of whose history something was lost.
deny contains {
	"code": "history_incomplete",
	"message": "something that this session did is not known",
	"controls": ["ASI01"],
} if {
	labels.lost
	input.action.operation in settings.writes
}

# Whoever reads or mints a credential carries a secret.
label contains "secret" if input.action.operation == "credential"
