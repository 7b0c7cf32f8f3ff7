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

	value.Field[Case]{Name: "request", Read: func(c *Case) value.Value { return requestFields.Of(&c.Request) }},
	value.Field[Case]{Name: "agent", Read: func(c *Case) value.Value { return agentFields.Of(c) }},
	value.Field[Case]{Name: "session", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Session) }},
	value.Field[Case]{Name: "task", Read: func(c *Case) value.Value { return orEmpty(c.Task) }},
	value.Field[Case]{Name: "action", Read: func(c *Case) value.Value { return actionFields.Of(&c.Action) }},
	value.Field[Case]{Name: "target", Read: func(c *Case) value.Value { return targetFields.Of(c) }},
	value.Field[Case]{Name: "memory", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Memory) }},
	value.Field[Case]{Name: "budgets", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Budgets) }},
	value.Field[Case]{Name: "time", Read: func(c *Case) value.Value { return TimeInput(c.Now) }},
)

var pluginVersion = value.Obj(
	value.M("ext_authz", value.Str("v3")),
	value.M("encoding", value.Str("protojson")),
)

var requestFields = value.NewFields(
	value.Field[Request]{Name: "protocol", Read: func(r *Request) value.Value { return value.Str(string(r.Protocol)) }},
	value.Field[Request]{Name: "binding", Read: func(r *Request) value.Value { return value.OptStr(string(r.Binding)) }},
	value.Field[Request]{Name: "method", Read: func(r *Request) value.Value { return value.Str(r.Method) }},
	value.Field[Request]{Name: "host", Read: func(r *Request) value.Value { return value.Str(r.Host) }},
	value.Field[Request]{Name: "path", Read: func(r *Request) value.Value { return value.Str(r.Path) }},
	value.Field[Request]{Name: "segments", Read: func(r *Request) value.Value { return value.Strs(r.Segments) }},
	value.Field[Request]{Name: "query", Read: func(r *Request) value.Value { return orEmpty(r.Query) }},
	value.Field[Request]{Name: "headers", Read: func(r *Request) value.Value { return orEmpty(r.Headers) }},
	value.Field[Request]{Name: "body_state", Read: func(r *Request) value.Value { return value.Str(string(r.BodyState)) }},
	value.Field[Request]{Name: "rpc", Read: func(r *Request) value.Value { return rpcFields.Of(r.RPC) }},
	value.Field[Request]{Name: "id", Read: func(r *Request) value.Value { return value.OptStr(r.ID) }},
	value.Field[Request]{Name: "source", Read: func(r *Request) value.Value { return peerFields.Of(&r.Source) }},
	value.Field[Request]{Name: "destination", Read: func(r *Request) value.Value { return peerFields.Of(&r.Destination) }},
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
	value.Field[Case]{Name: "credential", Read: func(c *Case) value.Value { return credentialInput(&c.Agent.Credential, c.Now) }},
	value.Field[Case]{Name: "workload", Read: workloadInput},
	value.Field[Case]{Name: "activity", Read: func(c *Case) value.Value { return orEmpty(c.Snapshot.Activity) }},
)

var actionFields = value.NewFields(
	value.Field[Action]{Name: "operation", Read: func(a *Action) value.Value { return value.Str(string(a.operation())) }},
	value.Field[Action]{Name: "tool", Read: func(a *Action) value.Value { return value.Str(a.Tool) }},
	value.Field[Action]{Name: "arguments", Read: func(a *Action) value.Value { return orEmpty(a.Arguments) }},
	value.Field[Action]{Name: "digest", Read: func(a *Action) value.Value { return value.Str(hex.EncodeToString(a.Digest[:])) }},
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
	value.Field[Case]{Name: "definition", Read: definitionInput},
	value.Field[Case]{Name: "new_to_session", Read: func(c *Case) value.Value { return value.Of(c.Snapshot.NewTarget) }},
)

// profile is the agent's entry in data.remit.agents.
func (c *Case) profile() value.Value {
	if !c.Agent.Known() {
		return value.Nothing
	}
	return c.Generation.Agents.Get(c.Agent.ID)
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

// credentialInput is `input.agent.credential`. Ages are whole seconds and at
// least 0, so that a clock a little behind the issuer's reads as "just now".
func credentialInput(p *Presented, now time.Time) value.Value {
	if p.Fingerprint == "" {
		return value.Obj(value.M("kind", value.Str("none")))
	}
	members := []value.Member{
		value.M("fingerprint", value.Str(p.Fingerprint)),
		value.M("kind", value.Str(p.Kind)),
		value.M("sender_bound", value.Of(p.SenderBound)),
	}
	if !p.IssuedAt.IsZero() {
		members = append(members, value.M("age_seconds", seconds(now.Sub(p.IssuedAt))))
	}
	if !p.ExpiresAt.IsZero() {
		members = append(members, value.M("expires_in_seconds", seconds(p.ExpiresAt.Sub(now))))
	}
	return value.Obj(members...)
}

// workloadInput is `input.agent.workload`, which is there where one was proved.
func workloadInput(c *Case) value.Value {
	w := c.Agent.Workload
	if w == nil {
		return value.Nothing
	}
	return value.Obj(
		value.M("id", value.Str(w.ID)),
		value.M("trust_domain", value.Str(w.TrustDomain)),
		value.M("credential", credentialInput(&w.Credential, c.Now)),
	)
}

func seconds(d time.Duration) value.Value { return value.Int(int64(max(d, 0) / time.Second)) }

// TimeInput is `input.time`: the moment of the decision, in UTC. It is the only
// clock a policy has.
func TimeInput(t time.Time) value.Value {
	t = t.UTC()
	return value.Obj(
		value.M("now_ns", value.Int(t.UnixNano())),
		value.M("unix", value.Int(t.Unix())),
		value.M("date", value.Str(t.Format(time.DateOnly))),
		value.M("weekday", value.Str(t.Weekday().String())),
		value.M("hour", value.Int(int64(t.Hour()))),
		value.M("minute", value.Int(int64(t.Minute()))),
	)
}

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
