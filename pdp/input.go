package pdp

import (
	"encoding/hex"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// inputFields is `input`: opa-envoy-plugin's members first, then remit's own.
// policies/schemas/input.json describes every member; a test holds both to
// the same names.
var inputFields = value.NewFields(
	value.Field[Case]{Name: "attributes", Read: func(c *Case) value.Value { return c.Envelope.Attributes }},
	value.Field[Case]{Name: "parsed_path", Read: func(c *Case) value.Value { return value.Strs(c.Request.Segments) }},
	value.Field[Case]{Name: "parsed_query", Read: func(c *Case) value.Value { return orEmpty(c.Request.Query) }},
	value.Field[Case]{Name: "parsed_body", Read: func(c *Case) value.Value { return orNull(c.Request.Body) }},
	value.Field[Case]{Name: "truncated_body", Read: func(c *Case) value.Value { return value.Of(c.Request.BodyState == BodyTruncated) }},
	value.Field[Case]{Name: "version", Read: func(*Case) value.Value { return pluginVersion }},

	value.Field[Case]{Name: "request", Read: func(c *Case) value.Value { return requestFields.In(&c.views.request, c) }},
	value.Field[Case]{Name: "agent", Read: func(c *Case) value.Value { return agentFields.In(&c.views.agent, c) }},
	value.Field[Case]{Name: "session", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Session) }},
	value.Field[Case]{Name: "task", Read: func(c *Case) value.Value { return orEmpty(c.Task) }},
	value.Field[Case]{Name: "action", Read: func(c *Case) value.Value { return actionFields.In(&c.views.action, c) }},
	value.Field[Case]{Name: "target", Read: func(c *Case) value.Value { return targetFields.In(&c.views.target, c) }},
	value.Field[Case]{Name: "memory", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Memory) }},
	value.Field[Case]{Name: "budgets", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Budgets) }},
	value.Field[Case]{Name: "time", Read: func(c *Case) value.Value { return timeFields.In(&c.views.time, &c.Now) }},
)

// views is room for the views that an input is made of, so that reading it
// makes nothing.
type views struct {
	input, request, agent, action, target, definition value.View[Case]
	source, destination                               value.View[Peer]
	rpc                                               value.View[RPC]
	time                                              value.View[time.Time]
	credential                                        value.View[shown]
	shown                                             shown
	digestOf                                          [32]byte
	digest                                            string // of digestOf; "" before it was asked for
	profileOf                                         string // an agent's id; "" before it was asked for
	profile                                           value.Value
}

func (v *views) show(p *Presented, now time.Time) *shown {
	v.shown = shown{p, now}
	return &v.shown
}

var pluginVersion = value.Obj(
	value.M("ext_authz", value.Str("v3")),
	value.M("encoding", value.Str("protojson")),
)

var requestFields = value.NewFields(
	value.Field[Case]{Name: "protocol", Read: func(c *Case) value.Value { return value.Str(string(c.Request.Protocol)) }},
	value.Field[Case]{Name: "binding", Read: func(c *Case) value.Value { return value.OptStr(string(c.Request.Binding)) }},
	value.Field[Case]{Name: "method", Read: func(c *Case) value.Value { return value.Str(c.Request.Method) }},
	value.Field[Case]{Name: "host", Read: func(c *Case) value.Value { return value.Str(c.Request.Host) }},
	value.Field[Case]{Name: "path", Read: func(c *Case) value.Value { return value.Str(c.Request.Path) }},
	value.Field[Case]{Name: "segments", Read: func(c *Case) value.Value { return value.Strs(c.Request.Segments) }},
	value.Field[Case]{Name: "query", Read: func(c *Case) value.Value { return orEmpty(c.Request.Query) }},
	value.Field[Case]{Name: "headers", Read: func(c *Case) value.Value { return orEmpty(c.Request.Headers) }},
	value.Field[Case]{Name: "body_state", Read: func(c *Case) value.Value { return value.Str(string(c.Request.BodyState)) }},
	value.Field[Case]{Name: "rpc", Read: func(c *Case) value.Value { return rpcFields.In(&c.views.rpc, c.Request.RPC) }},
	value.Field[Case]{Name: "id", Read: func(c *Case) value.Value { return value.OptStr(c.Request.ID) }},
	value.Field[Case]{Name: "source", Read: func(c *Case) value.Value { return peerFields.In(&c.views.source, &c.Request.Source) }},
	value.Field[Case]{Name: "destination", Read: func(c *Case) value.Value { return peerFields.In(&c.views.destination, &c.Request.Destination) }},
)

// peerFields shows no certificate: identity is `input.agent`'s to tell.
var peerFields = value.NewFields(
	value.Field[Peer]{Name: "address", Read: func(p *Peer) value.Value { return value.OptStr(p.Address) }},
	value.Field[Peer]{Name: "port", Read: func(p *Peer) value.Value { return value.Int(int64(p.Port)) }},
	value.Field[Peer]{Name: "principal", Read: func(p *Peer) value.Value { return value.OptStr(p.Principal) }},
)

