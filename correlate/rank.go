package correlate

import (
	"cmp"
	"math"
	"slices"
)

// Constants of the ranking of causes within a group; see docs/correlation.md.
const (
	strayGain    = -2.0  // at least what a member counts that a root does not explain
	silentCost   = 0.8   // per expected alert: in the ranking absence counts in full
	lateOwn      = 25.0  // when the root's own alerts begin late or are missing
	lateOwnAfter = 300.0 // s
	temperature  = 7.0   // of the softmax that makes confidences of scores
	sureAtMost   = 0.94  // of all roots together: the group itself may be wrong, or the cause not in the graph
	maxCausesOut = 10
	changeReach  = 30 * 60.0 // s before the start in which a change is suspect
	changeBonus  = 4.0
	minAmplitude = 0.25
	maxAmplitude = 3.0
	unwatched    = 0.3  // of lateOwn for what has no instances in a graph that has them
	onlyTraffic  = 12.0 // for trouble of which nobody sees an error or a delay, where all members are of traffic
	mostTraffic  = 0.7  // the share of traffic from which on this begins to count
	bodilessCost = 25.0 // for a node or zone that nothing but errors and latency speaks for
	oneNodeCost  = 10.0 // for a zone of which one node alone has alerts
)

// parts are the terms of a score, kept for the evidence.
type parts struct {
	explained int     // members the root explains
	gain      float64 // what they bring
	silent    float64 // expected alerts
	late      float64 // 0 to 1
	own       float64 // s from the first onset of the group to the root's own; +Inf: none
	unseen    float64 // what it cost that no alert tells of the root itself
	change    *Change
}

// members of a group by cell.
type members struct {
	weight  []float64 // by cell; 0: not in the group
	total   float64
	traffic float64 // of total, in cells of traffic
	first   float64 // onset
}

// trafficAlone is how much a group is about traffic and nothing else: 0 to 1.
func (m *members) trafficAlone() float64 {
	if m.total == 0 {
		return 0
	}
	return max(0, (m.traffic/m.total-mostTraffic)/(1-mostTraffic))
}

func (s *stretch) membersOf(g *group) members {
	m := members{weight: make([]float64, len(s.prob.cells)), first: math.Inf(1)}
	for _, it := range g.items {
		m.first = min(m.first, it.onset)
		c := &s.prob.cells[it.cell]
		if m.weight[it.cell] == 0 {
			m.weight[it.cell] = c.weight
			m.total += c.weight
			if c.class == classTraffic {
				m.traffic += c.weight
			}
		}
	}
	return m
}

// rank scores every root that has to do with the group.
func (s *stretch) rank(g *group, changes []Change) {
	one := true // All members at one entity: it is the cause, not what its labels are.
	for _, it := range g.items {
		one = one && it.vertex == g.items[0].vertex
	}
	m := s.membersOf(g)
	g.traffic = m.trafficAlone()
	var out []ranked
	for _, i := range s.rootsNear(g) {
		if s.prob.roots[i].vertex < 0 && one {
			continue
		}
		if r, ok := s.score(i, &m, changes); ok {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.root, b.root))
	})
	out = s.distinct(out)
	confide(out)
	g.causes = withUnseen(out)
}

// withUnseen cuts a ranking at maxCausesOut, and keeps as many that would be among the first were it not held against
// them that no alert tells of them: whether that is so is for the metrics to say, who are asked of what is kept.
func withUnseen(in []ranked) []ranked {
	n := min(len(in), maxCausesOut)
	out := slices.Clone(in[:n])
	heard := slices.Clone(in)
	slices.SortStableFunc(heard, func(a, b ranked) int { return cmp.Compare(b.score+b.parts.unseen, a.score+a.parts.unseen) })
	for _, r := range heard[:n] {
		if !slices.ContainsFunc(in[:n], func(x ranked) bool { return x.root == r.root }) {
			out = append(out, r)
		}
	}
	return out
}

// rootsNear lists the roots that have to do with any cell of the group, in order.
func (s *stretch) rootsNear(g *group) []int {
	if s.byCell == nil {
		s.byCell = make([][]int32, len(s.prob.cells))
		for i := range s.prob.roots {
			for _, x := range s.prob.roots[i].cells {
				s.byCell[x.cell] = append(s.byCell[x.cell], int32(i))
			}
		}
	}
	seen := make([]bool, len(s.prob.roots))
	done := make(map[int]bool)
	for _, it := range g.items {
		if done[it.cell] {
			continue
		}
		done[it.cell] = true
		for _, r := range s.byCell[it.cell] {
			seen[r] = true
		}
	}
	var out []int
	for r, in := range seen {
		if in {
			out = append(out, r)
		}
	}
	return out
}

