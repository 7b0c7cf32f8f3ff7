package state

import (
	"encoding/base64"

	"github.com/remit-pdp/remit/pdp"
)

// DecodeEntry reads what [Entry.AppendBinary] wrote; the strings of the entry
// are slices of s. Anything else is an error, which is an [ErrFormat] where
// another version wrote it.
func DecodeEntry(s string) (*Entry, error) { return decode(s, codeEntry) }

func codeEntry(c *coder, e *Entry) {
	number(c, &e.Kind)
	c.int(&e.At)
	c.origin = e.At
	c.raw(e.Partition[:])
	c.partition = e.Partition
	c.uint(&e.Seq)
	optional(c, &e.Record, codeRecord)
	optional(c, &e.Effects, codeEffects)
	optional(c, &e.Settling, codeSettling)
	codeOperators(c, e)
	word(c, &e.Generation)
	word(c, &e.Problem)
}

// codeOperators codes what operators did. Entries from before there were orders
// say in the same byte that they hold none.
func codeOperators(c *coder, e *Entry) {
	revoking, ordering := e.Revoking != nil, e.Ordering != nil
	c.flags(&revoking, &ordering)
	if revoking {
		pointer(codeRevocation)(c, &e.Revoking)
	}
	if ordering {
		pointer(codeOrdering)(c, &e.Ordering)
	}
}

func codeOrdering(c *coder, o *Ordering) {
	text(c, &o.ID)
	word(c, &o.Order.Kind)
	word(c, &o.Order.Session)
	word(c, &o.Order.Label)
	word(c, &o.Order.Reason)
	word(c, &o.Order.Actor)
}

// decisionIDBytes is how many bytes a decision id names its partition and itself
// with: see [pdp.IDs].
const decisionIDBytes = 40

var idEncoding = base64.RawURLEncoding.Strict()

// decisionID codes the id of a decision: it is base64url, and begins with the
// entry's partition.
func (c *coder) decisionID(id *string) {
	var b [decisionIDBytes]byte
	usual := false
	if !c.reading && len(*id) == idEncoding.EncodedLen(len(b)) {
		n, err := idEncoding.Decode(b[:], append(make([]byte, 0, 64), *id...))
		usual = err == nil && n == len(b) && pdp.PartitionKey(b[:16]) == c.partition
	}
	if c.flag(&usual); !usual {
		text(c, id)
		return
	}
	c.raw(b[16:])
	if c.reading {
		copy(b[:], c.partition[:])
		*id = idEncoding.EncodeToString(b[:])
	}
}

func codeRecord(c *coder, r *Record) {
	c.decisionID(&r.ID)
	number(c, &r.Question)
	number(c, &r.Effect)
	word(c, &r.Class)
	list(c, &r.Reasons, codeReason)
	list(c, &r.WouldDeny, codeObserved)
	word(c, &r.Detail)
	word(c, &r.Generation)
	word(c, &r.Door)
	word(c, &r.Listener)
	word(c, &r.Proxy)
	codePrincipal(c, &r.Agent)
	word(c, &r.AgentKind)
	word(c, &r.Owner)
	list(c, &r.Chain, codePrincipal)
	word(c, &r.Credential)
	word(c, &r.CredentialKind)
	codePrincipal(c, &r.Workload)
	word(c, &r.WorkloadCredential)
	word(c, &r.Session)
	word(c, &r.Protocol)
	word(c, &r.Method)
	word(c, &r.Host)
	word(c, &r.Path)
	word(c, &r.RPC)
	word(c, &r.Tool)
	word(c, &r.Operation)
	word(c, &r.System)
	word(c, &r.Resource)
	word(c, &r.Environment)
	word(c, &r.Sensitivity)
	c.flag(&r.Known)
	word(c, &r.RequestID)
	text(c, &r.Trace)
	c.sum(&r.Digest)
	list(c, &r.Labels, word[string])
	list(c, &r.Charges, codeCharge)
	word(c, &r.Engine)
	c.int(&r.PolicyMicros)
	c.int(&r.TotalMicros)
	c.int(&r.Count)
}

func codePrincipal(c *coder, p *pdp.Principal) {
	word(c, &p.ID)
	word(c, &p.Issuer)
}

func codeReason(c *coder, r *pdp.Reason) {
	word(c, &r.Code)
	word(c, &r.Message)
	list(c, &r.Controls, word[string])
}

func codeObserved(c *coder, o *pdp.Observed) {
	word(c, &o.Place)
	word(c, &o.Class)
	codeReason(c, &o.Reason)
}

func codeEffects(c *coder, e *Effects) {
	number(c, &e.Question)
	codePrincipal(c, &e.Root)
	c.moment(&e.Lost)
	c.moment(&e.LostMarks)
	codePrincipal(c, &e.Agent)
	optional(c, &e.Open, codeOpening)
	word(c, &e.Session)
	codeActed(c, &e.Action)
	list(c, &e.Charges, codeCharge)
	list(c, &e.Notes, codeNote)
	list(c, &e.Labels, word[string])
	optional(c, &e.Flight, codeFlight)
	c.flags(&e.Quarantine, &e.Close)
	c.moment(&e.Expires)
	word(c, &e.Generation)
	list(c, &e.Declares, word[string])
}

func codeOpening(c *coder, o *Opening) {
	word(c, &o.ID)
	codeRef(c, &o.Ref)
	c.flags(&o.Shared, &o.Alone, &o.Past, &o.AfterRevocation)
	word(c, &o.Task)
	word(c, &o.Token)
	c.moment(&o.Expires)
	c.int(&o.Idle)
	word(c, &o.Owner)
	list(c, &o.Chain, codePrincipal)
}

func codeActed(c *coder, a *Acted) {
	number(c, &a.Effect)
	c.flag(&a.Undecided)
	number(c, &a.Operation)
	number(c, &a.Level)
	word(c, &a.System)
	word(c, &a.Tool)
	c.hash(&a.Target)
	word(c, &a.Credential)
}

func codeCharge(c *coder, v *Charge) {
	word(c, &v.Budget)
	word(c, &v.Scope)
	c.int(&v.N)
	c.int(&v.Window)
	c.flag(&v.Keep)
	c.int(&v.bucket)
}

func codeNote(c *coder, n *Note) {
	word(c, &n.Fact)
	word(c, &n.Kind)
	word(c, &n.Scope)
	word(c, &n.Key)
	list(c, &n.Values, word[string])
	quantity(c, &n.Number)
	word(c, &n.On)
	c.int(&n.TTL)
	number(c, &n.Keys)
	number(c, &n.Ring)
}

func codeFlight(c *coder, f *Flight) {
	c.moment(&f.Deadline)
	text(c, &f.Check)
	c.sum(&f.Digest)
	optional(c, &f.Answer, codeAnswer)
	word(c, &f.Host)
}

func codeSettling(c *coder, s *Settling) {
	c.decisionID(&s.ID)
	word(c, &s.State)
	word(c, &s.Source)
	number(c, &s.Status)
	number(c, &s.Attempts)
	c.int(&s.Sent)
	c.int(&s.Received)
	word(c, &s.ContentType)
	word(c, &s.Details)
	list(c, &s.Labels, word[string])
	list(c, &s.Notes, codeNote)
	c.flag(&s.Late)
	list(c, &s.Undeclared, word[string])
}
