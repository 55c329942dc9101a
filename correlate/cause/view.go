package cause

import (
	"cmp"
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
