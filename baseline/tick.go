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
	Withheld     bool // the fleet's budget took this alarm back
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
	joint   detect.Joint
}

// sibling is what is usual between a series and its siblings. It is not saved: an hour teaches it.
type sibling struct {
	detect.PeerState
	Cell detect.Cell
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
	k, name := groupKey(s.watch, s.labels, s.opts.GroupBy)
	g := e.groups[k]
	if g == nil {
		g = &group{watch: s.watch, name: name, key: k}
		e.groups[k] = g
	}
	s.group = g
	g.mu.Lock()
	defer g.mu.Unlock()
	i, _ := slices.BinarySearchFunc(g.members, s, func(a, b *Series) int { return labels.Compare(a.labels, b.labels) })
	g.members = slices.Insert(g.members, i, s)
	g.joint.Resize()
}

// leave takes a series out of its group; the engine's lock is held.
func (e *Engine) leave(s *Series) {
	g := s.group
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.members, s); i >= 0 {
		g.members = slices.Delete(g.members, i, i+1)
		g.joint.Resize()
	}
	if len(g.members) == 0 {
		delete(e.groups, g.key)
	}
}

// EndTick is called once all samples of a watch's tick at t (unix milliseconds) were observed, and decides
// what needs them all: peers, joint anomalies, the fleet's budget. It returns only what changes a
// score, in a fixed order. It may run beside Observe, but not beside itself.
func (e *Engine) EndTick(watch string, t int64) []Finding {
	e.mu.RLock()
	groups := make([]*group, 0, len(e.groups))
	for _, g := range e.groups {
		if g.watch == watch {
			groups = append(groups, g)
		}
	}
	e.mu.RUnlock()
	slices.SortFunc(groups, func(a, b *group) int { return cmp.Compare(a.key, b.key) })
	var out []Finding
	for _, g := range groups {
		out = append(out, g.tick(t, &e.params)...)
	}
	return append(out, e.withhold(watch, t)...)
}

// tick looks at one group.
func (g *group) tick(t int64, p *params) []Finding {
	g.mu.Lock()
	defer g.mu.Unlock()
	var in []*Series
	var value, z []float64
	for _, s := range g.members {
		s.mu.Lock()
		fresh := s.core.Step > 0 && t-s.core.Last < s.core.Step && s.last.State != Learning && !math.IsNaN(s.last.Expected)
		if fresh {
			in, value, z = append(in, s), append(value, s.core.LastValue), append(z, s.standard())
		}
		s.mu.Unlock()
	}
	if len(in) < minSiblings {
		return nil
	}
	out := g.peers(t, in, value, p)
	if f, ok := g.together(t, in, z, p); ok {
		out = append(out, f)
	}
	return out
}

// standard is the last seasonal residual in spreads; the series' lock is held.
func (s *Series) standard() float64 { return float64(s.lastZ) }

// peers compares each series with the median of its siblings, less its usual distance to it.
func (g *group) peers(t int64, in []*Series, value []float64, p *params) []Finding {
	sorted := slices.Clone(value)
	slices.Sort(sorted)
	med := (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	var out []Finding
	for i, s := range in {
		s.mu.Lock()
		if s.peer == nil {
			s.peer = &sibling{}
			s.peer.Cell.Reset(&peerRow, p)
		}
		y := s.peer.Observe(value[i]-med, s.floor(), s.rates)
		u := s.peer.Cell.Score(y)
		if s.peer.N > 30 && s.peer.Block(t/s.rates.BlockMs) {
			s.peer.Cell.Close(&peerRow, p)
		}
		s.peer.Cell.Max = max(s.peer.Cell.Max, float32(y))
		if y > peerRow.Floor && s.peer.N > 60 && s.last.State == Ready {
			raw := s.pool.LogP(u, p) / s.budget()
			if raw > 1 && raw > s.last.Raw {
				sc := s.last
				sc.Raw, sc.Kind, sc.Detector = raw, Peer, peerRow.Name
				s.alarm(&sc, t)
				s.last = sc
				out = append(out, Finding{Series: s, Score: sc, Group: g.name})
			}
		}
		s.mu.Unlock()
	}
	return out
}

// together tests whether the group's surprises of this tick fit the way they usually go together.
func (g *group) together(t int64, in []*Series, z []float64, p *params) (Finding, bool) {
	r := in[0].rates
	y, share := g.joint.Observe(z, t/r.BlockMs, r)
	if !(g.joint.Score(y) > 0) {
		return Finding{}, false
	}
	top := 0
	f := Finding{Group: g.name}
	for i, s := range in {
		f.Contributors = append(f.Contributors, Contributor{Series: s, Share: share[i]})
		if share[i] > share[top] {
			top = i
		}
	}
	s := in[top]
	s.mu.Lock()
	defer s.mu.Unlock()
	raw := s.pool.LogP(g.joint.Score(y), p) / s.budget()
	if raw <= 1 || raw <= s.last.Raw {
		return Finding{}, false
	}
	sc := s.last
	sc.Raw, sc.Kind, sc.Detector = raw, Collective, detect.JointRow().Name
	s.alarm(&sc, t)
	s.last = sc
	f.Series, f.Score = s, sc
	slices.SortStableFunc(f.Contributors, func(a, b Contributor) int { return cmp.Compare(b.Share, a.Share) })
	return f, true
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
	for _, s := range e.series {
		s.mu.Lock()
		if s.rates != nil {
			blocks += 7 * dayMs / float64(s.rates.Block2Ms)
			if s.watch == watch && s.last.Alarm > 1 && t-s.last.Time < s.core.Step {
				now = append(now, alarm{s, s.last.Raw * s.budget()})
			}
		}
		s.mu.Unlock()
	}
	e.mu.RUnlock()
	slices.SortFunc(now, func(a, b alarm) int {
		return cmp.Or(cmp.Compare(b.logp, a.logp), cmp.Compare(a.s.watch, b.s.watch), labels.Compare(a.s.labels, b.s.labels))
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
		a.s.last.Alarm = 0.999
		out = append(out, Finding{Series: a.s, Score: a.s.last, Withheld: true})
		a.s.mu.Unlock()
	}
	return out
}
