# METADATA
# title: What is enforced
# description: Anybody who is proved may read tickets, and nothing secret.
package packs.base

admit contains "anybody" if input.agent.kind == "jwt"

allow contains "known" if input.target.known

deny contains {"code": "identity_required", "class": "unauthenticated", "message": "a verified identity is required"} if {
	input.agent.kind == "none"
}

deny contains {"code": "secret", "message": "this is secret"} if input.target.system == "vault"
