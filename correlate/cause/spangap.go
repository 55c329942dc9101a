package cause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A span gap decides when the delay per call is this many usual calls long and explains this share
// of all lost time; two are placed, as a caller's minutes often call both.
const (
	spanDelay    = 20
	spanShare    = .25
	spanPlaces   = 2
	spanClear    = 12 // Usual calls of lost time that make a caller's minute clearly late.
	minUsualCall = 5  // Milliseconds.
	spanStrength = 2  // For the confidence: how clear a gap is tells little about who is right.
)

// callMinute is what one caller did in one minute.
type callMinute struct {
	caller int
	time   int64
	client float64         // Milliseconds in client spans.
	server float64         // Milliseconds in the server spans it caused.
	calls  map[int]float64 // By callee.
	total  float64
	excess float64

	clientTime, serverTime, serverCount queries // What reads the numbers above again.
	callCount                           map[int]*queries
}

// queries are added up, each once.
type queries []string

func (q *queries) add(s string) {
	if !slices.Contains(*q, s) {
		*q = append(*q, s)
	}
}

func (q *queries) sum() string { return "(" + strings.Join(*q, " + ") + ")" }

// lostPerCall reads again what a minute lost per call to c; empty: nothing does.
func (m *callMinute) lostPerCall(c int, usual float64) string {
	calls := m.callCount[c]
	for _, q := range []*queries{&m.clientTime, &m.serverTime, &m.serverCount, calls} {
		if q == nil || len(*q) == 0 || slices.Contains(*q, "") {
			return ""
		}
	}
	slices.Sort(*calls)
	return fmt.Sprintf("(%s - %s - (%s) * %s) / %s", m.clientTime.sum(), m.serverTime.sum(), strconv.FormatFloat(usual, 'g', -1, 64), m.serverCount.sum(), calls.sum())
}

// spanGap finds the callee whose calls lose time between client and server where client spans do
// not name the callee: the callee and the delay per call that explain the callers' lost time best.
func spanGap(v *view) finding {
	f := v.newFinding("span_gap")
	now, past := v.callMinutes(v.c.Spans), v.callMinutes(v.c.SpansBaseline)
	if len(now) == 0 || len(past) == 0 {
		return f
	}
	usual, unit := normalGaps(past, len(v.names)), v.usualCall()
	all := 0.0
	for _, m := range now {
		m.excess = max(0, m.client-m.server-m.total*usual[m.caller])
		all += m.excess
	}
	if all <= 0 {
		return f
	}
	delay, share := make([]float64, len(v.names)), make([]float64, len(v.names))
	shown := make([]*callMinute, len(v.names)) // The minute that the delay is taken from.
	weight := func(m *callMinute) float64 { return math.Log1p(m.excess / (unit * spanClear / 3)) }
	late := 0.0
	for _, m := range now {
		if m.excess > spanClear*unit {
			late += weight(m)
		}
	}
	for c := range v.names {
		var mine []*callMinute
		for _, m := range now {
			if m.calls[c] > 0 {
				mine = append(mine, m)
			}
		}
		shown[c], share[c] = bestDelay(mine, c, all, unit)
		if shown[c] != nil {
			delay[c] = shown[c].excess / shown[c].calls[c]
		}
		if delay[c] == 0 {
			continue
		}
		var hit, count float64
		for _, m := range mine {
			if m.excess > spanClear*unit {
				hit += weight(m)
				count++
			}
		}
		f.score[c] = share[c]
		if hit > 0 {
			recall, precision := hit/late, count/float64(len(mine))
			f.score[c] += .5 * 2 * recall * precision / (recall + precision)
		}
		f.score[c] = max(0, f.score[c])
	}
	f.evidence = func(e int) []Evidence {
		if share[e] < .1 || delay[e] < spanDelay*unit {
			return nil
		}
		query := shown[e].lostPerCall(e, usual[shown[e].caller])
		if query == "" {
			query = "spans: client - server time of calls to " + v.names[e]
		}
		return []Evidence{{
			Kind: f.kind, For: true, Entity: v.names[e], Query: query,
			Time: msTime(v.start), Value: delay[e], Expected: ptr(0), Weight: f.score[e],
			Text: fmt.Sprintf("Calls to %s lose about %s ms each between caller and callee; that explains %s of all lost time.", v.names[e], number(delay[e]), percent(share[e])),
		}}
	}
	list := order(f.score, func(e int) bool {
		return v.candidate[e] && delay[e] >= spanDelay*unit && share[e] >= spanShare
	})
	if len(list) > 0 {
		f.decided = list[:min(spanPlaces, len(list))]
		f.strength, f.margin = spanStrength, 1
	}
	return f
}

