package remit.budget_test

import data.remit.budget
import data.remit.example

mails := example.changed({"budgets": {"mails": {"limit": 10, "lo": 3, "hi": 8, "remaining": 2}}})

test_exceeds_counts_what_is_pending if {
	budget.exceeds("mails", 2) == false with input as mails
	budget.exceeds("mails", 3) == true with input as mails
}

test_remaining if budget.remaining("mails") == 2 with input as mails

test_an_undeclared_budget_is_spent if {
	budget.exceeds("other", 0) == true with input as mails
	budget.remaining("other") == 0 with input as mails
}
