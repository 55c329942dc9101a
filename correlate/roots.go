package correlate

import (
	"cmp"
	"math"
	"slices"
)

// alertsAt is the cells at each vertex; empty: it has no alert.
type alertsAt [][]int

func (p *problem) alertsAt(w *world) alertsAt {
	count := make([]int, len(w.v))
	for i := range p.cells {
		count[p.cells[i].vertex]++
	}
	all := make([]int, 0, len(p.cells))
	out := make(alertsAt, len(w.v))
	for v, n := range count {
		if n > 0 {
			out[v], all = all[len(all):len(all):len(all)+n], all[:len(all)+n]
		}
	}
	for i := range p.cells {
		v := p.cells[i].vertex
		out[v] = append(out[v], i)
	}
	return out
}

// rootsOf is every vertex that could be the cause of some item, what they predict and their cells.
func rootsOf(w *world, p *problem, items []*item) []root {
	at := p.alertsAt(w)
	seen := seenKinds(w, p.cells)
	r := newRates(w)
	var roots []root
	add := func(x root) {
		n := 0
		for _, e := range x.exp {
			n += len(at[e.vertex])
		}
		if n == 0 {
			return
		}
		x.cells = make([]reach, 0, n)
		for _, e := range x.exp {
			if seen[w.v[e.vertex].level][e.class] {
				x.sum += e.lambda
			}
			for _, c := range at[e.vertex] {
				if p.cells[c].class == e.class {
					x.cells = append(x.cells, reach{c, math.Log(e.lambda), e.row})
				}
			}
		}
		if len(x.cells) == 0 {
			return
		}
		slices.SortFunc(x.cells, func(a, b reach) int { return cmp.Compare(a.cell, b.cell) })
		x.cost += causeCost + absentCost*x.sum
		roots = append(roots, x)
	}
	for _, v := range w.plausible(at, w.fewSiblings(items)) {
		x := root{vertex: v, ent: w.v[v].ent, exp: r.of(v)}
		if w.v[v].level == levelZone {
			x.cost += zoneCost
		}
		add(x)
		if w.v[v].level == levelService && p.hasTraffic(w, at, v) {
			add(root{vertex: v, ent: w.v[v].ent, exp: r.load(v), load: true})
		}
		if w.v[v].level == levelService && w.v[v].shared {
			add(root{vertex: v, ent: w.v[v].ent, exp: r.everything(v), everyone: true, cost: everyCost})
		}
	}
	for _, x := range scopes(w, p.cells, items) {
		x.cost += causeCost + scopeCost
		roots = append(roots, x)
	}
	return roots
}

// hasTraffic says whether a service or an instance of it shows that more or fewer requests come in.
func (p *problem) hasTraffic(w *world, at alertsAt, v int) bool {
	traffic := func(x int) bool {
		return slices.ContainsFunc(at[x], func(c int) bool { return p.cells[c].class == classTraffic })
	}
	return traffic(v) || slices.ContainsFunc(w.v[v].pods, traffic)
}

// seenKinds marks the kinds of alerts that exist here: where nobody has an alert on a pod's latency,
// its absence says nothing.
func seenKinds(w *world, cells []cell) [numLevels][numClasses]bool {
	var seen [numLevels][numClasses]bool
	for i := range cells {
		seen[w.v[cells[i].vertex].level][cells[i].class] = true
	}
	return seen
}

// plausible returns the vertices from which trouble may have reached a vertex that has alerts, in order.
func (w *world) plausible(at alertsAt, few func(v int) bool) []int {
	marked, services := make([]bool, len(w.v)), make([]bool, len(w.v))
	for v := range w.v {
		if len(at[v]) == 0 {
			continue
		}
		if w.v[v].level != levelPod || few(v) {
			marked[v] = true
		}
		if w.v[v].level == levelService {
			services[v] = true
		}
		for _, s := range w.v[v].owners {
			services[s] = true
		}
		for _, u := range w.v[v].users {
			marked[u] = true
			for _, s := range w.v[u].owners {
				services[s] = true
			}
		}
	}
	for _, next := range []func(*vertex) []link{
		func(x *vertex) []link { return x.callees }, func(x *vertex) []link { return x.callers },
	} {
		front := indices(services)
		reached := make([]bool, len(w.v))
		for hops := 0; hops <= callHops; hops++ {
			var far []int
			for _, v := range front {
				if reached[v] {
					continue
				}
				reached[v], marked[v] = true, true
				for _, l := range next(&w.v[v]) {
					far = append(far, l.to)
				}
			}
			front = far
		}
	}
	for v := range w.v {
		if x := &w.v[v]; x.level == levelNode || x.level == levelZone || x.shared {
			marked[v] = true
		}
	}
	return indices(marked)
}

func indices(set []bool) []int {
	var out []int
	for i, in := range set {
		if in {
			out = append(out, i)
		}
	}
	return out
}

// fewSiblings says of an instance that it may be the cause on its own: most like it are well.
func (w *world) fewSiblings(items []*item) func(v int) bool {
	ill := make([]bool, len(w.v)) // Has alerts.
	for _, it := range items {
		ill[it.vertex] = true
	}
	many := make(map[int]bool) // Workloads many of whose instances have alerts, or that have only one.
	manyOf := func(s int) bool {
		out, known := many[s]
		if !known {
			sick := 0
			for _, p := range w.v[s].pods {
				if ill[p] {
					sick++
				}
			}
			out = len(w.v[s].pods) == 1 || sick > max(2, len(w.v[s].pods)*3/10) // The only instance is the workload.
			many[s] = out
		}
		return out
	}
	return func(v int) bool { return !slices.ContainsFunc(w.v[v].owners, manyOf) }
}
