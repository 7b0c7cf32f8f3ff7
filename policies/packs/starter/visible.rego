# METADATA
# title: Nothing is decided blindly
# description: |
#   A body that the proxy cut or did not send cannot be judged. Reading may go on
#   without, a gRPC stream too; changing something may not, and neither may a tool
#   call or a message to another agent, whose arguments are in the body. What goes
#   over a connection that is asked about as such is never seen: whoever describes
#   its port in the catalog has accepted that.
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
	input.request.protocol != "network"
	needed
}

needed if input.action.operation in settings.writes

needed if input.request.protocol in {"mcp", "a2a"}