// score is how well root i explains the member cells from its best start.
func (s *stretch) score(i int, m *members, changes []Change) (ranked, bool) {
	p := s.prob
	r := &p.roots[i]
	var cells []reach
	var starts []float64
	rest := m.total
	for _, x := range r.cells {
		if w := m.weight[x.cell]; w > 0 {
			cells = append(cells, x)
			rest -= w
			starts = append(starts, math.Floor(p.cells[x.cell].onset/startGrid)*startGrid)
		}
	}
	if len(cells) == 0 {
		return ranked{}, false
	}
	slices.Sort(starts)
	best := ranked{root: i, score: math.Inf(-1)}
	for _, st := range slices.Compact(starts) {
		sum, n := 0.0, 0
		for _, x := range cells {
			g := max(p.gain(x, st), strayGain*p.cells[x.cell].weight)
			sum += g
			if g > 0 {
				n += len(p.cells[x.cell].items)
			}
		}
		if sum > best.score {
			best.score, best.start, best.parts.explained, best.parts.gain = sum, st, n, sum
		}
	}
	best.parts.silent = r.sum
	best.score += strayGain*rest + s.amplitude(r, cells, best.start) - (r.cost - causeCost - absentCost*r.sum)
	best.parts.own = s.ownOnset(r, cells) - m.first
	best.parts.late = max(0, min(1, best.parts.own/lateOwnAfter))
	best.parts.unseen = lateOwn*best.parts.late*s.audible(r) + s.bodiless(r, cells)
	best.score -= best.parts.unseen + s.narrow(r, cells)
	if !r.load {
		best.score -= onlyTraffic * m.trafficAlone()
	}
	if c := s.changeAt(r, best.start, changes); c != nil {
		best.parts.change = c
		best.score += changeBonus
	}
	return best, true
}

// amplitude lets the trouble be weaker or stronger than usual: with all rates times a, the likelihood
// of n alerts where sum are expected changes by n ln a - a sum, best at a = n/sum, within bounds.
func (s *stretch) amplitude(r *root, cells []reach, start float64) float64 {
	n := 0.0
	for _, x := range cells {
		if w := s.prob.cells[x.cell].weight; s.prob.gain(x, start) > strayGain*w {
			n += w
		}
	}
	if r.sum == 0 {
		return 0
	}
	a := max(minAmplitude, min(maxAmplitude, n/r.sum))
	return n*math.Log(a) - silentCost*a*r.sum
}

// audible is how much the silence of the root itself means: little where nobody watches it, as a
// provider outside that only its callers know.
func (s *stretch) audible(r *root) float64 {
	if r.vertex < 0 {
		return 1
	}
	x := &s.world.v[r.vertex]
	if x.level != levelService || len(x.pods) > 0 || !s.world.hasPods {
		return 1
	}
	return unwatched
}

// narrow is what speaks against a zone when only one of its nodes, or none, has alerts of its own.
func (s *stretch) narrow(r *root, cells []reach) float64 {
	if r.vertex < 0 || s.world.v[r.vertex].level != levelZone {
		return 0
	}
	members := s.world.v[r.vertex].members
	hit := map[int]struct{}{}
	for _, x := range cells {
		if v := s.prob.cells[x.cell].vertex; slices.Contains(members, v) {
			hit[v] = struct{}{}
		}
	}
	if want := min(2, len(members)); len(hit) < want {
		return oneNodeCost
	}
	return 0
}

// bodiless is what speaks against a node or a zone when neither it nor any instance on it shows that
// something is broken: errors and slowness alone have other causes.
func (s *stretch) bodiless(r *root, cells []reach) float64 {
	if r.vertex < 0 {
		return 0
	}
	if l := s.world.v[r.vertex].level; l != levelNode && l != levelZone {
		return 0
	}
	for _, x := range cells {
		c := &s.prob.cells[x.cell]
		if c.class == classNode || c.class == classNetwork || c.class == classPod || c.class == classSaturation && s.world.v[c.vertex].level == levelPod {
			return 0
		}
	}
	return bodilessCost
}

// ownOnset is the first onset among members at the root itself or its parts; scopes answer with the
// first of what they hold.
func (s *stretch) ownOnset(r *root, cells []reach) float64 {
	own := math.Inf(1)
	for _, x := range cells {
		c := &s.prob.cells[x.cell]
		if c.onset < own && (r.vertex < 0 || s.world.within(c.vertex, r.vertex)) {
			own = c.onset
		}
	}
	return own
}

// changeAt is the latest change at the root in the time before the start.
func (s *stretch) changeAt(r *root, start float64, changes []Change) *Change {
	var last *Change
	for i := range changes {
		c := &changes[i]
		t := seconds(c.Time)
		if t > start+flatAfter || t < start-changeReach || r.vertex < 0 {
			continue
		}
		v := &s.world.v[r.vertex]
		if c.matches(v.ent) && (last == nil || c.Time.After(last.Time)) {
			last = c
		}
	}
	return last
}

// distinct keeps the best root of each entity.
func (s *stretch) distinct(in []ranked) []ranked {
	seen := map[string]bool{}
	out := in[:0]
	for _, r := range in {
		k := s.prob.roots[r.root].ent.String()
		if !seen[k] {
			seen[k] = true
			out = append(out, r)
		}
	}
	return out
}

// confide turns scores into probabilities.
func confide(out []ranked) {
	if len(out) == 0 {
		return
	}
	top, sum := out[0].score, 0.0
	for i := range out {
		out[i].confidence = math.Exp((out[i].score - top) / temperature)
		sum += out[i].confidence
	}
	for i := range out {
		out[i].confidence *= sureAtMost / sum
	}
}
