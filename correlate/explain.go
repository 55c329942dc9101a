package correlate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tidemark/tidemark/correlate/topology"
)

// item is one firing stretch of one alert (or anomaly): what is grouped.
type item struct {
	rec    *record
	at     span // of the record when it was explained
	start  time.Time
	end    time.Time // zero: firing
	hold   time.Duration
	vertex int
	cell   int // of its stretch
	class  class
	onset  float64 // Unix seconds: start less the rule's `for:`
	bias   float64
}

// group is the items that one cause explains; alone is set when nothing does.
type group struct {
	items  []*item
	start  float64
	alone  bool
	causes []ranked // best first
}

// ranked is a possible cause of a group.
type ranked struct {
	root       int
	start      float64
	score      float64
	confidence float64
	parts      parts
}

// stretch is items near enough in time to have to do with each other, and their explanation.
type stretch struct {
	items  []*item
	view   *topology.View
	world  *world
	prob   *problem
	byCell [][]int32 // roots that reach a cell
	groups []group
}

// stretchGap separates stretches: no hypothesis reaches over it.
const stretchGap = reachAfter

// stretches cuts items, sorted by onset, where the gap is too long for a common cause. What was over before
// the first alert of its stretch began is cut out by itself.
func stretches(items []*item) [][]*item {
	var out [][]*item
	from := 0
	for i := 1; i <= len(items); i++ {
		if i == len(items) || items[i].onset-items[i-1].onset > stretchGap {
			out = append(out, withoutPassed(items[from:i])...)
			from = i
		}
	}
	return out
}

// passedBefore is how long before the first alert an anomaly must have ended to have nothing to do with it: among
// many series some are always strange for a moment.
const passedBefore = 60.0 // s

// withoutPassed parts a stretch from each of the anomalies that had passed when its first alert began.
func withoutPassed(items []*item) [][]*item {
	first := math.Inf(1)
	for _, it := range items {
		if it.rec.Anomaly == nil {
			first = min(first, it.onset)
		}
	}
	passed := func(it *item) bool {
		return it.rec.Anomaly != nil && !it.end.IsZero() && seconds(it.end) < first-passedBefore
	}
	if math.IsInf(first, 1) || !slices.ContainsFunc(items, passed) {
		return [][]*item{items}
	}
	var out [][]*item
	var rest []*item
	for _, it := range items {
		if passed(it) {
			out = append(out, []*item{it})
		} else {
			rest = append(rest, it)
		}
	}
	return append(out, rest)
}

// explainer holds what explanations share.
type explainer struct {
	dens    *densities
	history *History // may be nil
	changes func(from, to time.Time) []Change
}

// explain groups the items of a stretch and ranks the causes of each group. The result is a function
// of the items as a set, of the graph and of the changes; nothing depends on the order of arrival.
func (x *explainer) explain(items []*item, view *topology.View) *stretch {
	s := &stretch{items: items, view: view, world: newWorld(view)}
	for _, it := range items {
		it.vertex = s.world.settle(&it.rec.place, view)
	}
	s.world.settlePeers(items, view)
	s.world.settleShared(items)
	s.world.pairRoles()
	for _, it := range items {
		it.class = s.world.classAt(it.vertex, it.rec.place.class)
	}
	if x.history != nil {
		s.world.befriend(items, x.history)
	}
	s.prob = &problem{dens: x.dens, cells: cellsOf(items)}
	s.prob.dampen(s.world)
	s.prob.roots = rootsOf(s.world, s.prob, items)
	c := s.prob.contest(s.world, s.prob.solve())
	c.dropVictims()
	c.addHubs()
	chosen, to := s.prob.refine(c.chosen)
	s.groups = s.prob.groupsOf(items, chosen, to)
	var near []Change
	if x.changes != nil && len(items) > 0 {
		first, last := items[0].onset, items[len(items)-1].onset
		near = x.changes(fromSeconds(first-changeReach), fromSeconds(last+flatAfter))
	}
	for i := range s.groups {
		s.rank(&s.groups[i], near)
	}
	return s
}

