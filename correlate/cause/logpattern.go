package cause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// A lost pattern decides at this score; the best three are placed. Surplus counts little: bursts of
// lines are everywhere.
const (
	lostStrength = .6
	lostPlaces   = 3
	surplusShare = .1
	toldBy       = 1.5
)

// patternCount is how often an entity wrote a pattern now, and how often it should have.
type patternCount struct {
	pattern, query string
	now, expected  float64
	z              float64
}

// logPattern finds entities that stopped writing lines they usually write for the requests they
// get. What is missing tells more than what is new: code that returns early or fails skips its later
// lines.
func logPattern(v *view) finding {
	f := v.newFinding("log_pattern")
	lost, more := make([]patternCount, len(v.names)), make([]patternCount, len(v.names))
	refs := windowsOf(v.c.LogsBaseline)
	if len(refs) == 0 || len(v.c.Logs) == 0 {
		return f
	}
	drivers := v.logDrivers(refs)
	at := map[int64]int{}
	for i, w := range refs {
		at[w] = i
	}
	type key struct {
		entity  int
		pattern string
	}
	type row struct {
		key
		now   float64
		ref   []float64
		query string
	}
	var all []*row
	by := map[key]*row{}
	get := func(l *LogCount) *row {
		e, ok := v.index[l.Entity]
		if !ok {
			return nil
		}
		k := key{e, l.Pattern}
		r := by[k]
		if r == nil {
			r = &row{key: k, ref: make([]float64, len(refs)), query: l.Query}
			by[k] = r
			all = append(all, r)
		}
		return r
	}
	for i := range v.c.Logs {
		if r := get(&v.c.Logs[i]); r != nil {
			r.now += v.c.Logs[i].Count
		}
	}
	for i := range v.c.LogsBaseline {
		if r := get(&v.c.LogsBaseline[i]); r != nil {
			r.ref[at[v.c.LogsBaseline[i].Window]] += v.c.LogsBaseline[i].Count
		}
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.entity, b.entity), cmp.Compare(a.pattern, b.pattern))
	})
	for _, r := range all {
		p := patternCount{pattern: r.pattern, query: r.query, now: r.now}
		var variance float64
		var ok bool
		if p.expected, variance, ok = expectation(r.ref, drivers[r.entity]); !ok {
			continue
		}
		p.z = (p.now - p.expected) / math.Sqrt(p.expected+1+variance)
		if p.z < lost[r.entity].z {
			lost[r.entity] = p
		}
		if p.z > more[r.entity].z {
			more[r.entity] = p
		}
	}
	for e := range f.score {
		f.score[e] = math.Log1p(-lost[e].z) + surplusShare*math.Log1p(more[e].z)
	}
	f.evidence = func(e int) []Evidence {
		var out []Evidence
		for _, p := range []patternCount{lost[e], more[e]} {
			if abs(p.z) < max(toldBy, v.c.LogsBy) {
				continue
			}
			ev := Evidence{
				Kind: f.kind, For: true, Entity: v.names[e], Query: p.query, Time: msTime(v.start),
				Value: p.now, Expected: ptr(p.expected), Weight: math.Log1p(abs(p.z)),
				Text: fmt.Sprintf("%s wrote «%s» %s times, expected for its requests: %s.", v.names[e], p.pattern, number(p.now), number(p.expected)),
			}
			if p.z > 0 {
				ev.Weight *= surplusShare
			}
			out = append(out, ev)
		}
		return out
	}
	least := max(lostStrength, math.Log1p(v.c.LogsBy))
	if v.c.LogsBy > 0 {
		for e := range f.score { // A surplus alone is told, it decides nothing.
			if math.Log1p(-lost[e].z) < least {
				f.score[e] = min(f.score[e], least/2)
			}
		}
	}
	list := order(f.score, func(e int) bool { return v.candidate[e] && f.score[e] >= least })
	if len(list) > 0 {
		f.decided = list[:min(lostPlaces, len(list))]
		f.strength, f.margin = 1+.7*f.score[list[0]], 1
	}
	return f
}

