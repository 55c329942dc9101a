package scoring

import (
	"cmp"
	"math"
	"slices"
)

// nab is the score of the Numenta Anomaly Benchmark, standard profile, at threshold 1 (Lavin and
// Ahmad 2015; numenta/NAB, scorer.py): an early score in a window is worth more than a late one,
// each row above the threshold outside of windows costs, more so far behind a window; 0 is a
// detector that never fires, 100 a perfect one. The first 15 % of rows, at most 750, do not count.
func (s *Set) nab(scores Scores) float64 {
	const miss, falseWeight = 1.0, 0.11
	sum, windows, counted := 0.0, 0.0, 0.0
	for i, x := range s.Series {
		n := len(x.Rows)
		first := make(map[float64]int, n)
		for k, r := range x.Rows {
			if _, ok := first[r.Time]; !ok {
				first[r.Time] = k
			}
		}
		weight := make([]float64, n)
		window := make([]int, n)
		for k := range weight {
			weight[k], window[k] = -falseWeight, -1
		}
		for w, b := range slices.SortedFunc(slices.Values(x.all), func(a, b Window) int { return cmp.Compare(a[0], b[0]) }) {
			left, right := first[b[0]], first[b[1]]
			width := float64(right - left + 1)
			for k := left; k <= right; k++ {
				weight[k] = sigmoid(-(float64(right-k)+1)/width) / sigmoid(-1)
				window[k] = w
			}
			for k := right + 1; k < n; k++ {
				if window[k] >= 0 {
					continue
				}
				weight[k] = -falseWeight
				if far := float64(k-right) / max(width-1, 1e-12); far <= 3 {
					weight[k] = sigmoid(far) * falseWeight
				}
			}
		}
		best := make([]float64, len(x.all))
		seen := make([]bool, len(x.all))
		for w := range best {
			best[w] = -miss
		}
		for k := min(int(0.15*float64(n)), 750); k < n; k++ {
			w := window[k]
			if w >= 0 {
				seen[w] = true
			}
			if scores[i][k] <= 1 {
				continue
			}
			if w >= 0 {
				best[w] = max(best[w], weight[k])
			} else {
				sum += weight[k]
			}
		}
		windows += float64(len(x.all))
		for w, ok := range seen {
			if ok {
				sum += best[w]
				counted++
			}
		}
	}
	null := -miss * counted
	return 100 * (sum - null) / (windows - null)
}

func sigmoid(x float64) float64 { return 2/(1+math.Exp(5*x)) - 1 }
