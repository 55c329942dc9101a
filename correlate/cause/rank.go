package cause

import (
	"math"
	"slices"
	"time"
)

// deciders are the kinds of evidence that may place entities first, in the order in which they
// are asked; one row and one file per kind. The first that is sure leads the list, what later ones
// are sure of follows, and the fused rest comes after.
var deciders = []func(*view) finding{resource, edgeGap, spanGap, logPattern, excess}

// fused are the kinds whose ranks are added up for the rest of the list.
var fused = []func(*view) finding{ownAnomaly, residual, pageRank, correlation}

// Rank orders the case's candidates by how likely each is the cause. It is deterministic, does not
// change the case and does not panic on any input.
func Rank(c Case, opts Options) Ranking {
	v := newView(&c)
	start, end := v.window(opts)
	v.setStart(start, end)
	d := v.decide()
	return v.ranking(d, opts)
}

// window is the first and last millisecond of the fault.
func (v *view) window(opts Options) (start, end int64) {
	last := int64(math.MinInt64)
	for _, s := range v.series {
		if n := len(s.T); n > 0 {
			last = max(last, s.T[n-1])
		}
	}
	alert := v.c.AlertTime
	if alert.IsZero() && last > math.MinInt64 {
		alert = time.UnixMilli(last)
	}
	end = last
	start = alert.Add(-2 * v.step).UnixMilli()
	if !v.c.FaultTime.IsZero() && !opts.IgnoreFaultTime {
		start = v.c.FaultTime.UnixMilli()
	}
	return v.floor(start), end
}

// floor moves a start to the sample of the step in which it falls.
func (v *view) floor(start int64) int64 {
	best := start
	found := false
	for _, s := range v.series {
		i, _ := slices.BinarySearch(s.T, start+1)
		if i > 0 && start-s.T[i-1] < v.step.Milliseconds() && (!found || s.T[i-1] > best) {
			best, found = s.T[i-1], true
		}
	}
	return best
}

// decision is the outcome of all kinds of evidence.
type decision struct {
	findings []finding // Deciders, then fused.
	list     []int     // Candidates, best first.
	score    []float64
	by       *finding
}

func (v *view) decide() decision {
	var d decision
	placed := make([]bool, len(v.names))
	for _, kind := range deciders {
		d.findings = append(d.findings, kind(v))
	}
	for i := range d.findings {
		for _, e := range d.findings[i].decided {
			if v.candidate[e] && !placed[e] {
				placed[e] = true
				d.list = append(d.list, e)
				if d.by == nil {
					d.by = &d.findings[i]
				}
			}
		}
	}
	d.score = make([]float64, len(v.names))
	isCandidate := func(e int) bool { return v.candidate[e] }
	for _, kind := range fused {
		f := kind(v)
		for rank, e := range order(f.score, isCandidate) {
			d.score[e] += 1 / float64(3+rank)
		}
		d.findings = append(d.findings, f)
	}
	for i := range d.findings[:len(deciders)] {
		if f := &d.findings[i]; f.kind == "excess" {
			for rank, e := range order(f.score, func(e int) bool { return v.candidate[e] && f.score[e] > 0 }) {
				d.score[e] += 1 / float64(1+rank)
			}
		}
	}
	d.list = append(d.list, order(d.score, func(e int) bool { return v.candidate[e] && !placed[e] })...)
	return d
}

func (v *view) ranking(d decision, opts Options) Ranking {
	r := Ranking{Start: time.UnixMilli(v.start).UTC()}
	for rank, e := range d.list {
		c := Candidate{Entity: v.names[e], Score: 1 / float64(1+rank)}
		if rank < 10 {
			for i := range d.findings {
				if d.findings[i].evidence != nil {
					c.Evidence = append(c.Evidence, d.findings[i].evidence(e)...)
				}
			}
		}
		r.Candidates = append(r.Candidates, c)
	}
	if d.by != nil {
		r.DecidedBy = d.by.kind
	}
	return r
}
