package compiled

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ir"
)

// compiler compiles one [ir.Policy].
type compiler struct {
	policy  *ir.Policy
	program *Program
	planned map[string]*ir.Func
	// varies names the functions whose results may differ between evaluations
	// on the same data.
	varies   map[string]bool
	variants map[string]*function
	slots    map[path]int
	// dynamic finds functions at run time: plainly, and where data is replaced.
	dynamic [2]*mapping
	// readsData says that an evaluation may ask for data as a whole; statements
	// that read a part of it have that part.
	readsData bool
	strict    bool
	problem   *Unplanned
}

// Unplanned says what of a policy this engine cannot do, and where it stands.
type Unplanned struct {
	File string // "" where that is not known
	Line int
	Text string
}

func (u *Unplanned) Error() string { return u.Text }

// fail gives the policy up, because of a statement.
func (c *compiler) fail(at *ir.Location, format string, args ...any) {
	if c.problem != nil {
		return
	}
	u := &Unplanned{Text: fmt.Sprintf(format, args...)}
	if at != nil {
		where := c.location(*at)
		u.File, u.Line = where.File, where.Row
	}
	c.problem = u
}

func (c *compiler) text(i int) string { return c.policy.Static.Strings[i].Value }

// assemble compiles a plan over data.
func assemble(policy *ir.Policy, data val, o Options) (*Program, error) {
	p := &Program{data: seal(data), limits: o.Limits}
	c := &compiler{
		policy: policy, program: p, planned: make(map[string]*ir.Func), variants: make(map[string]*function),
		slots: make(map[path]int), strict: o.Strict,
	}
	for _, planned := range policy.Funcs.Funcs {
		planned.Blocks = tidy(flatten(planned.Blocks))
		c.planned[planned.Name] = planned
	}
	c.varies = c.varying()
	c.inline()
	p.runs.New = func() any { return newRun(p) }
	for _, plan := range policy.Plans.Plans {
		f := &fn{compiler: c}
		p.plans = append(p.plans, f.compile(plan.Blocks))
	}
	if len(o.Clock) > 0 {
		p.clock = c.reader(pathOf(o.Clock))
	}
	c.link()
	p.paths = len(c.slots)
	if c.problem != nil {
		return nil, c.problem
	}
	if !c.readsData {
		p.data = val{} // what no statement has is let go
	}
	return p, nil
}

// link fills the tables of functions that are found at run time.
func (c *compiler) link() {
	for linked := [2]bool{}; ; {
		todo := false
		for general, table := range c.dynamic {
			if table == nil || linked[general] {
				continue
			}
			linked[general], todo = true, true
			for _, planned := range c.policy.Funcs.Funcs {
				if planned.Path != nil {
					table.put(planned.Path, c.variant(planned, general == 1, nil))
				}
			}
		}
		if !todo {
			return
		}
	}
}

// dynamicTable is the table that calls find functions in.
func (c *compiler) dynamicTable(general bool) *mapping {
	i := 0
	if general {
		i = 1
	}
	if c.dynamic[i] == nil {
		c.dynamic[i] = &mapping{}
	}
	return c.dynamic[i]
}
