package cause

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// guard is left out of the normal period before a start: a start found late must not make the first
// faulty samples normal. minNormal samples have to remain for it.
const (
	guard     = 2 * time.Minute
	minNormal = 30
)

// recent is the stretch before the start that a level is also compared with: a level that moved
// hours ago is no evidence.
const recent = 15 * time.Minute

// view is a case prepared for ranking: entities as numbers, series with their normal period and
// deviation. Everything in it is ordered, so that equal cases give equal answers.
type view struct {
	c          *Case
	model      Model
	step       time.Duration
	start, end int64 // Milliseconds: the first and last sample of the fault.

	names     []string
	index     map[string]int
	candidate []bool
	symptom   int // -1: none.

	callees, callers [][]int // Calls.
	hosts, guests    [][]int // host edges: nodes of an entity; entities on a node.
	parents, members [][]int // instance edges: services of a replica; replicas of a service.
	depth            []int   // Calls from the symptom; -1: not reached.

	scratch, near []float64 // Reused by measure.

	series   []*sample
	own      [][]*sample // By entity, calls excluded.
	peerings []*sample   // Series about calls,
	incoming [][]*sample // and the same by callee.
}

// sample is one series of the view.
type sample struct {
	*Series
	class      Class
	ent, peer  int
	median     float64
	spread     float64
	lower      float64 // 2.5 % and 97.5 % quantiles of the normal period.
	upper      float64
	normal     []float64 // In time order, base first.
	normalT    []int64
	fault      []float64 // In time order.
	faultT     []int64
	up, down   float64 // Deviation in spreads, contrasted with the recent past; >= 0.
	mean       float64 // Of the fault.
	at         int64   // First fault sample past the normal quantiles.
	recentSeen bool
}

// called is the series' name for people.
func (s *sample) called() string { return cmp.Or(s.Name, s.Metric) }

// dev is the deviation in the direction in which this kind of metric gets worse.
func (s *sample) dev() float64 {
	switch s.class.Kind.worse() {
	case upIsBad:
		return s.up
	case downIsBad:
		return s.down
	default:
		return max(s.up, s.down)
	}
}

// strength is the logarithm of a deviation, so that units and heavy tails do not decide.
func strength(dev float64) float64 { return math.Log1p(min(max(dev, 0), 1e4)) }

func newView(c *Case, m Model) *view {
	v := &view{c: c, model: m, index: map[string]int{}, symptom: -1}
	v.addEntities()
	v.addEdges()
	v.step = c.Step
	if v.step <= 0 {
		v.step = usualStep(c.Series)
	}
	v.addSeries()
	return v
}

func (v *view) addEntities() {
	seen := map[string]bool{}
	add := func(names ...string) {
		for _, n := range names {
			if n != "" && !seen[n] {
				seen[n] = true
				v.names = append(v.names, n)
			}
		}
	}
	c := v.c
	add(c.Candidates...)
	add(c.Symptom.Entity)
	for _, e := range c.Graph {
		add(e.From, e.To)
	}
	for i := range c.Series {
		add(c.Series[i].Entity, c.Series[i].Peer)
	}
	for i := range c.Alerts {
		add(c.Alerts[i].entity())
	}
	for i := range c.Logs {
		add(c.Logs[i].Entity)
	}
	for i := range c.Spans {
		add(c.Spans[i].Entity)
	}
	for i := range c.Changes {
		add(c.Changes[i].Entity)
	}
	for e, attributes := range c.Attributes {
		add(e)
		for _, value := range attributes {
			add(value)
		}
	}
	slices.Sort(v.names)
	for i, n := range v.names {
		v.index[n] = i
	}
	n := len(v.names)
	v.candidate = make([]bool, n)
	for _, e := range c.Candidates {
		if i, ok := v.index[e]; ok {
			v.candidate[i] = true
		}
	}
	if len(c.Candidates) == 0 {
		for i := range v.candidate {
			v.candidate[i] = true
		}
	}
	if i, ok := v.index[c.Symptom.Entity]; ok {
		v.symptom = i
	}
}

