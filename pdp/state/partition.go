package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Partition is everything remembered about one root. [Partition.Apply] is the
// only thing that changes it.
type Partition struct {
	Key     pdp.PartitionKey
	Root    pdp.Principal
	Created int64
	Last    int64  // time of the latest entry
	Seq     uint64 // entries applied
	Memory  Memory // scope partition
	// Declared says since when each fact has been recorded without a hole, as
	// of Generation, which made the latest decision; sorted by fact.
	Generation uint64 // hash of its name; 0: none
	Declared   []Since
	Agents     map[pdp.Principal]*Agent
	Sessions   map[string]*Session
	Refs       map[Ref]string // what selects a session → its id
	Flights    map[string]*InFlight
	Checks     map[string]string // key of a check in flight → decision id
	// Ended are the claims' sessions of which nothing else is remembered, sorted
	// by reference.
	Ended []Ended
	// Lost and LostMarks say that counts, and marks, from before these times may
	// have been given up: see [Rest]. 0 where everything is there.
	Lost, LostMarks int64
	// order holds the ids of flights, oldest first, some perhaps settled; nil
	// where nothing was put in flight since the partition was read.
	order []string
}

// Since is a fact, by its signature, and since when it has been recorded.
type Since struct {
	Fact string
	At   int64
}

// InFlight is an allowed action whose outcome has not come.
type InFlight struct {
	Flight
	At      int64
	Seq     uint64
	Session string
	Agent   pdp.Principal
	Action  Acted
	Target  string // resource
	Charges []Charge
	Notes   []Note // those that wait for the outcome, and where
}

// Agent is what is remembered of one agent over its sessions.
type Agent struct {
	Is       pdp.Principal
	Activity Activity
	Started  uint64 // sessions
	Labels   Labels
	Past     Labels // of sessions too long ago to reach a new one
	Memory   Memory
	LastSeen int64 // when one of its sessions was there last
	// Open are the sessions that had not ended when the last one began.
	Open []string
	// Opened counts the sessions begun in the minute OpenMinute.
	OpenMinute int64
	Opened     int
	// Asked counts the questions about what would be allowed, AskedNow those
	// in the minute AskMinute.
	Asked     uint64
	AskMinute int64
	AskedNow  int
}

// Session is what is remembered of one session.
type Session struct {
	ID      string
	Ref     Ref
	Agent   pdp.Principal
	Shared  bool
	Task    string // JSON
	Token   string // fingerprint of its token; "" where it began without
	Asked   uint64 // questions about what would be allowed
	Started int64
	Seen    int64 // latest action, or when it was released from quarantine
	Expires int64
	Idle    int64
	Alone   bool
	// AfterRevocation, Owner and Chain: see [Opening].
	AfterRevocation bool
	Owner           string
	Chain           []pdp.Principal
	Closed          bool
	Quarantined     bool
	Activity        Activity
	Labels          Labels
	Cleared         []Cleared // sorted by label
	Memory          Memory
	Recent          []Recent // oldest first
	Credentials     []string
	Sent            int64
	Received        int64
	Heard           int64 // when an outcome came last; 0: never
	InFlight        int
}

// Recent is one of a session's latest actions.
type Recent struct {
	At               int64
	Seq              uint64
	Effect           pdp.Effect
	Operation, Level uint8 // as [Acted] has them
	System, Tool     string
	Outcome          pdp.OutcomeState // "" while it is in flight
}

// Ref is what selects a session (DESIGN 5.4).
type Ref struct {
	By    RefKind
	Agent pdp.Principal
	// Name is the fingerprint of a claim, or the id of an admitted session; ""
	// for the agent's own.
	Name string
}

// RefKind says by what a session is selected.
type RefKind uint8

// What selects a session.
const (
	ByAgent     RefKind = 1 // all runs of the agent are this session
	ByClaim     RefKind = 2 // of a verified token
	ByAdmission RefKind = 3 // the token that remit issued for it
)

// hash stands for the reference where it must take little space.
func (r Ref) hash() uint64 {
	b := append(make([]byte, 0, 256), byte(r.By))
	for _, part := range []string{r.Agent.Issuer, r.Agent.ID, r.Name} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.By, b.By), comparePrincipals(a.Agent, b.Agent), strings.Compare(a.Name, b.Name))
}

func comparePrincipals(a, b pdp.Principal) int {
	return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.ID, b.ID))
}

// NewPartition returns the empty partition of a key.
func NewPartition(key pdp.PartitionKey) *Partition { return &Partition{Key: key} }

// AppendBinary appends the partition's encoding to dst.
func (p *Partition) AppendBinary(dst []byte) []byte { return encode(dst, p, codePartition) }

// DecodePartition reads what [Partition.AppendBinary] wrote; the strings of the
// partition are slices of s. Anything else is an error, which is an [ErrFormat]
// where another version wrote it.
func DecodePartition(s string) (*Partition, error) { return decode(s, codePartition) }

// ended reports whether the session takes no more actions at now. The limits
// are closed: at exactly its age or idle time it still does. A quarantine is
// not to be waited out by being idle.
func (s *Session) ended(now int64) bool {
	return s.Closed || now > s.Expires || (s.Idle > 0 && !s.Quarantined && now > s.Seen+s.Idle)
}
