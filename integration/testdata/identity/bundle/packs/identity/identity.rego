# METADATA
# title: Who is asking
# description: Lets in whoever was identified; some paths need more than that.
package packs.identity

admit contains "somebody" if input.agent.kind != "none"

allow contains "somebody" if {
	input.agent.kind != "none"
	input.target.known
}

deny contains {"code": "not_bound", "message": "the credential must be bound to its sender"} if {
	input.request.path == "/v1/bound"
	not input.agent.credential.sender_bound
}

deny contains {"code": "wrong_workload", "message": "another workload must present this"} if {
	input.request.path == "/v1/workload"
	not presented_by_the_agents_workload
}

presented_by_the_agents_workload if {
	input.agent.workload.id == "spiffe://prod.example.test/agent"
	input.agent.workload.trust_domain == "prod.example.test"
	input.agent.workload.credential.expires_in_seconds > 60
}

deny contains {"code": "credential_ends_soon", "message": "the certificate is about to expire"} if {
	input.request.path == "/v1/lasting"
	not input.agent.credential.expires_in_seconds > 60
}