var rpcFields = value.NewFields(
	value.Field[RPC]{Name: "method", Read: func(r *RPC) value.Value { return value.Str(r.Method) }},
	value.Field[RPC]{Name: "service", Read: func(r *RPC) value.Value { return value.OptStr(r.Service) }},
	value.Field[RPC]{Name: "streaming", Read: func(r *RPC) value.Value { return value.OptStr(r.Streaming) }},
	value.Field[RPC]{Name: "name", Read: func(r *RPC) value.Value { return value.OptStr(r.Name) }},
	value.Field[RPC]{Name: "revision", Read: func(r *RPC) value.Value { return value.OptStr(r.Revision) }},
	value.Field[RPC]{Name: "known", Read: func(r *RPC) value.Value { return value.Of(r.Known) }},
	value.Field[RPC]{Name: "notification", Read: func(r *RPC) value.Value { return value.Of(r.Notification) }},
	value.Field[RPC]{Name: "response", Read: func(r *RPC) value.Value { return value.Of(r.Response) }},
	value.Field[RPC]{Name: "params", Read: func(r *RPC) value.Value { return orEmpty(r.Params) }},
)

var agentFields = value.NewFields(
	value.Field[Case]{Name: "id", Read: func(c *Case) value.Value { return value.Str(c.Agent.ID) }},
	value.Field[Case]{Name: "issuer", Read: func(c *Case) value.Value { return value.OptStr(c.Agent.Issuer) }},
	value.Field[Case]{Name: "kind", Read: func(c *Case) value.Value { return value.Str(agentKind(&c.Agent)) }},
	value.Field[Case]{Name: "trust_domain", Read: func(c *Case) value.Value { return value.OptStr(c.Agent.TrustDomain) }},
	value.Field[Case]{Name: "owner", Read: func(c *Case) value.Value { return value.OptStr(c.Agent.Owner) }},
	value.Field[Case]{Name: "claims", Read: func(c *Case) value.Value { return orEmpty(c.Agent.Claims) }},
	value.Field[Case]{Name: "scopes", Read: func(c *Case) value.Value { return value.Strs(c.Agent.Scopes) }},
	value.Field[Case]{Name: "registered", Read: func(c *Case) value.Value { return value.Of(c.profile().Defined()) }},
	value.Field[Case]{Name: "profile", Read: func(c *Case) value.Value { return orEmpty(c.profile()) }},
	value.Field[Case]{Name: "chain", Read: func(c *Case) value.Value { return chainInput(c.Agent.Chain) }},
	value.Field[Case]{Name: "root", Read: func(c *Case) value.Value { return value.Str(c.Agent.Root().ID) }},
	value.Field[Case]{Name: "credential", Read: func(c *Case) value.Value {
		return credentialFields.In(&c.views.credential, c.views.show(&c.Agent.Credential, c.Now))
	}},
	value.Field[Case]{Name: "workload", Read: workloadInput},
	value.Field[Case]{Name: "activity", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Activity) }},
)

var actionFields = value.NewFields(
	value.Field[Case]{Name: "operation", Read: func(c *Case) value.Value { return value.Str(string(c.Action.operation())) }},
	value.Field[Case]{Name: "tool", Read: func(c *Case) value.Value { return value.Str(c.Action.Tool) }},
	value.Field[Case]{Name: "arguments", Read: func(c *Case) value.Value { return orEmpty(c.Action.Arguments) }},
	value.Field[Case]{Name: "digest", Read: func(c *Case) value.Value { return value.Str(c.shownDigest()) }},
)

var targetFields = value.NewFields(
	value.Field[Case]{Name: "id", Read: func(c *Case) value.Value { return value.Str(c.Action.Target.ID) }},
	value.Field[Case]{Name: "system", Read: func(c *Case) value.Value { return value.Str(c.Action.Target.System) }},
	value.Field[Case]{Name: "resource", Read: func(c *Case) value.Value { return value.Str(c.Action.Target.Resource) }},
	value.Field[Case]{Name: "environment", Read: func(c *Case) value.Value { return value.OptStr(c.Action.Target.Environment) }},
	value.Field[Case]{Name: "owner", Read: func(c *Case) value.Value { return value.OptStr(c.Action.Target.Owner) }},
	value.Field[Case]{Name: "sensitivity", Read: func(c *Case) value.Value { return value.Str(string(c.Action.Target.sensitivity())) }},
	value.Field[Case]{Name: "level", Read: func(c *Case) value.Value { return value.Int(int64(c.Action.Target.Sensitivity.Level())) }},
	value.Field[Case]{Name: "labels", Read: func(c *Case) value.Value { return value.Strs(c.Action.Target.Labels) }},
	value.Field[Case]{Name: "known", Read: func(c *Case) value.Value { return value.Of(c.Action.Target.Known) }},
	value.Field[Case]{Name: "definition", Read: func(c *Case) value.Value { return definitionFields.In(&c.views.definition, c) }},
	value.Field[Case]{Name: "new_to_session", Read: func(c *Case) value.Value { return value.Of(c.Snapshot.NewTarget) }},
)