func (v *view) addEdges() {
	n := len(v.names)
	lists := make([][]int, 6*n)
	v.callees, v.callers = lists[:n], lists[n:2*n]
	v.hosts, v.guests = lists[2*n:3*n], lists[3*n:4*n]
	v.parents, v.members = lists[4*n:5*n], lists[5*n:]
	for _, e := range v.c.Graph {
		a, okA := v.index[e.From]
		b, okB := v.index[e.To]
		if !okA || !okB || a == b {
			continue
		}
		switch e.Kind {
		case EdgeHost:
			v.hosts[a], v.guests[b] = append(v.hosts[a], b), append(v.guests[b], a)
		case EdgeInstance:
			v.parents[a], v.members[b] = append(v.parents[a], b), append(v.members[b], a)
		case EdgeOwns:
			v.parents[b], v.members[a] = append(v.parents[b], a), append(v.members[a], b)
		case EdgeCall, "":
			v.callees[a], v.callers[b] = append(v.callees[a], b), append(v.callers[b], a)
		}
	}
	for i := range lists {
		slices.Sort(lists[i])
		lists[i] = slices.Compact(lists[i])
	}
	v.depth = v.distances(v.symptom)
}

// distances counts the calls from one entity to all others; -1 is out of reach.
func (v *view) distances(from int) []int {
	d := make([]int, len(v.names))
	for i := range d {
		d[i] = -1
	}
	if from < 0 {
		return d
	}
	d[from] = 0
	queue := []int{from}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		for _, b := range v.callees[e] {
			if d[b] < 0 {
				d[b] = d[e] + 1
				queue = append(queue, b)
			}
		}
	}
	return d
}

// reachesAny says whether the symptom has callees at all, so that being out of its reach means
// something.
func (v *view) reachesAny() bool { return v.symptom >= 0 && len(v.callees[v.symptom]) > 0 }

// usualStep is the median distance of samples over a few series; one minute when there is none.
func usualStep(series []Series) time.Duration {
	var d []int64
	for i := range series {
		t := series[i].T
		if len(t) < 2 {
			t = series[i].BaseT
		}
		for j := 1; j < len(t) && j < 50; j++ {
			if t[j] > t[j-1] {
				d = append(d, t[j]-t[j-1])
			}
		}
		if len(d) > 1000 {
			break
		}
	}
	if len(d) == 0 {
		return time.Minute
	}
	slices.Sort(d)
	return time.Duration(d[len(d)/2]) * time.Millisecond
}

func (v *view) addSeries() {
	v.own = make([][]*sample, len(v.names))
	// One block for the samples of all series: each value is either normal or of the fault.
	total := 0
	for i := range v.c.Series {
		s := &v.c.Series[i]
		total += min(len(s.T), len(s.V)) + min(len(s.BaseT), len(s.BaseV))
	}
	values, times := make([]float64, 2*total), make([]int64, 2*total)
	for i := range v.c.Series {
		s := &v.c.Series[i]
		ent, ok := v.index[s.Entity]
		if !ok {
			continue
		}
		if s = tidy(s); s == nil {
			continue
		}
		x := &sample{Series: s, class: Classify(s.Metric), ent: ent, peer: -1}
		if s.Kind != Unclassified {
			x.class.Kind = s.Kind
		}
		n, m := len(s.T), len(s.T)+len(s.BaseT)
		x.normal, values = values[:0:m], values[m:]
		x.normalT, times = times[:0:m], times[m:]
		x.fault, values = values[:0:n], values[n:]
		x.faultT, times = times[:0:n], times[n:]
		if s.Peer != "" {
			x.peer = v.index[s.Peer]
			v.peerings = append(v.peerings, x)
		} else {
			v.own[ent] = append(v.own[ent], x)
		}
		v.series = append(v.series, x)
	}
	order := func(a, b *sample) int {
		return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Query, b.Query), cmp.Compare(a.peer, b.peer))
	}
	for _, list := range v.own {
		slices.SortStableFunc(list, order)
	}
	slices.SortStableFunc(v.peerings, func(a, b *sample) int {
		return cmp.Or(cmp.Compare(a.ent, b.ent), cmp.Compare(a.peer, b.peer), order(a, b))
	})
	v.incoming = make([][]*sample, len(v.names))
	for _, s := range v.peerings {
		v.incoming[s.peer] = append(v.incoming[s.peer], s)
	}
}

// setStart measures every series against a fault that started at start (milliseconds).
func (v *view) setStart(start, end int64) {
	v.start, v.end = start, end
	for _, s := range v.series {
		v.measure(s)
	}
}

func (v *view) otherFault(t int64) bool {
	for _, p := range v.c.OtherFaults {
		if t >= p.From.UnixMilli() && t <= p.To.UnixMilli() {
			return true
		}
	}
	return false
}

