package cause

import (
	"fmt"
	"slices"
)

// An edge gap decides at this strength and lead.
const (
	edgeGapStrength = 1.5
	edgeGapLead     = .1
)

// gap is a call measured on both sides.
type gap struct {
	client, server *sample
	strength       float64
	normal, now    float64 // Median difference, and the fault's mean.
	from, to       int64
}

// edgeGap compares the latency of calls as the caller and as the callee see it: the difference is
// spent on the way. An entity with a slow network delays the calls that come in; where nobody calls
// it, the calls that go out.
func edgeGap(v *view) finding {
	f := v.newFinding("edge_gap")
	incoming, outgoing := make([][]gap, len(v.names)), make([][]gap, len(v.names))
	for _, g := range v.gaps() {
		incoming[g.client.peer] = append(incoming[g.client.peer], g)
		outgoing[g.client.ent] = append(outgoing[g.client.ent], g)
	}
	for e := range v.names {
		switch in, out := incoming[e], outgoing[e]; {
		case len(in) > 0:
			for _, g := range in {
				f.score[e] += g.strength / float64(len(in))
			}
		case len(out) >= 2:
			f.score[e] = slices.MinFunc(out, func(a, b gap) int { return cmpFloat(a.strength, b.strength) }).strength
		}
	}
	f.evidence = func(e int) []Evidence {
		list := incoming[e]
		if len(list) == 0 {
			list = outgoing[e]
		}
		if len(list) == 0 || f.score[e] < 1 {
			return nil
		}
		g := slices.MaxFunc(list, func(a, b gap) int { return cmpFloat(a.strength, b.strength) })
		from, to := v.names[g.client.ent], v.names[g.client.peer]
		peer, wide := "", 0
		for _, g := range incoming[e] {
			if g.strength >= edgeGapStrength {
				wide++
			}
		}
		if wide == 1 {
			peer = from // Whoever else calls it is served in time.
		}
		return []Evidence{{
			Kind: f.kind, For: true, Entity: v.names[e], Peer: peer, Time: v.timeOf(g.client), Weight: f.score[e],
			From: msTime(g.from), To: msTime(g.to), Step: stepOf(g.client.T),
			Query: g.client.Query + " - " + g.server.Query, Value: g.now, Expected: ptr(g.normal),
			Text: fmt.Sprintf("Calls from %s to %s take %s longer for the caller than for the callee, normally %s: the time is spent between them.", from, to, g.client.say(g.now), g.client.say(g.normal)),
		}}
	}
	best, first, second := v.topTwo(f.score)
	if best >= 0 && first >= edgeGapStrength && first-second >= edgeGapLead {
		f.decided, f.strength, f.margin = []int{best}, .8*first, 1
	}
	return f
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// gaps pairs the two sides of every call, per time stamp.
func (v *view) gaps() []gap {
	type key struct {
		from, to int
		q        float64
		stat     Stat
	}
	servers := map[key]*sample{}
	for _, s := range v.peerings {
		if s.class.Kind == Latency && s.class.Side == SideServer {
			servers[key{s.ent, s.peer, s.class.Quantile, s.class.Stat}] = s
		}
	}
	// One pair per call: the median where there is one, else the mean, else the lowest quantile.
	best := map[[2]int]gap{}
	var calls [][2]int
	for _, s := range v.peerings {
		if s.class.Kind != Latency || s.class.Side != SideClient {
			continue
		}
		server := servers[key{s.ent, s.peer, s.class.Quantile, s.class.Stat}]
		if server == nil {
			continue
		}
		call := [2]int{s.ent, s.peer}
		old, ok := best[call]
		if !ok {
			calls = append(calls, call)
		}
		if !ok || gapChoice(s.class) < gapChoice(old.client.class) {
			best[call] = gap{client: s, server: server}
		}
	}
	var out []gap
	for _, call := range calls {
		g := best[call]
		if v.measureGap(&g) {
			out = append(out, g)
		}
	}
	return out
}

func gapChoice(c Class) float64 {
	switch {
	case c.Stat == StatQuantile && c.Quantile == .5:
		return 0
	case c.Stat == StatMean:
		return .1
	}
	return c.Quantile + .2
}

func (v *view) measureGap(g *gap) bool {
	normal := differences(g.client.normalT, g.client.normal, g.server.normalT, g.server.normal)
	now := differences(g.client.faultT, g.client.fault, g.server.faultT, g.server.fault)
	if len(normal) < 2 || len(now) == 0 {
		return false
	}
	n, f := sorted(normal), sorted(now)
	g.normal, g.now = quantile(n, .5), mean(now)
	g.from, g.to = g.client.faultT[0], g.client.faultT[len(g.client.faultT)-1]
	unit := max(quantile(n, .9)-g.normal, .05*abs(g.normal), .05*abs(g.client.median)*.2, latencyFloor(g.client))
	g.strength = strength((quantile(f, .75) - g.normal) / unit)
	return true
}

// latencyFloor is two milliseconds in the unit of the series.
func latencyFloor(s *sample) float64 {
	for _, w := range words(s.Metric) {
		if w == "ms" || w == "milliseconds" || w == "millis" {
			return 2
		}
	}
	return .002
}

func abs(x float64) float64 { return max(x, -x) }

// differences subtracts the samples of equal time stamps; both lists keep their own order, in which
// the base may come first.
func differences(at []int64, a []float64, bt []int64, b []float64) []float64 {
	by := make(map[int64]float64, len(bt))
	for i, t := range bt {
		by[t] = b[i]
	}
	var out []float64
	for i, t := range at {
		if x, ok := by[t]; ok {
			out = append(out, a[i]-x)
		}
	}
	return out
}
