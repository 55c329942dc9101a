package cause

import (
	"math"
	"slices"
	"time"
)

// window is the first and last millisecond of the fault.
func (v *view) window(opts Options) (start, end int64) {
	last, first := int64(math.MinInt64), int64(math.MaxInt64)
	for _, s := range v.series {
		if n := len(s.T); n > 0 {
			last, first = max(last, s.T[n-1]), min(first, s.T[0])
		}
	}
	for i := range v.c.Alerts {
		t := v.c.Alerts[i].Time.UnixMilli()
		if len(v.series) == 0 {
			last, first = max(last, t), min(first, t)
		}
	}
	if last == math.MinInt64 {
		last = v.c.AlertTime.UnixMilli()
	}
	end = last
	if !v.c.FaultTime.IsZero() && !opts.IgnoreFaultTime {
		return v.floor(v.c.FaultTime.Add(opts.StartOffset).UnixMilli()), end
	}
	alert := v.c.AlertTime
	if alert.IsZero() {
		alert = time.UnixMilli(last)
	}
	if first > last { // No sample and no alert.
		return alert.UnixMilli(), alert.UnixMilli()
	}
	if len(v.series) == 0 { // Alerts alone: the first of them.
		return first, end
	}
	return v.floor(v.findStart(alert.Add(opts.StartOffset).UnixMilli())), end
}

// Constants of the search for a start.
const (
	searchBack  = 30 * time.Minute // How long before the alert a fault may have started.
	searchSteps = 240              // Candidate starts at most.
	usualDelay  = 2 * time.Minute  // From a fault to its alert; two steps where these are longer.
	delaySpread = .7               // Of the delay's logarithm.
	jumpWeight  = 2.               // Of the best jump against the delay's prior.
	maxJump     = 5.               // Spreads beyond which a sample tells no more.
	symptomVote = 10.              // Series that the symptom outvotes.
)

// findStart looks for the time at which the levels of the series changed, most of all the
// symptom's, weighed with how long alerts usually take: many things change in half an hour that are
// not this fault. All series vote with the difference of their clipped levels before and after, as in
// a CUSUM test (Page 1954).
func (v *view) findStart(alert int64) int64 {
	grid := max(v.step.Milliseconds(), (searchBack / searchSteps).Milliseconds())
	n := int(searchBack.Milliseconds()/grid) + 1
	from := alert - int64(n-1)*grid
	jump := make([]float64, n)
	for _, s := range v.series {
		vote := 1.0
		if s.ent == v.symptom && s.peer < 0 && s.Metric == v.c.Symptom.Metric {
			vote = symptomVote
		}
		v.addJumps(jump, s, from, grid, vote)
	}
	top := 0.0
	for _, j := range jump {
		top = max(top, j)
	}
	usual := max(usualDelay, 2*v.step).Milliseconds()
	best, bestScore := alert-usual, math.Inf(-1)
	for i := n - 1; i >= 0; i-- {
		t := from + int64(i)*grid
		d := (math.Log(float64(alert-t)+float64(grid)/2) - math.Log(float64(usual))) / delaySpread
		score := -d * d / 2
		if top > 0 {
			score += jumpWeight * jump[i] / top
		}
		if score > bestScore {
			best, bestScore = t, score
		}
	}
	return best
}

// addJumps adds a series' vote for every candidate start from + i × grid.
func (v *view) addJumps(jump []float64, s *sample, from, grid int64, vote float64) {
	last := from + int64(len(jump)-1)*grid
	lo, _ := slices.BinarySearch(s.T, from-searchBack.Milliseconds())
	hi, _ := slices.BinarySearch(s.T, last+1)
	t, x := s.T[lo:min(hi, len(s.V))], s.V[lo:min(hi, len(s.V))]
	ref := v.scratch[:0]
	for _, y := range s.BaseV {
		if finite(y) {
			ref = append(ref, y)
		}
	}
	if len(ref) < minNormal {
		for _, y := range x {
			if finite(y) {
				ref = append(ref, y)
			}
		}
	}
	v.scratch = ref
	if len(ref) < 3 || len(x) < 3 {
		return
	}
	slices.Sort(ref)
	mid := quantile(ref, .5)
	spread := spreadOf(ref, mid*levelFloor(s.class.Kind))
	sum, count := 0.0, 0.0
	v.near = slices.Grow(v.near[:0], 2*(len(x)+1))[:2*(len(x)+1)]
	sums, counts := v.near[:len(x)+1], v.near[len(x)+1:]
	sums[0], counts[0] = 0, 0
	for i, y := range x {
		if finite(y) {
			sum += max(-maxJump, min(maxJump, (y-mid)/spread))
			count++
		}
		sums[i+1], counts[i+1] = sum, count
	}
	k := 0
	for i := range jump {
		for k < len(t) && t[k] < from+int64(i)*grid {
			k++
		}
		a, b := counts[k], count-counts[k]
		if a == 0 || b == 0 {
			continue
		}
		d := (sum-sums[k])/b - sums[k]/a
		jump[i] += vote * math.Abs(d) * math.Sqrt(a*b/(a+b))
	}
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