// profile is the agent's entry in data.remit.agents, which may be many.
func (c *Case) profile() value.Value {
	if !c.Agent.Known() {
		return value.Nothing
	}
	if v := &c.views; v.profileOf != c.Agent.ID {
		v.profileOf, v.profile = c.Agent.ID, c.Generation.Agents.Get(c.Agent.ID)
	}
	return c.views.profile
}

// shownDigest is the action's digest as the policy sees it.
func (c *Case) shownDigest() string {
	if v := &c.views; v.digestOf != c.Action.Digest || v.digest == "" {
		var text [2 * len(v.digestOf)]byte
		hex.Encode(text[:], c.Action.Digest[:])
		v.digestOf, v.digest = c.Action.Digest, string(text[:])
	}
	return c.views.digest
}

func agentKind(a *Agent) string {
	if !a.Known() {
		return "none"
	}
	return a.Kind
}

func chainInput(chain []Principal) value.Value {
	items := make([]value.Value, len(chain))
	for i, p := range chain {
		items[i] = value.Obj(value.M("id", value.Str(p.ID)), value.M("issuer", value.OptStr(p.Issuer)))
	}
	return value.List(items...)
}

// shown is a credential at a moment. Ages are whole seconds and at least 0, so
// that a clock a little behind the issuer's reads as "just now".
type shown struct {
	*Presented
	now time.Time
}

// credentialFields is `input.agent.credential`.
var credentialFields = value.NewFields(
	value.Field[shown]{Name: "fingerprint", Read: func(s *shown) value.Value { return value.OptStr(s.Fingerprint) }},
	value.Field[shown]{Name: "kind", Read: func(s *shown) value.Value {
		if s.Fingerprint == "" {
			return value.Str("none")
		}
		return value.Str(s.Kind)
	}},
	value.Field[shown]{Name: "sender_bound", Read: func(s *shown) value.Value {
		if s.Fingerprint == "" {
			return value.Nothing
		}
		return value.Of(s.SenderBound)
	}},
	value.Field[shown]{Name: "age_seconds", Read: func(s *shown) value.Value {
		if s.Fingerprint == "" || s.IssuedAt.IsZero() {
			return value.Nothing
		}
		return seconds(s.now.Sub(s.IssuedAt))
	}},
	value.Field[shown]{Name: "expires_in_seconds", Read: func(s *shown) value.Value {
		if s.Fingerprint == "" || s.ExpiresAt.IsZero() {
			return value.Nothing
		}
		return seconds(s.ExpiresAt.Sub(s.now))
	}},
)

// workloadInput is `input.agent.workload`, which is there where one was proved.
func workloadInput(c *Case) value.Value {
	w := c.Agent.Workload
	if w == nil {
		return value.Nothing
	}
	return value.Obj(
		value.M("id", value.Str(w.ID)),
		value.M("trust_domain", value.Str(w.TrustDomain)),
		value.M("credential", credentialFields.Box(shown{&w.Credential, c.Now})),
	)
}

func seconds(d time.Duration) value.Value { return value.Int(int64(max(d, 0) / time.Second)) }

// timeFields is `input.time`: the moment of the decision, in UTC. It is the only
// clock a policy has.
var timeFields = value.NewFields(
	value.Field[time.Time]{Name: "now_ns", Read: func(t *time.Time) value.Value { return value.Int(t.UnixNano()) }},
	value.Field[time.Time]{Name: "unix", Read: func(t *time.Time) value.Value { return value.Int(t.Unix()) }},
	value.Field[time.Time]{Name: "date", Read: func(t *time.Time) value.Value { return value.Str(t.UTC().Format(time.DateOnly)) }},
	value.Field[time.Time]{Name: "weekday", Read: func(t *time.Time) value.Value { return value.Str(t.UTC().Weekday().String()) }},
	value.Field[time.Time]{Name: "hour", Read: func(t *time.Time) value.Value { return value.Int(int64(t.UTC().Hour())) }},
	value.Field[time.Time]{Name: "minute", Read: func(t *time.Time) value.Value { return value.Int(int64(t.UTC().Minute())) }},
)

// TimeInput is `input.time` of a moment.
func TimeInput(t time.Time) value.Value { return timeFields.Box(t) }

// operation spells an unset operation out as what it counts as.
func (a *Action) operation() Operation { return Operations[a.Operation.Index()] }

// sensitivity spells an unset sensitivity out as what it counts as.
func (t *Target) sensitivity() Sensitivity { return Sensitivities[t.Sensitivity.Level()] }

var (
	emptyObject = value.Obj()
	nullValue   = value.NullValue()
)

func orEmpty(v value.Value) value.Value {
	if !v.Defined() {
		return emptyObject
	}
	return v
}

func orNull(v value.Value) value.Value {
	if !v.Defined() {
		return nullValue
	}
	return v
}
