package correlate

import (
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/correlate/cause"
)

const maxRuledOut = 5

// ruledOut lists what has alerts or metrics that look guilty, and why it is not the cause.
func (v *view) ruledOut(i *Incident) []cause.RuledOut {
	if i.NoClearCause || len(i.Causes) == 0 {
		return nil // Nothing is ruled out where nothing is clear.
	}
	said := map[string]bool{i.Causes[0].Entity.Name: true}
	var out []cause.RuledOut
	add := func(r cause.RuledOut) {
		if r.Text != "" && !said[r.Entity] && len(out) < maxRuledOut {
			said[r.Entity] = true
			out = append(out, r)
		}
	}
	for _, c := range i.Causes[1:] {
		if c.Confidence < ruledOutBelow && v.hasAlerts(c.Entity.Name) {
			add(v.against(i, &c))
		}
	}
	if v.ranking != nil {
		for _, r := range v.ranking.RuledOut {
			add(r)
		}
	}
	return out
}

// ruledOutBelow is the confidence below which an entity with alerts of its own is said to be ruled out.
const ruledOutBelow = 0.1

func (v *view) hasAlerts(entity string) bool {
	return slices.ContainsFunc(v.g.items, func(it *item) bool { return v.s.world.v[it.vertex].ent.Name == entity })
}

// against is what speaks most against a candidate: its evidence, else how much less it explains than the first.
func (v *view) against(i *Incident, c *Cause) cause.RuledOut {
	out := cause.RuledOut{Entity: c.Entity.Name}
	for _, e := range c.Evidence {
		if !e.For {
			out.Text, out.Evidence = e.Text, []cause.Evidence{e}
			return out
		}
	}
	mine, first := covers(c), covers(&i.Causes[0])
	out.Evidence = slices.Concat(mine, first)
	out.Text = fmt.Sprintf("trouble at %s explains its alerts, and not the other way round", i.Causes[0].Entity.Name)
	if len(mine) > 0 && len(first) > 0 && mine[0].Value < first[0].Value {
		out.Text = fmt.Sprintf("it explains %.0f of %s, %s explains %.0f", mine[0].Value, v.signs(), i.Causes[0].Entity.Name, first[0].Value)
	}
	return out
}

// covers is the claim of how much a candidate explains.
func covers(c *Cause) []cause.Evidence {
	if n := slices.IndexFunc(c.Evidence, func(e cause.Evidence) bool { return e.Kind == "coverage" }); n >= 0 {
		return c.Evidence[n : n+1 : n+1]
	}
	return nil
}
