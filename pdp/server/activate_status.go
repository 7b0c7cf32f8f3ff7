package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/remit-pdp/remit/bundles"
)

// PolicyStatus says which policy serves, and what is wrong with the one that
// should. It holds no secret.
type PolicyStatus struct {
	Source     string `json:"source"`
	Generation string `json:"generation"` // in force; "" before the first
	// Since is when the generation was put in force; one that is LastGood, when
	// its source had it last.
	Since time.Time `json:"since"`
	// LastGood says that the source has not been seen to hold this generation
	// since remit was started: it came from the copy in the state directory.
	LastGood bool `json:"last_good"`
	// Refused is what the source holds and is not good, Unreachable what keeps
	// the source from being read.
	Refused     *PolicyProblem `json:"refused,omitempty"`
	Unreachable *PolicyProblem `json:"unreachable,omitempty"`
	// Looked is when the source was read last. (In the file: when this status
	// was written.)
	Looked time.Time `json:"looked"`
}

// PolicyProblem is something an operator must look after.
type PolicyProblem struct {
	Revision string    `json:"revision,omitempty"`
	Problem  string    `json:"problem"` // with file and line
	Since    time.Time `json:"since"`
}

const statusFile = "status.json"

// ReadPolicyStatus returns what the remit with this state directory, which may
// have ended, said last about its policy; nil where it never said anything.
func ReadPolicyStatus(stateDir string) (*PolicyStatus, error) {
	text, err := os.ReadFile(filepath.Join(policyDir(stateDir), statusFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &PolicyStatus{}
	return s, json.Unmarshal(text, s)
}

// statusKeeper keeps the status of an activation, writes it to a file whenever
// it changes, and logs what is new. Safe for concurrent use.
type statusKeeper struct {
	dir bundles.LastGood
	log *slog.Logger

	mu  sync.Mutex
	now PolicyStatus
}

func newStatusKeeper(dir bundles.LastGood, source bundles.Source, log *slog.Logger) *statusKeeper {
	return &statusKeeper{dir: dir, log: log, now: PolicyStatus{Source: source.String()}}
}

// Status returns the status of this moment.
func (k *statusKeeper) Status() PolicyStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *statusKeeper) change(change func(*PolicyStatus) (news bool)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	news := change(&k.now)
	k.now.Looked = time.Now()
	if !news {
		return
	}
	text, err := json.MarshalIndent(&k.now, "", "  ")
	if err == nil {
		err = k.dir.WriteFile(statusFile, append(text, '\n'))
	}
	if err != nil {
		k.log.Error("the status of the policy was not written", "error", err)
	}
}

func (k *statusKeeper) activated(generation string, since time.Time, lastGood bool) {
	k.change(func(s *PolicyStatus) bool {
		s.Generation, s.Since, s.LastGood = generation, since, lastGood
		if !lastGood {
			s.Refused = nil
		}
		return true
	})
}

// confirmed says that the source holds what serves.
func (k *statusKeeper) confirmed() {
	k.change(func(s *PolicyStatus) bool {
		news := s.LastGood || s.Refused != nil
		s.LastGood, s.Refused = false, nil
		if news {
			k.log.Info("the source of the policy holds again what serves", "generation", s.Generation)
		}
		return news
	})
}

func (k *statusKeeper) refused(revision string, problem error) {
	k.change(func(s *PolicyStatus) bool {
		if s.Refused != nil && s.Refused.Revision == revision && s.Refused.Problem == problem.Error() {
			return false
		}
		s.Refused = &PolicyProblem{revision, problem.Error(), time.Now()}
		k.log.Error("a policy was refused", "revision", revision, "problem", problem, "serving", s.Generation)
		return true
	})
}

func (k *statusKeeper) unreachable(problem error) {
	k.change(func(s *PolicyStatus) bool {
		if s.Unreachable != nil && s.Unreachable.Problem == problem.Error() {
			return false
		}
		s.Unreachable = &PolicyProblem{Problem: problem.Error(), Since: time.Now()}
		k.log.Error("the source of the policy cannot be read", "problem", problem, "serving", s.Generation)
		return true
	})
}

// reached says that the source could be read.
func (k *statusKeeper) reached() {
	k.change(func(s *PolicyStatus) bool {
		news := s.Unreachable != nil
		if s.Unreachable = nil; news {
			k.log.Info("the source of the policy can be read again")
		}
		return news
	})
}

// withPolicy adds GET /health/policy, which says which policy serves. Neither
// /health nor /ready depends on it: a decision point whose policy is old is
// alive, and better than none.
func withPolicy(next http.Handler, a *activation) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /health/policy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.status.Status()) // whoever asked has gone
	})
	return mux
}
