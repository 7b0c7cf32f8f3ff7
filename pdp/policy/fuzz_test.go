package policy

import (
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Whatever a policy answers is read or refused, never half of it: with an error
// comes the verdict that denies, and an allow was said in so many words.
func FuzzReadVerdict(f *testing.F) {
	for _, seed := range []string{
		`true`, `{"allowed":true}`, `{"effect":"allow","charge":{"mails":1}}`, `{"effect":"deny","reasons":["a",{"code":"b"}]}`,
		`{"allowed":false,"http_status":403,"headers":{"a":["b"]}}`, `{"effect":"allow","remember":[{"fact":"seen","key":[1],"on":"done"}]}`, `[]`, `{"effect":"allow","session":{"expires_in":1.5}}`,
	} {
		f.Add([]byte(seed))
	}
	declared := &pdp.Declarations{
		Facts:   map[string]*pdp.Fact{"seen": {Name: "seen", Kind: pdp.FactLast}},
		Budgets: map[string]*pdp.Budget{"mails": {Name: "mails", Limit: 1}},
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		result, err := value.ParseJSON(text)
		if err != nil {
			return
		}
		v, err := readVerdict(result, declared)
		if err != nil && v.Effect != pdp.Deny {
			t.Fatalf("%s: %v and %s", text, err, v.Effect)
		}
		said, _ := result.Bool()
		allowed, _ := result.Get("allowed").Bool()
		if v.Effect == pdp.Allow && !said && !allowed && result.Get("effect").Text() != "allow" {
			t.Fatalf("%s was read as an allow", text)
		}
		for _, charge := range v.Charges {
			if charge.N < 1 || declared.Budgets[charge.Budget] == nil {
				t.Fatalf("%s: charge %+v", text, charge)
			}
		}
		if _, err := readAdmission(result); err == nil && result.Kind() != value.Map {
			t.Fatalf("%s was read as an admission", text)
		}
		if _, err := readEffects(result, declared); err == nil && result.Kind() != value.Map {
			t.Fatalf("%s was read as effects", text)
		}
	})
}
