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

// maxContest bounds the comparing of causes with each other, in cells looked at: in a storm of hundreds of causes
// the last ones may keep a hypothesis of their own. Counted, not timed, so that the answer is the same everywhere.
const maxContest = 20_000_000

// contest compares chosen hypotheses with each other.
type contest struct {
	p      *problem
	w      *world
	chosen []hypothesis
	// best are the three largest gains of each cell under the chosen: enough to find one that is neither of a pair.
	best [][3]claim
	left int // of maxContest
}

// claim is what a hypothesis, by its place among the chosen, gains of a cell.
type claim struct {
	by   int
	gain float64
}

func (p *problem) contest(w *world, chosen []hypothesis) *contest {
	c := &contest{p: p, w: w, left: maxContest}
	c.set(chosen)
	return c
}

// set makes others the chosen ones.
func (c *contest) set(chosen []hypothesis) {
	c.chosen = chosen
	c.best = make([][3]claim, len(c.p.cells))
	for n, h := range chosen {
		r := &c.p.roots[h.root]
		c.left -= len(r.cells)
		for _, x := range r.cells {
			top := &c.best[x.cell]
			for k, g := 0, (claim{n, c.p.gain(x, h.start)}); k < len(top) && g.gain > 0; k++ {
				if g.gain > top[k].gain {
					top[k], g = g, top[k]
				}
			}
		}
	}
}

// dropVictims removes causes that are themselves victims: a root that an earlier cause troubles, with
// nothing broken of its own, whose alerts that cause explains as well. Such a hypothesis pays because
// the alerts of one tier rise and fall together, which rates that are independent do not foresee.
func (c *contest) dropVictims() {
	for {
		i := slices.IndexFunc(c.chosen, func(b hypothesis) bool {
			return slices.ContainsFunc(c.chosen, func(a hypothesis) bool { return c.isVictim(b, a) })
		})
		if i < 0 {
			return
		}
		c.set(slices.Delete(slices.Clone(c.chosen), i, i+1))
	}
}

// addHubs looks for roots that were not worth their cost while each of their victims had a hypothesis of
// its own: something broken there, and two chosen roots or more that it explains away.
func (c *contest) addHubs() {
	if len(c.chosen) < 2 {
		return
	}
	broken := c.broken()
	for i := range c.p.roots {
		start, ok := broken[i]
		if !ok || slices.ContainsFunc(c.chosen, func(h hypothesis) bool { return h.root == i }) {
			continue
		}
		hub := hypothesis{root: i, start: start}
		victims := 0
		for _, b := range c.chosen {
			if c.isVictim(b, hub) {
				victims++
			}
		}
		if victims >= 2 {
			c.set(append(slices.Clone(c.chosen), hub))
			c.dropVictims()
		}
	}
}

// broken is when the first alert at a root itself began that says that it is broken, by root.
func (c *contest) broken() map[int]float64 {
	at := map[int][]int{} // Vertex → cells at itself or at its parts.
	for n := range c.p.cells {
		cell := &c.p.cells[n]
		if !cell.class.intrinsic() {
			continue
		}
		x := &c.w.v[cell.vertex]
		for _, list := range [][]int{{cell.vertex}, x.owners, x.users, x.zones} {
			for _, v := range list {
				at[v] = append(at[v], n)
			}
		}
	}
	out := map[int]float64{}
	for i := range c.p.roots {
		r := &c.p.roots[i]
		if r.vertex < 0 || r.everyone {
			continue
		}
		first, ok := 0.0, false
		for _, n := range at[r.vertex] {
			if onset := c.p.cells[n].onset; (!ok || onset < first) && r.reaches(n) {
				first, ok = onset, true
			}
		}
		if ok {
			out[i] = math.Floor(first/startGrid) * startGrid
		}
	}
	return out
}

// reaches says that the root has to do with a cell.
func (r *root) reaches(cell int) bool {
	_, ok := slices.BinarySearchFunc(r.cells, cell, func(x reach, c int) int { return x.cell - c })
	return ok
}

// isVictim says that b is a victim of a.
func (c *contest) isVictim(b, a hypothesis) bool {
	p := c.p
	ra, rb := &p.roots[a.root], &p.roots[b.root]
	dt := b.start - a.start
	c.left--
	if a == b || ra.vertex < 0 || rb.vertex < 0 || ra.vertex == rb.vertex || dt < -victimBefore || dt > victimAfter || !ra.troubles(rb.vertex) {
		return false
	}
	if c.left -= len(ra.cells) + len(rb.cells); c.left < 0 {
		return false
	}
	var both, total float64
	k := 0
	for _, x := range rb.cells { // Both lists are in order of cells.
		for k < len(ra.cells) && ra.cells[k].cell < x.cell {
			k++
		}
		cell := &p.cells[x.cell]
		g := p.gain(x, b.start)
		if g <= 0 || c.better(x.cell, g, b, a) {
			continue
		}
		total += cell.weight
		if k < len(ra.cells) && ra.cells[k].cell == x.cell && p.gain(ra.cells[k], a.start) > 0 {
			both += cell.weight
		} else if cell.class.intrinsic() && c.w.within(cell.vertex, rb.vertex) {
			return false
		}
	}
	return total > 0 && both >= victimShare*total
}

// better says that a third hypothesis explains a cell more than b does.
func (c *contest) better(cell int, gain float64, b, a hypothesis) bool {
	for _, x := range c.best[cell] {
		if x.gain > gain && c.chosen[x.by] != a && c.chosen[x.by] != b {
			return true
		}
	}
	return false
}

// troubles says that the root predicts errors, latency or lost instances at a vertex.
func (r *root) troubles(v int) bool {
	i, _ := slices.BinarySearchFunc(r.exp, v, func(e expected, v int) int { return int(e.vertex) - v })
	for _, e := range r.exp[i:] {
		if int(e.vertex) != v {
			break
		}
		if e.lambda >= victimRate && (e.class == classError || e.class == classLatency || e.class == classPod) {
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
