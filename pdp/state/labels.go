package state

import (
	"slices"
	"strings"
)

// Labels are sorted by name.
type Labels []Label

// Label is a label, and how the session got it.
type Label struct {
	Name   string
	At     int64
	Seq    uint64 // of the action
	Source string // the target that gave it, or "policy", "outcome"
}

func (l Labels) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l, name, func(l Label, name string) int { return strings.Compare(l.Name, name) })
}

func (l Labels) have(name string) bool {
	_, has := l.find(name)
	return has
}

func (l *Labels) remove(name string) {
	if i, has := l.find(name); has {
		*l = slices.Delete(*l, i, i+1)
	}
}

// add adds a label that is not there yet. Beyond the bound it is one that says
// that there were more, and how the latest of them came in.
func (l *Labels) add(label Label) {
	i, has := l.find(label.Name)
	if has {
		return
	}
	if len(*l) >= maxLabels {
		label.Name = LabelOverflow
		i, has = l.find(label.Name)
	}
	label.Name, label.Source = strings.Clone(label.Name), strings.Clone(label.Source)
	if has {
		(*l)[i] = label
		return
	}
	*l = slices.Insert(*l, i, label)
}

// merge goes by name, so that replaying finds the same ones beyond the bound.
func (l *Labels) merge(from Labels) {
	for _, label := range from {
		l.add(label)
	}
}

func codeLabel(c *coder, l *Label) {
	word(c, &l.Name)
	c.moment(&l.At)
	c.uint(&l.Seq)
	word(c, &l.Source)
}
