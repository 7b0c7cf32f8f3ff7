# METADATA
# title: Budgets
# description: |
#   Reads the budgets declared in data.remit.budgets. To spend from one, a pack
#   writes `charge[name] := n if ...`; remit refuses an allow that would exceed
#   the limit by itself, at the commit. These functions are for rules that want
#   to say no earlier, or differently.
package remit.budget

# METADATA
# description: n more may exceed the budget, what is pending or unknown included.
default exceeds(_, _) := true

exceeds(name, n) := (input.budgets[name].hi + n) > input.budgets[name].limit

# METADATA
# description: What surely is left of the budget.
default remaining(_) := 0

remaining(name) := input.budgets[name].remaining
