package parts

import (
	"slices"
	"time"
)

// Part is a part of a decision and its share of the processor time.
type Part struct {
	Name  string  `json:"part"`
	Share float64 `json:"share"` // 0 to 1
}

const ours = "github.com/remit-pdp/remit/pdp"

// The rules: a stack belongs to the first part one of whose texts is in one of
// its functions. What a step of the decision calls is the step's, whoever wrote
// it: the policy's part includes what it reads of the state.
var rules = []struct {
	part  string
	texts []string
}{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcMarkDone"}},
	{"outcomes", []string{ours + "/door/outcome.", "envoy/service/accesslog/"}},
	{"policy", []string{ours + "/policy"}},
	{"identity", []string{ours + "/identity"}},
	{"attributes", []string{ours + "/attributes"}},
	{"catalog", []string{ours + "/catalog"}},
	{"journal", []string{ours + "/state/localstore.(*journal)", ours + "/state/localstore.(*segment)", ours + "/state/localstore.(*sealer)",
		ours + "/state/localstore.(*Store).write", ours + "/state/localstore.(*Store).accept"}},
	{"state", []string{ours + "/state"}},
	{"reading the check", []string{"(*Server).envelope", "proto.Unmarshal", "protobuf/encoding/protowire.", "google.golang.org/grpc.recv", "/door/extauthz.read", "/door/extauthz.scan"}},
	{"answer", []string{"/door/extauthz.renderer", "/door/extauthz.(*renderer)", "proto.Marshal", "google.golang.org/grpc.encode"}},
	{"metrics", []string{ours + "/telemetry"}},
	{"decision", []string{ours + ".", ours + "/door/extauthz", ours + "/value"}},
	{"transport", []string{"google.golang.org/grpc", "golang.org/x/net", "net.", "internal/poll.", "syscall."}},
	{"scheduler", []string{""}},
}

// Of adds up stacks, by part, in the order of the rules.
func Of(stacks []Stack) []Part {
	spent := make([]time.Duration, len(rules))
	var total time.Duration
	for i := range stacks {
		spent[ruleOf(&stacks[i])] += stacks[i].Time
		total += stacks[i].Time
	}
	list := make([]Part, len(rules))
	for i, r := range rules {
		list[i] = Part{r.part, float64(spent[i]) / float64(total)}
	}
	return list
}

// Share returns the share of the part of a name, 0 where there is none.
func Share(list []Part, name string) float64 {
	for _, p := range list {
		if p.Name == name {
			return p.Share
		}
	}
	return 0
}

func ruleOf(s *Stack) int {
	for i, r := range rules {
		if !slices.ContainsFunc(r.texts, s.has) {
			continue
		}
		if r.part == "metrics" && s.depth(rules[i+1].texts) < s.depth(r.texts) {
			return i + 1 // what is measured is called from where it is measured
		}
		return i
	}
	return len(rules) - 1
}
