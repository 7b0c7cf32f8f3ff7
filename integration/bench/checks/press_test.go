package checks

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/harness"
)

// pressed makes a source whose agents press a budget of two mails a session and
// one of two hundred customers a person; n agents are greedy.
func pressed(t *testing.T, n int) *Source {
	s := newSource(t, 10, 4)
	s.Press([]Budget{{Tool: "send_mail", Session: true, Limit: 2}, {Tool: "read_customer", Limit: 200}}, n, time.Minute)
	return s
}

// mail is a question for a mail of a session, in flight.
func (s *Source) mailOf(t *testing.T, who, run int) *load.Call {
	t.Helper()
	c := &load.Call{Kind: s.index("send_mail"), Who: who, Run: run}
	k := s.kind(c.Kind)
	k.fill(c.Set(k.message), time.Now(), s.all[who].token, 1, 1)
	s.press.asked(c, &s.all[who])
	return c
}

func response(t *testing.T, allow bool) []byte {
	t.Helper()
	r := &authv3.CheckResponse{Status: &rpcstatus.Status{Code: 7}, DynamicMetadata: &structpb.Struct{
		Fields: map[string]*structpb.Value{"decision_id": structpb.NewStringValue(strings.Repeat("d", IDSize))}},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{}}}
	if allow {
		r.Status, r.HttpResponse = &rpcstatus.Status{}, &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}
	}
	message, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// What may be answered to a mail follows from what was told, what is in flight and
// what was lost.
func TestWhatMayBeAnsweredAboutABudget(t *testing.T) {
	type answers []bool // those that come before the last one
	for name, c := range map[string]struct {
		lost, inFlight         int
		before                 answers
		last                   bool
		wrong, allows, excused int
	}{
		"two allows":                 {before: answers{true}, last: true},
		"a third allow":              {before: answers{true, true}, last: true, wrong: 1, allows: 1},
		"a denial when all is spent": {before: answers{true, true}},
		"a denial with one left":     {before: answers{true}, wrong: 1},
		"one that was lost":          {before: answers{true}, lost: 1, excused: 1},
		"an allow all the same":      {before: answers{true}, lost: 1, last: true},
		"lost, and never a third":    {before: answers{true, true}, lost: 1, last: true, wrong: 1, allows: 1},
		"one in flight":              {before: answers{true}, inFlight: 1},
		"two lost and none told":     {lost: 2, excused: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := pressed(t, 0)
			for range c.lost {
				s.Lost(s.mailOf(t, 1, 3))
			}
			for _, allow := range c.before {
				s.Answered(s.mailOf(t, 1, 3), "0", response(t, allow))
			}
			for range c.inFlight {
				s.mailOf(t, 1, 3)
			}
			s.Answered(s.mailOf(t, 1, 3), "0", response(t, c.last))
			wrong := 0
			for _, n := range s.Wrong {
				wrong += n
			}
			if _, excused := s.Pressed(); wrong != c.wrong || s.WrongAllows != c.allows || excused != c.excused {
				t.Errorf("wrong %v, %d wrong allows, %d excused; want %d, %d, %d", s.Wrong, s.WrongAllows, excused, c.wrong, c.allows, c.excused)
			}
			if len(s.Untold) != c.lost || s.Gone != c.lost {
				t.Errorf("%d untold, %d gone, want %d", len(s.Untold), s.Gone, c.lost)
			}
			s.Answered(s.mailOf(t, 1, 4), "0", response(t, true)) // the next session has its own
			if s.WrongAllows != c.allows {
				t.Error("the budget is not the session's")
			}
		})
	}
}

// Agents ask for more than there is, several at once; the greedy keep to a clock
// and nobody asks all too often for what must be denied.
func TestAgentsPress(t *testing.T) {
	s := pressed(t, 2)
	s.Hostile = 2
	customers, mails := make(map[int]int), make(map[[2]int]int)
	var calls []*load.Call
	for range 30_000 {
		c := &load.Call{}
		s.Next(c)
		switch s.kind(c.Kind).name {
		case "read_customer":
			customers[c.Who]++
		case "send_mail":
			mails[[2]int{c.Who, c.Run}]++
		}
		calls = append(calls, c)
		if len(calls) > 64 { // answered by a server that denies nothing but what it must
			old := calls[0]
			calls = calls[1:]
			s.Answered(old, "0", response(t, s.kind(old.Kind).allow))
		}
	}
	if customers[7]+customers[8] == 0 {
		t.Error("nobody was greedy")
	}
	if customers[9] != 0 {
		t.Error("nothing was saved up")
	}
	s.Spree(8)
	for range 8 {
		s.Next(&load.Call{})
	}
	if s.press.cells[cell{budget: 1, who: 9}].open < 5 {
		t.Error("there was no spree")
	}
	most := 0
	for _, n := range mails {
		most = max(most, n)
	}
	if together, _ := s.Pressed(); most != 1+mailsTogether+1 || together == 0 {
		t.Errorf("at most %d mails of a session, %d questions at once", most, together)
	}
	for who, g := range s.all {
		if who < 7 && g.denied > maxDenials+mailsTogether+2 {
			t.Errorf("agent %d asked %d times for what must be denied", who, g.denied)
		}
	}
	if s.WrongAllows == 0 {
		t.Error("a server that allows every mail is not noticed")
	}
}

// A session that is old is given up for the next one.
func TestSessionsEnd(t *testing.T) {
	s := pressed(t, 0)
	s.life = time.Minute
	now := time.Now()
	s.again(3, 4)
	_, g := s.pick(now)
	g.step = 5
	if s.pick(now.Add(50 * time.Second)); g.epoch != 0 {
		t.Error("a session ended early")
	}
	if s.pick(now.Add(70 * time.Second)); g.epoch != 1 || g.step != 0 {
		t.Errorf("session %d, step %d", g.epoch, g.step)
	}
}

func TestANewStreamSaysWhoseLogItIs(t *testing.T) {
	s := newSource(t, 4, 2)
	var sizes []int
	for range 3 {
		s.outcomes.add([]byte(strings.Repeat("d", IDSize)), harness.ToolsHost)
		sizes = append(sizes, len(s.Outcomes(time.Now(), true)))
		if len(sizes) == 2 {
			s.Reconnected()
		}
	}
	if sizes[0] != sizes[2] || sizes[1] >= sizes[0] {
		t.Errorf("messages of %v bytes", sizes)
	}
}
