package correlate

import (
	"cmp"
	"math"
	"slices"
)

// Alerts of one cause end together, when it is repaired; strangers end when they like. Once most of a
// group has ended this tells neighbours apart that began alike.
const (
	endWindow   = 240.0 // s in which the alerts of one cause end
	endShare    = 0.7   // of them that do
	endBase     = 3600. // s over which the end of a stranger is spread
	endMin      = 3.0   // alerts that must have ended together before the end counts
	endRounds   = 3
	endRareHits = 0.4 // share of the ended ones that must agree
)

// endings holds the end of each hypothesis; NaN: not known.
type endings []float64

// endGain is ln of how much better the end of a cell fits a hypothesis than a stranger.
func (e endings) gain(h int, c *cell) float64 {
	if math.IsNaN(e[h]) || c.end == 0 {
		return 0
	}
	if math.Abs(c.end-e[h]) <= endWindow/2+endGrid/2 {
		return c.weight * math.Log(endShare/endWindow*endBase)
	}
	return c.weight * math.Log(1-endShare)
}

// endGrid is the resolution of a cell's end.
const endGrid = 30.0 // s

// refine assigns cells by onset and end in turn, and explains what is left over by further causes.
func (p *problem) refine(chosen []hypothesis) ([]hypothesis, []int) {
	ends := make(endings, len(chosen))
	for i := range ends {
		ends[i] = math.NaN()
	}
	to := p.assign(chosen, ends)
	for range endRounds {
		ends = p.endsOf(len(chosen), to)
		next := p.assign(chosen, ends)
		if slices.Equal(next, to) {
			break
		}
		to = next
	}
	more := p.leftover(to)
	if len(more) == 0 {
		return chosen, to
	}
	chosen = append(chosen, more...)
	for range endRounds {
		ends = p.endsOf(len(chosen), p.assign(chosen, append(ends[:len(ends):len(ends)], nans(len(chosen)-len(ends))...)))
		to = p.assign(chosen, ends)
	}
	return chosen, to
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// leftover looks for causes among the cells that none explains.
func (p *problem) leftover(to []int) []hypothesis {
	weights := make([]float64, len(p.cells))
	rest := 0
	for i := range p.cells {
		weights[i] = p.cells[i].weight
		if to[i] >= 0 {
			p.cells[i].weight = 0
		} else {
			rest++
		}
	}
	var more []hypothesis
	if rest >= 2 {
		more = p.solve()
	}
	for i := range p.cells {
		p.cells[i].weight = weights[i]
	}
	return more
}

// endsOf finds for each hypothesis the window in which most of its alerts ended.
func (p *problem) endsOf(n int, to []int) endings {
	out := make(endings, n)
	type end struct{ at, weight float64 }
	by := make([][]end, n)
	for i, h := range to {
		if c := &p.cells[i]; h >= 0 && c.end != 0 {
			by[h] = append(by[h], end{c.end, c.weight})
		}
	}
	for h := range out {
		out[h] = math.NaN()
		slices.SortFunc(by[h], func(a, b end) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.weight, b.weight)) })
		var total, best float64
		for i, first := range by[h] {
			total += first.weight
			in := 0.0
			last := first.at
			for _, e := range by[h][i:] {
				if e.at-first.at > endWindow {
					break
				}
				in += e.weight
				last = e.at
			}
			if in > best {
				best, out[h] = in, (first.at+last)/2
			}
		}
		if best < endMin || best < endRareHits*total {
			out[h] = math.NaN()
		}
	}
	return out
}
