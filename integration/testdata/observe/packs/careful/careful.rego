# METADATA
# title: What is tried out
# description: Half of the recorded session's requests change or send something, and would be denied.
package packs.careful

deny contains {"code": "no_writes", "message": "nothing may be written or sent"} if {
	input.action.operation in {"write", "delete", "send"}
}
