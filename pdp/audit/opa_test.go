package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/open-policy-agent/opa/v1/plugins/logs"

	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/value"
)

// What OPA's own type of an event reads of one of remit's, and writes again, is what
// remit wrote: every member that OPA defines has OPA's meaning and form.
func TestAnEventIsReadByOPAsType(t *testing.T) {
	mask := audit.NewMask([]string{"/input/request/path"}, []string{"/result/detail"}, token(t))
	text := value.AppendJSON(nil, mask.Apply(audit.Event(7, decided)))
	var theirs logs.EventV1
	if err := json.Unmarshal(text, &theirs); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&theirs)
	if err != nil {
		t.Fatal(err)
	}
	ours, read := objectOf(t, text), objectOf(t, again)
	for name, want := range read {
		if !reflect.DeepEqual(ours[name], want) {
			t.Errorf("%s: OPA reads %v, remit wrote %v", name, want, ours[name])
		}
	}
	for _, name := range []string{"labels", "decision_id", "bundles", "input", "result", "requested_by", "timestamp", "metrics", "erased", "masked"} {
		if read[name] == nil {
			t.Errorf("OPA does not find %s", name)
		}
	}
}

func objectOf(t *testing.T, text []byte) (object map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}
