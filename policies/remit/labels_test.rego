package remit.labels_test

import data.remit.example
import data.remit.labels

test_carries if {
	labelled := example.changed({"session": {"labels": {"pii": {}}}})
	labels.carries("pii") with input as labelled
	not labels.carries("secret") with input as labelled
}

test_an_incomplete_history_carries_everything if {
	labels.carries("secret") with input as example.changed({"session": {"labels": {"history-incomplete": {}}}})
}

test_labels_beyond_the_bound_may_be_any if {
	labels.carries("secret") with input as example.changed({"session": {"labels": {"label-overflow": {}}}})
}
