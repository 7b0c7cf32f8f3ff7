# METADATA
# title: What the agent is for
# description: |
#   The agent's profile in data.remit.agents names the systems it works on, the
#   operations it does and, if it wants to, the tools. A session may be narrower
#   than its agent: the verified claim `task` of the token, and the task that the
#   agent declares at the agents' door, become the session's task. Both can only
#   take away.
# custom:
#   controls: [ASI02, ASI03]
package packs.task

allow contains {"code": "within_task"} if {
	input.target.known
	input.target.system in profile.systems
	input.action.operation in profile.operations
}

deny contains {
	"code": "unknown_target",
	"message": "the target is not known",
	"controls": ["ASI02"],
} if {
	not input.target.known
}

deny contains {"code": "system_out_of_task", "message": "this is not part of the agent's work"} if {
	input.target.known
	not permits("systems", input.target.system)
}

deny contains {"code": "operation_out_of_task", "message": "this operation is not part of the agent's work"} if {
	input.target.known
	not permits("operations", input.action.operation)
}

deny contains {"code": "tool_out_of_task", "message": "this tool is not part of the agent's work"} if {
	input.target.known
	input.action.tool != ""
	input.action.operation != "discover"
	not permits("tools", input.action.tool)
}

deny contains {"code": "sensitivity_out_of_task", "message": "this is more sensitive than the agent's work"} if {
	input.target.known
	not within_ceiling
}

deny contains {
	"code": "task_actions_spent",
	"message": "the session has done as many actions as its task names",
	"class": "budget_spent",
} if {
	input.session.actions + 1 > session_task.limits.actions
}

# A list that neither profile nor task has allows everything of its kind,
# except systems and operations, which `allow` wants named.
permits(list, name) if {
	permitted_by(profile, list, name)
	permitted_by(session_task, list, name)
}

permitted_by(scope, list, _) if not scope[list]

permitted_by(scope, list, name) if name in scope[list]

profile := input.agent.profile

session_task := input.session.task

within_ceiling if input.target.level <= ceiling

levels := {"public": 0, "internal": 1, "confidential": 2, "restricted": 3}

default ceiling := 1

ceiling := levels[profile.max_sensitivity]

# What the session is for. The token's issuer may say it in the claim `task`, and
# the agent may declare a task when it asks for a session. Either can only
# narrow: a list that both have becomes what is in both.
task["source"] := "claim" if input.agent.claims.task

task["source"] := "declared" if {
	not input.agent.claims.task
	input.task.purpose
}

task["purpose"] := claimed.purpose

task["purpose"] := input.task.purpose if not claimed.purpose

task[list] := claimed[list] if {
	some list in lists
	not input.task[list]
}

task[list] := narrowed if {
	some list in lists
	declared := input.task[list]
	narrowed := [name | some name in declared; permitted_by(claimed, list, name)]
}

task["limits"] := input.task.limits

session_expires_in := input.task.limits.expires_in_seconds

session_idle := input.task.limits.idle_seconds

refuse contains {
	"code": "task_out_of_scope",
	"message": "the task asks for more than the agent may do",
	"controls": ["ASI02", "ASI03"],
} if {
	some list in lists
	some name in input.task[list]
	not grantable(list, name)
}

grantable(list, name) if {
	permitted_by(profile, list, name)
	permitted_by(claimed, list, name)
}

lists := ["systems", "operations", "tools"]

default claimed := {}

# A claim of another type is an error, which does not admit.
claimed := object.filter(input.agent.claims.task, ["purpose", "systems", "operations", "tools"])
