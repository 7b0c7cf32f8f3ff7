# METADATA
# title: A tool is what was reviewed
# description: |
#   A tool whose server describes it otherwise than when it was reviewed is a new
#   tool: nobody has said what it does. A description is what a model obeys.
# custom:
#   controls: [ASI04]
package packs.definitions

import data.remit.definitions

deny contains {
	"code": "tool_definition_changed",
	"message": "the tool is not the one that was reviewed",
	"controls": ["ASI04"],
} if {
	definitions.changed
}