// bestDelay finds the minute whose delay per call to c explains most of the lost time of the minutes that
// call c, in absolute error, so that one big minute does not decide.
func bestDelay(mine []*callMinute, c int, all, unit float64) (best *callMinute, share float64) {
	for _, x := range mine {
		d := x.excess / x.calls[c]
		if d < 2*unit {
			continue
		}
		sum := 0.0
		for _, m := range mine {
			want := d * m.calls[c]
			sum += min(m.excess, want) - max(0, want-m.excess)
		}
		if s := sum / all; best == nil || s > share {
			best, share = x, s
		}
	}
	return best, share
}

// callMinutes sums spans by caller and minute, ordered.
func (v *view) callMinutes(spans []SpanCount) []*callMinute {
	type key struct {
		caller int
		time   int64
	}
	by := map[key]*callMinute{}
	var out []*callMinute
	for i := range spans {
		s := &spans[i]
		name := s.Caller
		if s.Client {
			name = s.Entity
		} else if s.Caller == s.Entity {
			continue
		}
		a, ok := v.index[name]
		if !ok {
			continue
		}
		k := key{a, s.Time}
		m := by[k]
		if m == nil {
			m = &callMinute{caller: a, time: s.Time, calls: map[int]float64{}, callCount: map[int]*queries{}}
			by[k] = m
			out = append(out, m)
		}
		if s.Client {
			m.client += s.Count * s.MeanMs
			m.clientTime.add(s.TimeQuery)
			continue
		}
		m.server += s.Count * s.MeanMs
		m.total += s.Count
		m.serverTime.add(s.TimeQuery)
		m.serverCount.add(s.CountQuery)
		if c, ok := v.index[s.Entity]; ok {
			m.calls[c] += s.Count
			if m.callCount[c] == nil {
				m.callCount[c] = &queries{}
			}
			m.callCount[c].add(s.CountQuery)
		}
	}
	out = slices.DeleteFunc(out, func(m *callMinute) bool { return m.client == 0 || m.total == 0 })
	slices.SortFunc(out, func(a, b *callMinute) int {
		return cmp.Or(cmp.Compare(a.caller, b.caller), cmp.Compare(a.time, b.time))
	})
	return out
}

// normalGaps is the median time per call that a caller loses in normal times; callers without
// reference get the median over all.
func normalGaps(past []*callMinute, n int) []float64 {
	by := make([][]float64, n)
	var all []float64
	for _, m := range past {
		g := (m.client - m.server) / m.total
		by[m.caller], all = append(by[m.caller], g), append(all, g)
	}
	slices.Sort(all)
	out := make([]float64, n)
	for i, g := range by {
		slices.Sort(g)
		out[i] = quantile(g, .5)
		if len(g) == 0 {
			out[i] = quantile(all, .5)
		}
	}
	return out
}

// usualCall is the median duration of served calls in the reference.
func (v *view) usualCall() float64 {
	var d []float64
	for i := range v.c.SpansBaseline {
		if s := &v.c.SpansBaseline[i]; s.Caller != s.Entity && s.Count > 0 {
			d = append(d, s.MeanMs)
		}
	}
	slices.Sort(d)
	return max(minUsualCall, quantile(d, .5))
}
