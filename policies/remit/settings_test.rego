package remit.settings_test

import data.remit.settings

# A limit that is no number would compare as anything but what was meant.
test_limits_are_numbers if {
	every limit in [
		settings.write_age_seconds, settings.destructive_age_seconds, settings.actions_per_minute,
		settings.same_call_per_minute, settings.denials_in_a_row, settings.denials_to_quarantine,
		settings.max_targets, settings.max_systems,
		settings.agent_actions_per_minute, settings.agent_denials_per_hour,
	] {
		is_number(limit)
		limit > 0
	}
}

test_every_sensitivity_has_an_age if {
	every sensitivity in ["public", "internal", "confidential", "restricted"] {
		is_number(settings.max_age_seconds[sensitivity])
	}
}

operations := {"discover", "read", "write", "delete", "execute", "send", "credential", "admin"}

test_operations_are_operations if {
	settings.writes - operations == set()
	settings.destructive - settings.writes == set()
	every denied in settings.taint { denied - operations == set() }
}

test_the_quarantine_comes_after_the_warning if settings.denials_to_quarantine > settings.denials_in_a_row

# The ring of same_call holds 16: a larger cap could not be told apart.
test_the_ring_can_count_the_same_call if settings.same_call_per_minute < 16
