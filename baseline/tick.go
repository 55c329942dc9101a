package baseline

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline/detect"
)

// Finding is what only the whole of a tick shows: a series unlike its siblings, a group whose
// series moved together as they never do, or an alarm that the fleet's budget took back.
type Finding struct {
	Series       *Series // the series concerned; of a group, the one that contributed most
	Score        Score   // replaces the series' own score of this tick
	Group        string  // the shared labels of the siblings, empty for a decision on the fleet's budget
	Contributors []Contributor
}

// Contributor is a series' share of a group's anomaly.
type Contributor struct {
	Series *Series
	Share  float64 // the shares of a finding sum to 1
}

// minSiblings is the smallest group in which one can be unlike the others.
const minSiblings = 4

// group is the series of one watch that share the values of the GroupBy labels.
type group struct {
	mu      sync.Mutex
	watch   string
	name    string
	key     string
	members []*Series // sorted by labels
	joint   *detect.Joint
}

// sibling is what is usual between a series and its siblings.
type sibling struct {
	detect.PeerState
	Cell detect.Law
}

func groupKey(watch string, ls labels.Labels, by []string) (key, name string) {
	shared := labels.NewScratchBuilder(len(by))
	for _, n := range by {
		if v := ls.Get(n); v != "" {
			shared.Add(n, v)
		}
	}
	shared.Sort()
	name = shared.Labels().String()
	return watch + "\xff" + ls.Get(model.MetricNameLabel) + "\xff" + name, name
}

// join files a series under its group; the engine's lock is held.
func (e *Engine) join(s *Series) {
	if len(s.opts.GroupBy) == 0 {
		return
	}
	k, name := groupKey(s.Watch(), s.labelSet(), s.opts.GroupBy)
	g := e.groups[k]
	if g == nil {
		g = &group{watch: s.Watch(), name: name, key: k, joint: detect.NewJoint(&e.params)}
		e.groups[k] = g
	}
	s.own().group = g
	g.mu.Lock()
	defer g.mu.Unlock()
	i, _ := slices.BinarySearchFunc(g.members, s, func(a, b *Series) int { return labels.Compare(a.labelSet(), b.labelSet()) })
	g.members = slices.Insert(g.members, i, s)
	g.joint.Insert(i)
}

// leave takes a series out of its group; the engine's lock is held.
func (e *Engine) leave(s *Series) {
	g := s.siblings()
	if g == nil {
		return
	}
	s.rare.group = nil
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.members, s); i >= 0 {
		g.members = slices.Delete(g.members, i, i+1)
		g.joint.Remove(i)
		for n := len(g.joint.Seen); n < min(len(g.members), detect.MaxJoint); n++ {
			g.joint.Insert(n)
		}
	}
	if len(g.members) == 0 {
		delete(e.groups, g.key)
	}
}

// EndTick is called once all samples of a watch's tick at t (unix milliseconds) were observed, and decides
// what needs them all: peers, joint anomalies, the fleet's budget. It returns only what changes a
// score, in a fixed order. It may run beside Observe, but not beside itself.
func (e *Engine) EndTick(watch string, t int64) []Finding {
	return append(e.compare(watch, t), e.withhold(watch, t)...)
}

// compare is the part of EndTick that learns: peers and joint anomalies. The fleet's budget is a matter of what pages,
// so history has no part in it.
func (e *Engine) compare(watch string, t int64) []Finding {
	e.mu.Lock()
	groups := make([]*group, 0, len(e.groups))
	for _, g := range e.groups {
		if g.watch == watch {
			groups = append(groups, g)
			e.recall(g)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.key, b.key) })
	var out []Finding
	for _, g := range groups {
		out = append(out, g.tick(t, &e.params)...)
	}
	return out
}

// tick looks at one group.
func (g *group) tick(t int64, p *params) []Finding {
	g.mu.Lock()
	defer g.mu.Unlock()
	var in []*Series
	var value []float64
	z := make([]float64, len(g.members))
	for i, s := range g.members {
		z[i] = math.NaN()
		s.mu.Lock()
		fresh := s.core.step() > 0 && t-s.core.Last < s.core.step() && s.last.State != Learning && !math.IsNaN(s.last.Expected)
		if fresh {
			in, value, z[i] = append(in, s), append(value, s.core.LastValue), float64(s.last.Z)
		}
		s.mu.Unlock()
	}
	if len(in) < minSiblings {
		return nil
	}
	out := g.peers(t, in, value, p)
	if f, ok := g.together(t, in, z); ok {
		out = append(out, f)
	}
	return out
}

// peers compares each series with what its siblings lead to expect: their common level, the median of
// the values less what each usually lies above it, so that neither one that leaves nor one that is missing
// moves it for the others. What the level is measured from is arbitrary and may drift: only the sum of
// the level and a series' usual distance means anything.
func (g *group) peers(t int64, in []*Series, value []float64, p *params) []Finding {
	rest, known := make([]float64, len(in)), false
	for i, s := range in {
		s.mu.Lock()
		if rest[i] = math.NaN(); s.usually() != nil {
			rest[i], known = value[i]-s.usually().Mean, true
		}
		s.mu.Unlock()
	}
	if !known {
		rest = value
	}
	level := median(rest)
	var out []Finding
	for i, s := range in {
		s.mu.Lock()
		if sc, ok := s.unlike(value[i], level, len(in)-1, t, p); ok {
			out = append(out, Finding{Series: s, Score: sc, Group: g.name})
		}
		s.mu.Unlock()
	}
	return out
}

