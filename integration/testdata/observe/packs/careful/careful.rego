# METADATA
# title: What is tried out
# description: Half of the session's requests write, and would be denied.
package packs.careful

deny contains {"code": "no_writes", "message": "nothing may be written"} if input.action.operation == "write"
