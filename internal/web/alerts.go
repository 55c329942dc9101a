package web

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// Bounds of the alerts of a page, so that one of 10 000 stays readable and quick.
const (
	maxGroupAlerts = 50
	openAlerts     = 12
)

type labelPair struct{ Name, Value string }

type alertView struct {
	State  string
	Start  time.Time
	Labels []labelPair
	own    model.LabelSet
}

type groupView struct {
	Name           string
	Common         []labelPair // What all its alerts share, said once.
	Alerts         []alertView
	Firing, Hidden int
	Open           bool
}

// groups sorts the alerts under their names, the largest group first; the first is open when it is
// short. Labels that all alerts of a group share are said once.
func groups(inc *correlate.Incident) []groupView {
	byName := map[string]*groupView{}
	common := map[string]model.LabelSet{}
	var order []string
	for i := range inc.Alerts {
		m := &inc.Alerts[i]
		name := string(m.Labels[model.AlertNameLabel])
		g := byName[name]
		if g == nil {
			g = &groupView{Name: name}
			byName[name], common[name] = g, m.Labels.Clone()
			order = append(order, name)
		}
		for k, v := range common[name] {
			if m.Labels[k] != v {
				delete(common[name], k)
			}
		}
		if m.Status == correlate.StateFiring {
			g.Firing++
		}
		if len(g.Alerts) == maxGroupAlerts {
			g.Hidden++
			continue
		}
		g.Alerts = append(g.Alerts, alertView{State: m.Status, Start: m.StartsAt, own: m.Labels})
	}
	out := make([]groupView, 0, len(order))
	for _, name := range order {
		g := byName[name]
		if len(g.Alerts) == 1 {
			common[name] = model.LabelSet{} // A single alert has its labels in its row.
		}
		for i := range g.Alerts {
			g.Alerts[i].Labels = pairs(without(g.Alerts[i].own, common[name], inc.Shared))
		}
		g.Common = pairs(without(common[name], inc.Shared))
		out = append(out, *g)
	}
	slices.SortStableFunc(out, func(a, b groupView) int { return len(b.Alerts) + b.Hidden - len(a.Alerts) - a.Hidden })
	if len(out) > 0 && len(out[0].Alerts) <= openAlerts {
		out[0].Open = true
	}
	return out
}

// Total is how many alerts the group has.
func (g groupView) Total() int { return len(g.Alerts) + g.Hidden }

// without is ls less its name and what any of the sets says too.
func without(ls model.LabelSet, sets ...model.LabelSet) model.LabelSet {
	out := ls.Clone()
	delete(out, model.AlertNameLabel)
	for _, set := range sets {
		for k := range set {
			delete(out, k)
		}
	}
	return out
}

func pairs(ls model.LabelSet) []labelPair {
	out := make([]labelPair, 0, len(ls))
	for k, v := range ls {
		out = append(out, labelPair{string(k), string(v)})
	}
	slices.SortFunc(out, func(a, b labelPair) int { return strings.Compare(a.Name, b.Name) })
	return out
}
