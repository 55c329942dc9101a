package correlate

import (
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
	// traffic is how much it is about traffic and nothing else, 0 to 1; set with causes.
	traffic float64
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

	view  *topology.View // of the last explanation,
	graph *world         // and the world it makes, before any alert added to it
	added int            // by the alerts of the last explanation

	apart bool // no instance stands for another one: slower, for the test that it changes nothing
}

// worldOf is a new world over a graph; what the graph alone makes of it is made once.
func (x *explainer) worldOf(view *topology.View) *world {
	if x.view != view {
		x.view, x.graph, x.added = view, newWorld(view), 0
	}
	return x.graph.with(x.added + x.added/4)
}

// explain groups the items of a stretch and ranks the causes of each group. The result is a function
// of the items as a set, of the graph and of the changes; nothing depends on the order of arrival.
func (x *explainer) explain(items []*item, view *topology.View) *stretch {
	s := x.pose(items, view)
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

// pose makes the problem of a stretch: where its items belong in the graph, and which causes would show where.
func (x *explainer) pose(items []*item, view *topology.View) *stretch {
	s := &stretch{items: items, view: view, world: x.worldOf(view)}
	for _, it := range items {
		it.vertex = s.world.settle(&it.rec.place, view)
	}
	x.added = len(s.world.learned)
	s.world.settlePeers(items, view)
	s.world.settleShared(items)
	s.world.pairRoles()
	for _, it := range items {
		it.class = s.world.classAt(it.vertex, it.rec.place.class)
	}
	if x.history != nil {
		s.world.befriend(items, x.history)
	}
	stand := s.world.standIns(items)
	if x.apart {
		stand = func(v int) int { return v }
	}
	s.prob = &problem{dens: x.dens, cells: cellsOf(items, stand)}
	s.prob.dampen(s.world)
	s.prob.roots = rootsOf(s.world, s.prob, items)
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
