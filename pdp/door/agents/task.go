package agents

import (
	"slices"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Bounds of a declared task.
const (
	maxPurpose = 512
	maxListed  = 64
	maxName    = 256
	maxSeconds = 30 * 24 * 3600
	maxActions = 1_000_000
	maxTask    = 8 << 10 // of all of it, which the session keeps
)

// readTask reads the body of an admission: {"task": {...}}. What a task does
// not name it does not narrow, so a member that is not known is a mistake.
func readTask(body value.Value) (value.Value, error) {
	var err error
	whole := fieldsOf("", body, &err)
	whole.required("task")
	task := fieldsOf("task", whole.get("task"), &err)
	task.text("purpose", maxPurpose)
	task.required("purpose")
	for _, list := range []string{"tools", "systems"} {
		task.texts(list, maxListed, maxName)
	}
	for _, operation := range task.texts("operations", len(pdp.Operations), maxName).Items() {
		if !slices.Contains(pdp.Operations, pdp.Operation(operation.Text())) {
			task.wrong("operations", "has a word that is not one of %v", pdp.Operations)
		}
	}
	if v := task.get("limits"); v.Defined() {
		limits := fieldsOf("task.limits", v, &err)
		limits.number("expires_in_seconds", maxSeconds)
		limits.number("idle_seconds", maxSeconds)
		limits.number("actions", maxActions)
		limits.done()
	}
	task.done()
	if len(value.AppendJSON(nil, task.of)) > maxTask {
		task.wrong("", "is longer than %d bytes", maxTask)
	}
	whole.done()
	return task.of, err
}
