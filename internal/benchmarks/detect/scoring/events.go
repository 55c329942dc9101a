package scoring

import (
	"math"
	"slices"
	"sort"
)

// Result is what a set's scores are worth. A figure that is not defined (no window, no alarm) is NaN.
type Result struct {
	Events    int
	Weeks     float64
	Recall    float64 // share of windows with a score above 1
	FalseRate float64 // episodes above 1 outside of windows, per series-week
	Precision float64
	F1        float64
	R1, R02   float64 // best recall with one threshold at no more than 1, 0.2 false alarms a series-week
	BestF1    float64 // with one threshold
	VUS       float64 // volume under the precision-recall surface, mean over series with an anomaly
	NAB       float64 // Numenta's score, standard profile, at threshold 1
	Kinds     map[string]float64
}

// flags are a series' scores as the count of events needs them.
type flags struct {
	*Series
	x []float64 // of scored rows
}

func (s *Series) scored(scores []float64) flags {
	f := flags{Series: s, x: make([]float64, len(s.keep))}
	for i, k := range s.keep {
		f.x[i] = scores[k]
	}
	return f
}

// episodes counts windows that hold a score above the threshold, and episodes of such scores
// outside of every window (with two steps before it and an hour, or two steps, after it). Scores
// nearer than ten minutes or three steps are one episode; it counts once for every six hours.
func (f *flags) episodes(threshold float64, hit func(window int)) (detected, falsely int) {
	var above []float64
	for i, x := range f.x {
		if x > threshold {
			above = append(above, f.times[i])
		}
	}
	if len(above) == 0 {
		return 0, 0
	}
	pre, post, gap := 2*f.Step, max(2*f.Step, 3600), max(600, 3*f.Step)
	keep := make([]bool, len(above))
	for i := range keep {
		keep[i] = true
	}
	for k, w := range f.windows {
		if i := sort.SearchFloat64s(above, w[0]-f.Step/2); i < len(above) && above[i] <= w[1]+pre {
			detected++
			if hit != nil {
				hit(k)
			}
		}
		for i := sort.SearchFloat64s(above, w[0]-pre); i < len(above) && above[i] <= w[1]+post; i++ {
			keep[i] = false
		}
	}
	first, last := math.NaN(), math.NaN()
	end := func() {
		if first == first {
			falsely += int(math.Ceil((last - first + f.Step) / 21600))
		}
	}
	for i, t := range above {
		if !keep[i] {
			continue
		}
		if !(t-last <= gap) {
			end()
			first = t
		}
		last = t
	}
	end()
	return detected, falsely
}

// Judge scores a set.
func (s *Set) Judge(scores Scores) Result {
	list := make([]flags, len(s.Series))
	r := Result{VUS: math.NaN(), NAB: math.NaN(), Kinds: map[string]float64{}}
	of := map[string]float64{}
	for i, x := range s.Series {
		list[i] = x.scored(scores[i])
		r.Events += len(x.windows)
		r.Weeks += x.Weeks
		for _, k := range x.Kinds {
			of[k]++
		}
	}
	count := func(threshold float64, kinds map[string]float64) (detected, falsely float64) {
		for i := range list {
			f := &list[i]
			var hit func(int)
			if kinds != nil && len(f.Kinds) > 0 {
				hit = func(w int) { kinds[f.Kinds[w]]++ }
			}
			d, n := f.episodes(threshold, hit)
			detected, falsely = detected+float64(d), falsely+float64(n)
		}
		return detected, falsely
	}
	events := float64(r.Events)
	d, f := count(1, r.Kinds)
	for k, n := range of {
		r.Kinds[k] /= n
	}
	r.Recall, r.FalseRate, r.Precision = d/events, f/r.Weeks, d/(d+f)
	r.F1 = harmonic(r.Precision, r.Recall)
	for _, threshold := range thresholds(list) {
		d, f := count(threshold, nil)
		recall, rate := d/events, f/r.Weeks
		if rate <= 1 {
			r.R1 = max(r.R1, recall)
		}
		if rate <= 0.2 {
			r.R02 = max(r.R02, recall)
		}
		if h := harmonic(d/(d+f), recall); h > r.BestF1 {
			r.BestF1 = h
		}
	}
	sum, n := 0.0, 0.0
	for i := range list {
		if v := volume(list[i].label, list[i].x, list[i].period); v == v {
			sum, n = sum+v, n+1
		}
	}
	r.VUS = sum / n
	if s.Name == "nab" {
		r.NAB = s.nab(scores)
	}
	return r
}

func harmonic(p, q float64) float64 { return 2 * p * q / (p + q) }

// thresholds are sixty of the scores above 0, evenly spaced in the logarithm of their rank.
func thresholds(list []flags) []float64 {
	var all []float64
	for _, f := range list {
		for _, x := range f.x {
			if x > 0 {
				all = append(all, x)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	slices.Reverse(all)
	var out []float64
	const n, least, most = 60, 1e-6, 0.3
	for i := range n {
		share := least * math.Pow(most/least, float64(i)/(n-1))
		out = append(out, all[min(len(all)-1, int(share*float64(len(all))))])
	}
	slices.Sort(out)
	return slices.Compact(out)
}