// measure splits a series into normal period and fault and sets its deviation.
func (v *view) measure(s *sample) {
	s.normal, s.normalT = s.normal[:0], s.normalT[:0]
	s.fault, s.faultT = s.fault[:0], s.faultT[:0]
	s.up, s.down, s.at, s.spread, s.recentSeen = 0, 0, 0, 0, false
	for i, x := range s.BaseV {
		if finite(x) && i < len(s.BaseT) {
			s.normal, s.normalT = append(s.normal, x), append(s.normalT, s.BaseT[i])
		}
	}
	base := len(s.normal)
	near := v.near[:0]
	gap := guard.Milliseconds()
	if v.step >= time.Minute { // Coarse samples: a longer gap would leave too few.
		gap = time.Minute.Milliseconds()
	}
	for i, t := range s.T {
		if i >= len(s.V) || !finite(s.V[i]) {
			continue
		}
		x := s.V[i]
		switch {
		case t > v.end:
		case t >= v.start:
			s.fault, s.faultT = append(s.fault, x), append(s.faultT, t)
		default:
			if t >= v.start-recent.Milliseconds() && t <= v.start-gap {
				near = append(near, x)
			}
			if !v.otherFault(t) {
				s.normal, s.normalT = append(s.normal, x), append(s.normalT, t)
			}
		}
	}
	v.near = near
	cut := len(s.normal)
	for cut > base && s.normalT[cut-1] >= v.start-guard.Milliseconds() {
		cut--
	}
	if cut >= minNormal {
		s.normal, s.normalT = s.normal[:cut], s.normalT[:cut]
	}
	if len(s.normal) < 2 || len(s.fault) == 0 {
		return
	}
	v.scratch = append(v.scratch[:0], s.normal...)
	n := v.scratch
	slices.Sort(n)
	s.median = quantile(n, .5)
	s.lower, s.upper = quantile(n, .025), quantile(n, .975)
	s.spread = spreadOf(n, s.median*levelFloor(s.class.Kind))
	v.scratch = append(v.scratch[:0], s.fault...)
	f := v.scratch
	slices.Sort(f)
	s.mean = mean(s.fault)
	if s.spread <= 0 {
		return
	}
	hi, lo := quantile(f, .75), quantile(f, .25)
	s.up, s.down = max(0, hi-s.median)/s.spread, max(0, s.median-lo)/s.spread
	if len(near) >= 2 {
		slices.Sort(near)
		m := quantile(near, .5)
		s.recentSeen = true
		s.up, s.down = min(s.up, max(0, hi-m)/s.spread), min(s.down, max(0, m-lo)/s.spread)
	}
	for i, x := range s.fault {
		if x > s.upper || x < s.lower {
			s.at = s.faultT[i]
			break
		}
	}
}

// spreadOf is a robust scale with floors, so that a series that hardly ever moves does not turn
// every move into a thousand spreads.
func spreadOf(sortedV []float64, floor float64) float64 {
	return max((quantile(sortedV, .75)-quantile(sortedV, .25))/1.349,
		(quantile(sortedV, .975)-quantile(sortedV, .025))/3.92,
		math.Abs(floor), 1e-9)
}

// levelFloor is the least spread as a share of the level. What is normally near 100 % moves in
// small steps that matter.
func levelFloor(k Kind) float64 {
	if k == Availability {
		return .001
	}
	return .01
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func sorted(v []float64) []float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	return s
}

// quantile interpolates linearly in sorted values; 0 for none.
func quantile(s []float64, q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	p := q * float64(len(s)-1)
	i := int(p)
	j := min(i+1, len(s)-1)
	return s[i] + (s[j]-s[i])*(p-float64(i))
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	t := 0.0
	for _, x := range v {
		t += x
	}
	return t / float64(len(v))
}

// topDev is the series of an entity that left its normal period furthest; nil when none moved.
func (v *view) topDev(e int) *sample {
	var best *sample
	for _, s := range v.own[e] {
		if s.dev() > 0 && (best == nil || s.dev() > best.dev()) {
			best = s
		}
	}
	return best
}

// tidy returns a series whose samples can be searched: as many values as time stamps, in order. It
// returns the series itself where that is so already, which is the rule.
func tidy(s *Series) *Series {
	n, m := min(len(s.T), len(s.V)), min(len(s.BaseT), len(s.BaseV))
	if n+m == 0 {
		return nil
	}
	if n == len(s.T) && n == len(s.V) && m == len(s.BaseT) && m == len(s.BaseV) && slices.IsSorted(s.T) {
		return s
	}
	c := *s
	c.T, c.V, c.BaseT, c.BaseV = slices.Clone(s.T[:n]), slices.Clone(s.V[:n]), s.BaseT[:m], s.BaseV[:m]
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(s.T[a], s.T[b]) })
	for i, j := range at {
		c.T[i], c.V[i] = s.T[j], s.V[j]
	}
	return &c
}
