package correlate

import "math"

// cell is alerts that no hypothesis can tell apart: one vertex, class and onset on the grid.
type cell struct {
	vertex int
	class  class
	onset  float64 // seconds
	end    float64 // seconds, on a coarse grid; 0: not known, or it flaps
	weight float64
	bias   float64 // added to the gain; negative where the alert is expected anyway
	items  []int   // indices of the component's items
}

// cellsOf joins items that no hypothesis can tell apart, in the order of the first of each.
func cellsOf(items []*item, stand func(v int) int) []cell {
	type key struct {
		vertex  int
		class   class
		onset   float64
		end     float64
		bias    float64
		anomaly bool
	}
	at := map[key]int{}
	var cells []cell
	for i, it := range items {
		k := key{stand(it.vertex), it.class, math.Floor(it.onset/timeGrid) * timeGrid, it.endOnGrid(), it.bias, it.rec.Anomaly != nil}
		n, ok := at[k]
		if !ok {
			n = len(cells)
			at[k] = n
			cells = append(cells, cell{vertex: k.vertex, class: it.class, onset: k.onset, end: k.end, bias: it.bias})
			if it.class == classAdmin {
				cells[n].bias += lnAdmin
			}
		}
		w := 1.0
		if k.anomaly {
			w = anomalyShare
		}
		cells[n].weight += w
		cells[n].items = append(cells[n].items, i)
		it.cell = n
	}
	return cells
}

// standIns says which instance stands for another one in the search: what runs of one workload on one node and is no
// cause of its own, since many like it have alerts, is alike for every hypothesis. A storm of fifty thousand instances
// is searched as that of their five hundred workloads.
func (w *world) standIns(items []*item) func(v int) int {
	few := w.fewSiblings(items)
	joins := make([]bool, len(w.v)) // Fires together with something, by experience.
	for v := range w.v {
		for _, k := range w.v[v].kin {
			joins[v], joins[k.to] = true, true
		}
	}
	type place struct{ owner, host int }
	first := map[place]int{}
	return func(v int) int {
		x := &w.v[v]
		if x.level != levelPod || len(x.owners) != 1 || len(x.hosts) > 1 || x.shared || joins[v] || few(v) || w.loose(v) {
			return v
		}
		if len(x.volumes)+len(x.users)+len(x.callers)+len(x.callees)+len(x.guests)+len(x.members)+len(x.zones) > 0 {
			return v
		}
		p := place{x.owners[0], -1}
		if len(x.hosts) > 0 {
			p.host = x.hosts[0]
		}
		if _, ok := first[p]; !ok {
			first[p] = v
		}
		return first[p]
	}
}

// dampen counts alerts of one class at one workload and its instances, begun together, as little
// more than a few: a hundred web servers that fail at once are one observation, not a hundred.
func (p *problem) dampen(w *world) {
	type key struct {
		workload int
		class    class
		slot     float64
	}
	sum := map[key]float64{}
	of := make([]key, len(p.cells))
	for i := range p.cells {
		c := &p.cells[i]
		of[i] = key{c.vertex, c.class, math.Floor(c.onset / alikeWindow)}
		if x := &w.v[c.vertex]; x.level == levelPod && len(x.owners) > 0 {
			of[i].workload = x.owners[0]
		}
		sum[of[i]] += c.weight
	}
	for i := range p.cells {
		if s := sum[of[i]]; s > manyAlike {
			p.cells[i].weight *= manyAlike * (1 + math.Log(s/manyAlike)) / s
		}
	}
}

// endOnGrid is 0 for an alert that still fires or flaps: its last end is one of many.
func (it *item) endOnGrid() float64 {
	if it.end.IsZero() || len(it.at.Starts) >= 2*len(it.rec.Copies) {
		return 0
	}
	return math.Floor(seconds(it.end)/endGrid) * endGrid
}

const (
	manyAlike   = 4
	alikeWindow = 120.0              // s
	lnAdmin     = -2.302585092994046 // ln .1: housekeeping has to do with little
)
