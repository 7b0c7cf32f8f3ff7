package state_test

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// An outcome's text is part of the message that it came in: nothing of it is kept
// but in copies, whether the outcome says it or a rule that read it does.
func TestWhatIsKeptOfAnOutcomeIsCopied(t *testing.T) {
	r := newRoom(t, plan{})
	var messages [][]byte
	part := func(s string) string {
		messages = append(messages, []byte(s))
		return unsafe.String(unsafe.SliceData(messages[len(messages)-1]), len(s))
	}
	first, other := r.allowed(), r.allowed()
	for _, id := range []string{first.ID, other.ID} { // the second time all is there already
		partition, err := r.ids.Partition(id)
		if err != nil {
			t.Fatal(err)
		}
		settlement, err := r.history.Resume(t.Context(), r.declared, partition, part(id))
		if err != nil {
			t.Fatal(err)
		}
		o := pdp.Outcome{
			DecisionID: part(id), State: pdp.OutcomeDone, Source: part("test"), Status: 200,
			ContentType: part("text/html"), Details: part("via_upstream"),
		}
		memo := pdp.Memo{Fact: part("last"), Key: []value.Value{value.Str(part("key"))}, Values: []value.Value{value.Str(part("kept"))}, On: pdp.OnDone}
		hashed := memo
		hashed.Fact = part("hash")
		fx := pdp.Effects{Labels: []string{part("pii")}, Remember: []pdp.Memo{memo, hashed}}
		if err := settlement.Commit(t.Context(), o, fx); err != nil {
			t.Fatal(err)
		}
		settlement.Release()
	}
	held, err := r.store.Acquire(t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	before := held.State().AppendBinary(nil)
	for _, message := range messages {
		copy(message, strings.Repeat("~", len(message)))
	}
	if after := held.State().AppendBinary(nil); !bytes.Equal(after, before) || !bytes.Contains(before, []byte("kept")) || !bytes.Contains(before, []byte("pii")) {
		t.Errorf("%q was\n%q", after, before)
	}
}
