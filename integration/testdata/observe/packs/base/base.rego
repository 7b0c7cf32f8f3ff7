# METADATA
# title: What is enforced
# description: Anybody who is proved may do what the catalog knows.
package packs.base

admit contains "anybody" if input.agent.kind == "jwt"

allow contains "known" if input.target.known

deny contains {"code": "identity_required", "class": "unauthenticated", "message": "a verified identity is required"} if {
	input.agent.kind == "none"
}