func fromSeconds(s float64) time.Time {
	sec, frac := math.Modf(s)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC()
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// classAt is the class of an alert given what it is about: on a node everything is a node alert.
func (w *world) classAt(v int, c class) class {
	switch w.v[v].level {
	case levelNode:
		switch c {
		case classAdmin, classDNS, classNetwork:
			return c
		}
		return classNode
	case levelService, levelPod:
		if c == classNode {
			return classPod
		}
	}
	return c
}

// cellsOf joins items that are alike; in order of vertex, class and onset.
func cellsOf(items []*item) []cell {
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
		k := key{it.vertex, it.class, math.Floor(it.onset/timeGrid) * timeGrid, it.endOnGrid(), it.bias, it.rec.Anomaly != nil}
		n, ok := at[k]
		if !ok {
			n = len(cells)
			at[k] = n
			cells = append(cells, cell{vertex: it.vertex, class: it.class, onset: k.onset, end: k.end, bias: it.bias})
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

// groupsOf gives every item its group.
func (p *problem) groupsOf(items []*item, chosen []hypothesis, to []int) []group {
	groups := make([]group, len(chosen))
	var alone []group
	owner := make([]int, len(items))
	for c := range p.cells {
		for _, i := range p.cells[c].items {
			owner[i] = to[c]
		}
	}
	for i, it := range items {
		if owner[i] < 0 {
			alone = append(alone, group{items: []*item{it}, start: it.onset, alone: true})
			continue
		}
		g := &groups[owner[i]]
		g.items = append(g.items, it)
		g.start = chosen[owner[i]].start
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return len(g.items) == 0 })
	for i := range groups {
		groups[i].alone = len(groups[i].items) == 1
	}
	return append(groups, alone...)
}

// rootsOf is every vertex that could be the cause of some item, what they predict and their cells.
func rootsOf(w *world, p *problem, items []*item) []root {
	byVertex := map[int][]int{}
	for i := range p.cells {
		byVertex[p.cells[i].vertex] = append(byVertex[p.cells[i].vertex], i)
	}
	seen := seenKinds(w, p.cells)
	r := newRates(w)
	var roots []root
	add := func(x root) {
		for _, e := range x.exp {
			if seen[w.v[e.vertex].level][e.class] {
				x.sum += e.lambda
			}
			for _, c := range byVertex[e.vertex] {
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
	for _, v := range w.plausible(byVertex) {
		x := root{vertex: v, ent: w.v[v].ent, exp: r.of(v)}
		if w.v[v].level == levelZone {
			x.cost += zoneCost
		}
		add(x)
		if w.v[v].level == levelService && hasTraffic(p, byVertex, w, v) {
			add(root{vertex: v, ent: w.v[v].ent, exp: r.load(v), load: true})
		}
		if w.v[v].level == levelService && isShared(w.v[v].ent) {
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
func hasTraffic(p *problem, byVertex map[int][]int, w *world, v int) bool {
	for _, x := range append([]int{v}, w.v[v].pods...) {
		if slices.ContainsFunc(byVertex[x], func(c int) bool { return p.cells[c].class == classTraffic }) {
			return true
		}
	}
	return false
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

// plausible returns the vertices from which trouble may have reached a vertex that has alerts.
func (w *world) plausible(byVertex map[int][]int) []int {
	set := map[int]struct{}{}
	mark := func(v int) bool {
		if _, ok := set[v]; ok {
			return false
		}
		set[v] = struct{}{}
		return true
	}
	services := map[int]struct{}{}
	for _, v := range sortedSet(keysOf(byVertex)) {
		if w.v[v].level != levelPod || w.fewSiblings(v, byVertex) {
			mark(v)
		}
		if w.v[v].level == levelService {
			services[v] = struct{}{}
		}
		for _, s := range w.v[v].owners {
			services[s] = struct{}{}
		}
		for _, u := range w.v[v].users {
			mark(u)
			for _, s := range w.v[u].owners {
				services[s] = struct{}{}
			}
		}
	}
	for _, next := range []func(*vertex) []link{
		func(x *vertex) []link { return x.callees }, func(x *vertex) []link { return x.callers },
	} {
		front := sortedSet(services)
		reached := map[int]struct{}{}
		for hops := 0; hops <= callHops; hops++ {
			var far []int
			for _, v := range front {
				if _, ok := reached[v]; ok {
					continue
				}
				reached[v] = struct{}{}
				mark(v)
				for _, l := range next(&w.v[v]) {
					far = append(far, l.to)
				}
			}
			front = far
		}
	}
	for v := range w.v {
		if w.v[v].level == levelNode || w.v[v].level == levelZone || isShared(w.v[v].ent) {
			mark(v)
		}
	}
	return sortedSet(set)
}

// fewSiblings says that an instance may be the cause on its own: most like it are well.
func (w *world) fewSiblings(v int, byVertex map[int][]int) bool {
	for _, s := range w.v[v].owners {
		if len(w.v[s].pods) == 1 {
			return false // The instance is the workload.
		}
		sick := 0
		for _, p := range w.v[s].pods {
			if byVertex[p] != nil {
				sick++
			}
		}
		if sick > max(2, len(w.v[s].pods)*3/10) {
			return false
		}
	}
	return true
}

func keysOf[K comparable, V any](m map[K]V) map[K]struct{} {
	out := make(map[K]struct{}, len(m))
	for k := range m {
		out[k] = struct{}{}
	}
	return out
}
