package correlate

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemark/tidemark/correlate/topology"
)

// Constants of the search; see docs/correlation.md.
const (
	lnNoise      = -12.716898269296165 // ln 3e-6 per second: how often an unrelated alert begins
	causeCost    = 15.0                // what a further cause costs
	absentCost   = 0.1                 // per expected alert, in the grouping
	zoneCost     = 6.0                 // more for a zone
	everyCost    = 12.0                // more for a cause that explains everything
	scopeCost    = 4.0                 // more for a group that only labels speak for
	anomalyShare = 0.5                 // weight of an anomaly against an alert
	startGrid    = 15.0                // s
)

// root is a possible cause with what it predicts.
type root struct {
	vertex   int
	everyone bool   // predicts for everything
	load     bool   // predicts what more or fewer requests do, not what trouble does
	scope    string // a label pair, for alerts that have no place in the graph
	ent      topology.Entity
	exp      []expected
	sum      float64 // of lambda, over kinds of alerts that are seen at all
	cost     float64
	cells    []reach // the cells it has to do with, by cell
}

// reach is a cell under a root: ln(lambda) and the row of the density.
type reach struct {
	cell   int
	lambda float64
	row    uint8
}

// hypothesis is a root with a start.
type hypothesis struct {
	root  int
	start float64
	net   float64 // gain over the others, less its cost
}

// problem is one stretch of alerts to be explained.
type problem struct {
	cells []cell
	roots []root
	dens  *densities
	work  int // gains that were computed
}

// maxWork bounds the exchange, in gains computed (some 40 million a second): beyond it causes are still added
// greedily. Counted, not timed, so that the answer is the same everywhere.
const maxWork = 80_000_000

// gain of a cell under a root that starts at start; not positive when it explains nothing.
func (p *problem) gain(x reach, start float64) float64 {
	c := &p.cells[x.cell]
	d, ok := p.dens.at(c.onset-start, x.row)
	if !ok {
		return -math.MaxFloat64
	}
	return c.weight * (x.lambda + d - lnNoise + c.bias)
}

// marginal is what hypothesis (r, start) adds to the gains already had.
func (p *problem) marginal(r *root, start float64, have []float64) float64 {
	total := -r.cost
	p.work += len(r.cells)
	for _, x := range r.cells {
		if g := p.gain(x, start) - have[x.cell]; g > 0 {
			total += g
		}
	}
	return total
}

// starts of a root: the onsets of its cells on the grid.
func (p *problem) starts(r *root) []float64 {
	out := make([]float64, 0, len(r.cells))
	for _, x := range r.cells {
		out = append(out, math.Floor(p.cells[x.cell].onset/startGrid)*startGrid)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// candidates are all hypotheses that pay on their own, best first. Their gains are upper bounds for
// what they add to others (more hypotheses never make one worth more).
func (p *problem) candidates() []hypothesis {
	none := make([]float64, len(p.cells))
	var out []hypothesis
	for i := range p.roots {
		r := &p.roots[i]
		if p.bound(r) <= 0 {
			continue
		}
		for _, s := range p.starts(r) {
			if n := p.marginal(r, s, none); n > 0 {
				out = append(out, hypothesis{i, s, n})
			}
		}
	}
	slices.SortFunc(out, func(a, b hypothesis) int {
		return cmp.Or(cmp.Compare(b.net, a.net), cmp.Compare(a.start, b.start), cmp.Compare(a.root, b.root))
	})
	return out
}

// bound is what a root could gain at best, whatever its start.
func (p *problem) bound(r *root) float64 {
	total := -r.cost
	for _, x := range r.cells {
		c := &p.cells[x.cell]
		peak, _ := p.dens.at(0, x.row)
		if g := c.weight * (x.lambda + peak - lnNoise + c.bias); g > 0 {
			total += g
		}
	}
	return total
}

const (
	maxCauses   = 500 // hypotheses of one stretch
	maxExchange = 16  // neighbours in time that are looked at again after each addition
)

// solve chooses the smallest set of hypotheses that explains the cells: greedy additions, and after
// each one every neighbour in time is replaced by its best substitute or dropped. This is
// uncapacitated facility location; greedy with exchange is its usual heuristic.
func (p *problem) solve() []hypothesis {
	cand := p.candidates()
	bound := make([]float64, len(cand))
	reset := func() {
		for i := range cand {
			bound[i] = cand[i].net
		}
	}
	reset()
	var chosen []hypothesis
	have := make([]float64, len(p.cells))
	for len(chosen) < maxCauses {
		p.cover(chosen, -1, have)
		h, ok := p.bestLazy(cand, bound, have)
		if !ok {
			break
		}
		chosen = append(chosen, h)
		var changed bool
		if chosen, changed = p.exchange(chosen, h, cand, have); changed {
			reset() // What was covered may not be any more: old bounds do not hold.
		}
	}
	slices.SortFunc(chosen, func(a, b hypothesis) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.root, b.root))
	})
	return chosen
}