func windowsOf(counts []LogCount) []int64 {
	var out []int64
	for i := range counts {
		out = append(out, counts[i].Window)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// driver is something that makes an entity write: its requests, or those of one operation.
type driver struct {
	now float64
	ref []float64 // By reference window.
}

// expectation is how many lines of a pattern the incident's requests should have written, after the
// driver that explains the reference windows best, and how much that varies. A line belongs to an
// operation; judged by all requests it would seem lost whenever people ask for other things.
func expectation(ref []float64, drivers []driver) (expected, variance float64, ok bool) {
	total := 0.0
	for _, n := range ref {
		total += n
	}
	bestFit := math.Inf(1)
	for i, d := range drivers {
		traffic := 0.0
		for _, n := range d.ref {
			traffic += n
		}
		if traffic <= 0 {
			continue
		}
		r := total / traffic
		fit, spread := 0.0, 0.0
		for j, n := range ref {
			want := r * d.ref[j]
			fit += (n - want) * (n - want) / (want + 1)
			if d.ref[j] > 0 {
				x := (n/d.ref[j] - r) * d.now
				spread += x * x / float64(len(ref))
			}
		}
		if i > 0 && len(ref) == 1 {
			// One window fits everything; a line once or twice per request is believed.
			if math.Abs(r-math.Round(r)) > .02 || r < .5 || r*d.now >= expected {
				continue
			}
		} else if fit = (fit + 1) * driverPrior(i); fit >= bestFit {
			continue
		}
		bestFit, expected, variance, ok = fit, r*d.now, spread, true
	}
	return expected, variance, ok
}

// driverPrior makes an operation fit clearly better than all requests do before it is preferred:
// there are many operations to choose from.
func driverPrior(i int) float64 {
	if i == 0 {
		return 1
	}
	return 2
}

// logDrivers are, by entity, first all of its requests (where spans tell; else those of the front
// door, else the incident's share of all lines), then its operations one by one.
func (v *view) logDrivers(refs []int64) [][]driver {
	now, door := v.requests(v.c.Spans)
	past, pastDoor := make([][]float64, len(refs)), make([]float64, len(refs))
	ops := v.operations(v.c.Spans, len(refs), -1, nil)
	for i, w := range refs {
		in := spansIn(v.c.SpansBaseline, w)
		past[i], pastDoor[i] = v.requests(in)
		ops = v.operations(in, len(refs), i, ops)
	}
	lines, linesPast := 0.0, make([]float64, len(refs))
	for i := range v.c.Logs {
		lines += v.c.Logs[i].Count
	}
	for i := range v.c.LogsBaseline {
		j, _ := slices.BinarySearch(refs, v.c.LogsBaseline[i].Window)
		linesPast[j] += v.c.LogsBaseline[i].Count
	}
	out := make([][]driver, len(v.names))
	for e := range out {
		all := driver{now: now[e], ref: make([]float64, len(refs))}
		switch {
		case now[e] > 0:
			for i := range refs {
				all.ref[i] = past[i][e]
			}
		case door > 0:
			all.now, all.ref = door, pastDoor
		default:
			all.now, all.ref = lines, linesPast
		}
		out[e] = append(out[e], all)
	}
	for _, k := range sortedOps(ops) {
		out[k.entity] = append(out[k.entity], *ops[k])
	}
	return out
}

// opKey is an operation that others call.
type opKey struct {
	entity int
	name   string
}

// operations adds the served operations of spans as window i of drivers; -1 is the incident's.
func (v *view) operations(spans []SpanCount, windows, i int, ops map[opKey]*driver) map[opKey]*driver {
	if ops == nil {
		ops = map[opKey]*driver{}
	}
	for j := range spans {
		s := &spans[j]
		e, ok := v.index[s.Entity]
		if !ok || s.Caller == s.Entity {
			continue
		}
		k := opKey{e, s.Operation}
		d := ops[k]
		if d == nil {
			d = &driver{ref: make([]float64, windows)}
			ops[k] = d
		}
		if i < 0 {
			d.now += s.Count
		} else {
			d.ref[i] += s.Count
		}
	}
	return ops
}

func sortedOps(ops map[opKey]*driver) []opKey {
	out := make([]opKey, 0, len(ops))
	for k := range ops {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b opKey) int { return cmp.Or(cmp.Compare(a.entity, b.entity), cmp.Compare(a.name, b.name)) })
	return out
}

// spansIn are the spans of the window that starts at or just after w; log and span windows of one
// time need not start at the same millisecond.
func spansIn(spans []SpanCount, w int64) []SpanCount {
	best := int64(math.MaxInt64)
	for i := range spans {
		if d := absInt(spans[i].Window - w); d < absInt(best-w) || best == math.MaxInt64 {
			best = spans[i].Window
		}
	}
	if best == math.MaxInt64 || absInt(best-w) > (5*time.Minute).Milliseconds() {
		return nil
	}
	var out []SpanCount
	for i := range spans {
		if spans[i].Window == best {
			out = append(out, spans[i])
		}
	}
	return out
}

func absInt(x int64) int64 { return max(x, -x) }

// requests counts what each entity served, and what came in from outside.
func (v *view) requests(spans []SpanCount) (byEntity []float64, door float64) {
	byEntity = make([]float64, len(v.names))
	for i := range spans {
		s := &spans[i]
		if s.Caller == s.Entity {
			continue
		}
		if e, ok := v.index[s.Entity]; ok {
			byEntity[e] += s.Count
		}
		if _, inside := v.index[s.Caller]; !inside {
			door += s.Count
		}
	}
	return byEntity, door
}
