package scoring

import (
	"math"
	"slices"
)

// period is the lag of the highest local maximum of the autocorrelation in 3 to 303 samples of the
// first 20 000 values; 125 when there is none.
func period(values []float64) int {
	const none, most, lags = 125, 20000, 401
	x := slices.Clone(values[:min(len(values), most)])
	n := len(x)
	mean, any := 0.0, false
	for _, v := range x {
		mean += v / float64(n)
	}
	for i := range x {
		x[i] -= mean
		any = any || x[i] != 0
	}
	if n < 10 || !any {
		return none
	}
	a := make([]float64, 0, lags)
	for lag := 3; lag < min(lags, n); lag++ {
		sum := 0.0
		for i, v := range x[lag:] {
			sum += v * x[i]
		}
		a = append(a, sum)
	}
	best := -1
	for i := 1; i+1 < len(a); i++ {
		if a[i] > a[i-1] && a[i] > a[i+1] && (best < 0 || a[i] > a[best]) {
			best = i
		}
	}
	if best < 3 || best > 300 {
		return none
	}
	return best + 3
}

// volume is the volume under the precision-recall surface (Paparrizos et al. 2022, VUS-PR): the
// mean over buffer widths, up to a period, of the range-based average precision at 250 thresholds.
// A point in the buffer of a labelled stretch counts by the root of its nearness. NaN without both
// labelled and unlabelled points.
func volume(label []bool, score []float64, periodOf func() int) float64 {
	const steps = 250
	n := len(label)
	type stretch struct{ from, to int }
	var list []stretch
	positive := 0
	for i, l := range label {
		if !l {
			continue
		}
		positive++
		if i == 0 || !label[i-1] {
			list = append(list, stretch{i, i})
		}
		list[len(list)-1].to = i
	}
	if positive == 0 || positive == n {
		return math.NaN()
	}
	window := periodOf()
	sorted := slices.Clone(score)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	down := make([]float64, steps) // thresholds, falling
	for i := range down {
		down[i] = sorted[i*(n-1)/(steps-1)]
	}
	// The level of a point is the first threshold that it reaches.
	level := make([]int, n)
	predicted, core := make([]float64, steps), make([]float64, steps)
	for i, x := range score {
		l, _ := slices.BinarySearchFunc(down, x, func(a, b float64) int {
			if a > b {
				return -1
			}
			return 1
		})
		level[i] = min(l, steps-1)
		predicted[level[i]]++
		if label[i] {
			core[level[i]]++
		}
	}
	cumulate(predicted)
	cumulate(core)
	least := func(from, to int) int { // least level in [from, to)
		best := steps
		for _, l := range level[max(0, from):min(n, to)] {
			best = min(best, l)
		}
		return best
	}
	inside := make([]int, len(list))
	for i, s := range list {
		inside[i] = least(s.from, s.to+1)
	}
	// Unlabelled points near a stretch, by distance; a point may be near two.
	near := make([][]int, window/2+1)
	for k := 1; k <= window/2; k++ {
		for _, s := range list {
			for _, i := range [2]int{s.to + k, s.from - k} {
				if i >= 0 && i < n && !label[i] {
					near[k] = append(near[k], i)
				}
			}
		}
	}
	soft := make([]float64, n)
	var touched []int // points in any buffer so far, once each
	sum := 0.0
	extra, exist := make([]float64, steps), make([]float64, steps)
	for w := 0; w <= window; w++ {
		half := w / 2
		clear(extra)
		for k := 1; k <= half; k++ {
			weight := math.Sqrt(1 - float64(k)/float64(w))
			for _, i := range near[k] {
				if soft[i] == 0 && k == half && w%2 == 0 {
					touched = append(touched, i)
				}
				soft[i] += weight
			}
		}
		for _, i := range touched {
			extra[level[i]] += min(soft[i], 1)
			soft[i] = 0
		}
		cumulate(extra)
		clear(exist)
		hits, end, last := 0.0, math.MinInt, steps
		put := func() {
			if hits > 0 && last < steps {
				exist[last]++
			}
		}
		for i, s := range list {
			lv := inside[i]
			if half > 0 {
				lv = min(lv, least(s.from-half, s.from), least(s.to+1, s.to+half+1))
			}
			if end == math.MinInt || end < s.from-half {
				put()
				hits++
				last = lv
			} else {
				last = min(last, lv)
			}
			end = s.to + half
		}
		put()
		cumulate(exist)
		before := 0.0
		for l := range steps {
			tp := core[l] + extra[l]
			recall := min(tp/(float64(positive)+extra[l]/2), 1) * exist[l] / hits
			sum += (recall - before) * tp / predicted[l]
			before = recall
		}
	}
	return sum / float64(window+1)
}

func cumulate(x []float64) {
	for i := 1; i < len(x); i++ {
		x[i] += x[i-1]
	}
}
