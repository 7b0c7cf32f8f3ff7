# METADATA
# title: What is tried out
# description: Denies writes, where it is enforced.
package packs.careful

deny contains {"code": "no_writes", "message": "nothing may be written"} if input.action.operation == "write"
