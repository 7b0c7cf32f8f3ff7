# METADATA
# title: Nothing is decided blindly
# description: |
#   A body that the proxy cut or did not send cannot be judged. Reading may go on
#   without; changing something may not, and neither may a tool call, whose
#   arguments are in the body.
# custom:
#   controls: [ASI02]
package packs.visible

import data.remit.settings

deny contains {
	"code": "body_not_seen",
	"message": "the whole body of the request is needed",
	"class": "unreadable",
	"controls": ["ASI02"],
} if {
	input.request.body_state in {"truncated", "unseen", "unreadable"}
	needed
}

needed if input.action.operation in settings.writes

needed if input.request.protocol == "mcp"
