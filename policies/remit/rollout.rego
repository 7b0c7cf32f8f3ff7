# METADATA
# title: Roll-out
# description: |
#   Which packs are enforced, and what becomes of the denials of those that are
#   in observe (data.remit.observe.packs). Listeners and systems in observe are
#   not the policy's matter: it decides, and what it decides is not enforced.
package remit.rollout

observes(pack) if pack in data.remit.observe.packs

# Classes of a denial that stand in observe as well.
always := {"revoked", "unauthenticated", "unreadable"}

# Whether a pack's denial stands.
enforces(pack, _) if not observes(pack)

enforces(pack, reason) if {
	observes(pack)
	reason.class in always
}

# A reason of a pack in observe as would_deny says it. What is no reason is a
# mistake in the pack, and is told as one.
observed(pack, class, reason) := object.union({"class": class}, object.union(reason, {"pack": pack})) if is_object(reason)

observed(pack, class, reason) := {"pack": pack, "class": class, "code": reason} if is_string(reason)

observed(pack, class, reason) := {"pack": pack, "class": class, "code": "not_a_reason"} if {
	not is_object(reason)
	not is_string(reason)
}