// bestLazy is best with bounds that are kept from one addition to the next: adding hypotheses never
// makes another one worth more (Minoux, 1978).
func (p *problem) bestLazy(cand []hypothesis, bound, have []float64) (hypothesis, bool) {
	var top hypothesis
	ok := false
	for i, h := range cand {
		if bound[i] <= 1e-9 || ok && bound[i] <= top.net {
			continue
		}
		bound[i] = p.marginal(&p.roots[h.root], h.start, have)
		if bound[i] > 1e-9 && (!ok || bound[i] > top.net) {
			top, ok = hypothesis{h.root, h.start, bound[i]}, true
		}
	}
	return top, ok
}

// exchange looks again at the chosen hypotheses around the one just added; true when any changed.
func (p *problem) exchange(chosen []hypothesis, added hypothesis, cand []hypothesis, have []float64) ([]hypothesis, bool) {
	any := false
	for range 3 {
		if p.work > maxWork {
			break
		}
		changed := false
		looked := 0
		for i := 0; i < len(chosen) && looked < maxExchange; i++ {
			if math.Abs(chosen[i].start-added.start) > reachBefore+reachAfter {
				continue
			}
			looked++
			p.cover(chosen, i, have)
			now := p.marginal(&p.roots[chosen[i].root], chosen[i].start, have)
			h, ok := p.bestNear(cand, chosen[i].start, now, have)
			switch {
			case now <= 0 && !ok:
				chosen = slices.Delete(chosen, i, i+1)
				i--
				changed = true
			case ok:
				chosen[i] = h
				changed = true
			}
		}
		if !changed {
			break
		}
		any = true
	}
	return chosen, any
}

// bestNear is the candidate near a time that adds most to have, if it adds more than least.
func (p *problem) bestNear(cand []hypothesis, start, least float64, have []float64) (hypothesis, bool) {
	var top hypothesis
	top.net = max(least, 0) + 1e-9
	ok := false
	for _, h := range cand {
		if h.net <= top.net {
			break // Sorted by upper bound: nothing better follows.
		}
		if math.Abs(h.start-start) > reachBefore+reachAfter {
			continue
		}
		if n := p.marginal(&p.roots[h.root], h.start, have); n > top.net {
			top, ok = hypothesis{h.root, h.start, n}, true
		}
	}
	return top, ok
}

// cover is the gains of the cells under the chosen hypotheses, without one (or -1).
func (p *problem) cover(chosen []hypothesis, without int, have []float64) {
	clear(have)
	for i, h := range chosen {
		if i == without {
			continue
		}
		for _, x := range p.roots[h.root].cells {
			if g := p.gain(x, h.start); g > have[x.cell] {
				have[x.cell] = g
			}
		}
	}
}

// assign gives each cell to the hypothesis of largest gain, or -1.
func (p *problem) assign(chosen []hypothesis, ends endings) []int {
	to := make([]int, len(p.cells))
	have := make([]float64, len(p.cells))
	for i := range to {
		to[i] = -1
	}
	for i, h := range chosen {
		for _, x := range p.roots[h.root].cells {
			if g := p.gain(x, h.start) + ends.gain(i, &p.cells[x.cell]); g > have[x.cell] {
				have[x.cell], to[x.cell] = g, i
			}
		}
	}
	return to
}
