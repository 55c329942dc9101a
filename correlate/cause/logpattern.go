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
	ratio := v.trafficRatio(refs)
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
		scale := ratio[r.entity]
		if scale == nil {
			continue
		}
		p := patternCount{pattern: r.pattern, query: r.query, now: r.now}
		var total, traffic float64
		for i, n := range r.ref {
			total += n
			traffic += scale[i]
		}
		if traffic <= 0 {
			continue
		}
		p.expected = total / traffic
		variance := 0.0
		for i, n := range r.ref {
			if scale[i] > 0 {
				d := n/scale[i] - p.expected
				variance += d * d / float64(len(r.ref))
			}
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
			if abs(p.z) < 1.5 {
				continue
			}
			ev := Evidence{
				Kind: f.kind, For: true, Entity: v.names[e], Query: p.query, Time: time.UnixMilli(v.start).UTC(),
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
	list := order(f.score, func(e int) bool { return v.candidate[e] && f.score[e] >= lostStrength })
	if len(list) > 0 {
		f.decided = list[:min(lostPlaces, len(list))]
		f.strength, f.margin = max(2, f.score[list[0]]), 1
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

// trafficRatio is, by entity and reference window, how many of the incident's requests that window
// had: the entity's own requests where spans tell, else the front door's, else the incident's share
// of all lines.
func (v *view) trafficRatio(refs []int64) [][]float64 {
	out := make([][]float64, len(v.names))
	now, door := v.requests(v.c.Spans)
	past := make([][]float64, len(refs))
	pastDoor := make([]float64, len(refs))
	for i, w := range refs {
		past[i], pastDoor[i] = v.requests(spansIn(v.c.SpansBaseline, w))
	}
	lines, linesPast := 0.0, make([]float64, len(refs))
	for i := range v.c.Logs {
		lines += v.c.Logs[i].Count
	}
	for i := range v.c.LogsBaseline {
		j, _ := slices.BinarySearch(refs, v.c.LogsBaseline[i].Window)
		linesPast[j] += v.c.LogsBaseline[i].Count
	}
	for e := range out {
		scale := make([]float64, len(refs))
		own := now[e] > 0
		for i := range refs {
			own = own && past[i][e] >= 0
		}
		total := 0.0
		for i := range refs {
			switch {
			case own:
				scale[i] = past[i][e] / now[e]
			case door > 0:
				scale[i] = pastDoor[i] / door
			case lines > 0:
				scale[i] = linesPast[i] / lines
			}
			total += scale[i]
		}
		if own && total == 0 { // Never called before: nothing to compare with.
			continue
		}
		out[e] = scale
	}
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