// median of the numbers in x, NaN when there are none; x is not changed.
func median(x []float64) float64 {
	sorted := slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	if len(sorted) == 0 {
		return math.NaN()
	}
	slices.Sort(sorted)
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// unlike compares a series with the common level of its group, and says whether that is worse than what
// the series shows alone; its lock is held.
func (s *Series) unlike(v, level float64, siblings int, t int64, p *params) (Score, bool) {
	r := s.own()
	if r.peer == nil {
		r.peer = &sibling{}
		r.peer.Cell.Reset(&peerRow, p)
	}
	peer := r.peer
	usual := peer.Mean
	y := peer.Observe(v-level, s.floor(), s.rates)
	u := peer.Cell.Score(y)
	if peer.N > 30 && peer.Block(t/s.rates.BlockMs) {
		peer.Cell.Close(&peerRow, p)
	}
	peer.Cell.Max = max(peer.Cell.Max, float32(y))
	if y <= peerRow.Floor || peer.N <= 60 || s.last.State != Ready {
		return Score{}, false
	}
	return s.claim(&peerRow, s.rawAlone(u), t, func(w *why) {
		w.Siblings, w.Led = float64(siblings), level+usual
	})
}

// claim lets a test that needs more than one series take over the score of this tick when it says more
// than the series' own; the lock is held.
func (s *Series) claim(row *detect.Detector, raw float64, t int64, fill func(*why)) (Score, bool) {
	if raw <= 1 || raw <= s.last.Raw {
		return Score{}, false
	}
	sc := s.score()
	sc.Raw, sc.Kind, sc.Detector = raw, row.Kind, row.Name
	if sc.Alarm > 1 { // the sample has alarmed already: now with more
		sc.Alarm, s.own().Shown = raw, raw
	} else {
		s.alarm(&sc, t)
	}
	s.last.set(&sc)
	w := s.because(row)
	w.Value, w.Expected = sc.Value, sc.Expected
	fill(w)
	return sc, true
}

// together tests whether the group's surprises of this tick fit the way they usually go together.
func (g *group) together(t int64, in []*Series, z []float64) (Finding, bool) {
	r := in[0].rates
	y, share := g.joint.Observe(z, t/r.BlockMs, r)
	u := g.joint.Score(y)
	if !(u > 0) {
		return Finding{}, false
	}
	f := Finding{Group: g.name}
	for i, part := range share {
		if part > 0 {
			f.Contributors = append(f.Contributors, Contributor{Series: g.members[i], Share: part})
		}
	}
	if len(f.Contributors) == 0 {
		return Finding{}, false
	}
	slices.SortStableFunc(f.Contributors, func(a, b Contributor) int { return cmp.Compare(b.Share, a.Share) })
	s := f.Contributors[0].Series
	s.mu.Lock()
	defer s.mu.Unlock()
	row := detect.JointRow()
	sc, ok := s.claim(&row, s.rawAlone(u), t, func(w *why) {
		w.Siblings = float64(len(in) - 1)
		for _, c := range f.Contributors {
			name := ""
			if c.Series != s {
				name = differs(c.Series.labelSet(), s.opts.GroupBy)
			}
			w.shares = append(w.shares, detect.Share{Name: name, Part: c.Share})
		}
	})
	f.Series, f.Score = s, sc
	return f, ok
}

// differs are the labels that tell a series from its siblings.
func differs(ls labels.Labels, shared []string) string {
	return labels.NewBuilder(ls).Del(model.MetricNameLabel).Del(shared...).Labels().String()
}

// withhold keeps the false alarms of the whole fleet within Budget.TotalPerWeek by the step-up
// rule of Benjamini and Hochberg (1995) over the alarms of the last week: with S series and B
// blocks a week, the k strongest alarms stand while p <= k' N / (S B), N the budget and k' the
// alarms that stood this week, these included. One alarm among many strong ones needs less.
func (e *Engine) withhold(watch string, t int64) []Finding {
	n := e.cfg.Budget.TotalPerWeek
	if n <= 0 {
		return nil
	}
	type alarm struct {
		s    *Series
		logp float64
	}
	var now []alarm
	blocks := 0.0
	e.mu.RLock()
	for s := range e.series.each {
		s.mu.Lock()
		if s.rates != nil {
			blocks += 7 * dayMs / float64(s.rates.Block2Ms)
			if s.name.name == watch && s.last.Alarm > 1 && t-s.last.Time < s.core.step() {
				now = append(now, alarm{s, s.last.Raw * s.budget()})
			}
		}
		s.mu.Unlock()
	}
	e.mu.RUnlock()
	slices.SortFunc(now, func(a, b alarm) int {
		return cmp.Or(cmp.Compare(b.logp, a.logp), cmp.Compare(a.s.Watch(), b.s.Watch()), labels.Compare(a.s.Labels(), b.s.Labels()))
	})
	e.tickMu.Lock()
	defer e.tickMu.Unlock()
	week := int64(7 * dayMs)
	e.stood = slices.DeleteFunc(e.stood, func(at int64) bool { return t-at > week })
	keep := 0
	for k := len(now); k > 0; k-- {
		if now[k-1].logp >= math.Log(blocks/(n*float64(max(1, k+len(e.stood))))) {
			keep = k
			break
		}
	}
	var out []Finding
	for i, a := range now {
		if i < keep {
			e.stood = append(e.stood, t)
			continue
		}
		a.s.mu.Lock()
		a.s.holdBack()
		out = append(out, Finding{Series: a.s, Score: a.s.score()})
		a.s.mu.Unlock()
	}
	return out
}

// holdBack takes the alarm of the last sample back: its episode goes on unseen, and stronger evidence
// raises it again. What was held back has cost nobody anything, so it spends no budget.
func (s *Series) holdBack() {
	s.own().withheld = true
	s.rate.Sum = max(0, s.rate.Sum-1)
	s.reckon(s.core.Last)
	s.last.Alarm, s.last.Active, s.last.Withheld = 0.999, false, true
}
