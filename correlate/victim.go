package correlate

import (
	"math"
	"slices"
)

// Constants of the removal of victims.
const (
	victimRate   = 0.3   // at least that sure is the earlier cause to trouble the root
	victimShare  = 0.85  // of the weight that both explain
	victimBefore = 30.0  // s that the victim may seem to be ahead
	victimAfter  = 240.0 // s that it may be behind
)

// dropVictims removes causes that are themselves victims: a root that an earlier cause troubles, with
// nothing broken of its own, whose alerts that cause explains as well. Such a hypothesis pays because
// the alerts of one tier rise and fall together, which rates that are independent do not foresee.
func (p *problem) dropVictims(w *world, chosen []hypothesis) []hypothesis {
	for {
		i := slices.IndexFunc(chosen, func(b hypothesis) bool {
			return slices.ContainsFunc(chosen, func(a hypothesis) bool { return p.isVictim(w, b, a, chosen) })
		})
		if i < 0 {
			return chosen
		}
		chosen = slices.Delete(slices.Clone(chosen), i, i+1)
	}
}

// addHubs looks for roots that were not worth their cost while each of their victims had a hypothesis of
// its own: something broken there, and two chosen roots or more that it explains away.
func (p *problem) addHubs(w *world, chosen []hypothesis) []hypothesis {
	if len(chosen) < 2 {
		return chosen
	}
	for i := range p.roots {
		start, ok := p.brokenSince(w, &p.roots[i])
		if !ok || slices.ContainsFunc(chosen, func(h hypothesis) bool { return h.root == i }) {
			continue
		}
		hub := hypothesis{root: i, start: start}
		with := append(slices.Clone(chosen), hub)
		victims := 0
		for _, b := range chosen {
			if p.isVictim(w, b, hub, with) {
				victims++
			}
		}
		if victims >= 2 {
			chosen = p.dropVictims(w, with)
		}
	}
	return chosen
}

// brokenSince is when the first alert at the root itself began that says that it is broken.
func (p *problem) brokenSince(w *world, r *root) (float64, bool) {
	first, ok := 0.0, false
	if r.vertex < 0 || r.everyone {
		return 0, false
	}
	for _, x := range r.cells {
		c := &p.cells[x.cell]
		if c.class.intrinsic() && w.within(c.vertex, r.vertex) && (!ok || c.onset < first) {
			first, ok = c.onset, true
		}
	}
	return math.Floor(first/startGrid) * startGrid, ok
}

func (p *problem) isVictim(w *world, b, a hypothesis, chosen []hypothesis) bool {
	ra, rb := &p.roots[a.root], &p.roots[b.root]
	dt := b.start - a.start
	if a == b || ra.vertex < 0 || rb.vertex < 0 || ra.vertex == rb.vertex || dt < -victimBefore || dt > victimAfter || !ra.troubles(rb.vertex) {
		return false
	}
	gainA := map[int]float64{}
	for _, x := range ra.cells {
		gainA[x.cell] = p.gain(x, a.start)
	}
	var both, total float64
	for _, x := range rb.cells {
		c := &p.cells[x.cell]
		if g := p.gain(x, b.start); g <= 0 || p.better(x.cell, g, b, a, chosen) {
			continue
		}
		total += c.weight
		if gainA[x.cell] > 0 {
			both += c.weight
		} else if c.class.intrinsic() && w.within(c.vertex, rb.vertex) {
			return false
		}
	}
	return total > 0 && both >= victimShare*total
}

// better says that a third hypothesis explains a cell more than b does.
func (p *problem) better(cell int, gain float64, b, a hypothesis, chosen []hypothesis) bool {
	for _, h := range chosen {
		if h == a || h == b {
			continue
		}
		r := &p.roots[h.root]
		if i, ok := slices.BinarySearchFunc(r.cells, cell, func(x reach, c int) int { return x.cell - c }); ok && p.gain(r.cells[i], h.start) > gain {
			return true
		}
	}
	return false
}

// troubles says that the root predicts errors, latency or lost instances at a vertex.
func (r *root) troubles(v int) bool {
	for _, e := range r.exp {
		if e.vertex == v && e.lambda >= victimRate && (e.class == classError || e.class == classLatency || e.class == classPod) {
			return true
		}
	}
	return false
}

// intrinsic classes say that something is broken there, not that it suffers.
func (c class) intrinsic() bool {
	switch c {
	case classCause, classPod, classNode, classDNS, classNetwork:
		return true
	}
	return false
}
