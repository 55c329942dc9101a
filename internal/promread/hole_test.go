package promread_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

// scraped are counters and gauges that are scraped every 15 s for two hours, but for the holes.
func scraped(n int, every time.Duration, jitter int64, hole func(pod int, at time.Duration) bool) []testSeries {
	var out []testSeries
	for pod := range n {
		counter := testSeries{lset: labels.FromStrings("__name__", "idle_seconds_total", "pod", fmt.Sprint(pod))}
		gauge := testSeries{lset: labels.FromStrings("__name__", "level", "pod", fmt.Sprint(pod))}
		for at := time.Duration(0); at <= 2*time.Hour; at += every {
			if hole(pod, at) {
				continue
			}
			t := at.Milliseconds()
			if jitter > 0 {
				t += t * 7919 % jitter
			}
			counter.samples = append(counter.samples, sample{t, 0.9 * float64(t) / 1000})
			gauge.samples = append(gauge.samples, sample{t, 20})
		}
		out = append(out, counter, gauge)
	}
	return out
}

func during(from, to time.Duration) func(int, time.Duration) bool {
	return func(_ int, at time.Duration) bool { return at > from && at < to }
}

func of(pods int, hole func(int, time.Duration) bool) func(int, time.Duration) bool {
	return func(pod int, at time.Duration) bool { return pod < pods && hole(pod, at) }
}

func TestStepsWhoseWindowReachesOverAHoleAreTorn(t *testing.T) {
	const rate, used, gauge = `rate(idle_seconds_total[5m])`, `1 - sum(rate(idle_seconds_total[5m])) / 4`, `level`
	never := func(int, time.Duration) bool { return false }
	for name, c := range map[string]struct {
		expr   string
		every  time.Duration
		jitter int64
		hole   func(int, time.Duration) bool
		// The minutes that are torn, and those without a value; both ends included.
		torn, none [][2]int
	}{
		"regular scrapes":                       {expr: rate, hole: never, torn: [][2]int{{1, 4}}}, // The first window reaches to before the first scrape.
		"regular scrapes through the engine":    {expr: used, hole: never, torn: [][2]int{{1, 4}}},
		"scrapes that jitter by a third":        {expr: rate, jitter: 5000, hole: never, torn: [][2]int{{1, 4}}},
		"a gauge has no window to fill":         {expr: gauge, hole: never},
		"one scrape in twenty is no hole":       {expr: rate, hole: during(60*time.Minute-10*time.Second, 60*time.Minute+10*time.Second), torn: [][2]int{{1, 4}}},
		"one scrape in five is one":             {expr: rate, every: time.Minute, hole: during(60*time.Minute-10*time.Second, 60*time.Minute+10*time.Second), torn: [][2]int{{1, 3}, {61, 64}}},
		"two minutes without scrapes":           {expr: rate, hole: during(60*time.Minute, 62*time.Minute), torn: [][2]int{{1, 4}, {61, 66}}},
		"two minutes, through the engine":       {expr: used, hole: during(60*time.Minute, 62*time.Minute), torn: [][2]int{{1, 4}, {61, 66}}},
		"two minutes of a gauge":                {expr: gauge, hole: during(60*time.Minute, 62*time.Minute), torn: [][2]int{{61, 61}}},
		"longer than the window":                {expr: rate, hole: during(60*time.Minute, 80*time.Minute), torn: [][2]int{{1, 4}, {61, 64}, {81, 84}}, none: [][2]int{{65, 80}}},
		"longer than the window, by the engine": {expr: used, hole: during(60*time.Minute, 80*time.Minute), torn: [][2]int{{1, 4}, {61, 64}, {81, 84}}, none: [][2]int{{65, 80}}},
		"longer than the lookback of a gauge":   {expr: gauge, hole: during(60*time.Minute, 80*time.Minute), torn: [][2]int{{61, 64}}, none: [][2]int{{65, 79}}},
		"two holes in one window": {expr: rate, hole: func(_ int, at time.Duration) bool {
			return during(60*time.Minute, 61*time.Minute)(0, at) || during(63*time.Minute, 64*time.Minute)(0, at)
		}, torn: [][2]int{{1, 4}, {61, 68}}},
		"a hole of one series of four in a sum":  {expr: used, hole: of(1, during(60*time.Minute, 62*time.Minute)), torn: [][2]int{{1, 4}}},
		"a hole of three series of four":         {expr: used, hole: of(3, during(60*time.Minute, 62*time.Minute)), torn: [][2]int{{1, 4}, {61, 66}}},
		"a series that begins late":              {expr: rate, hole: during(-1, 60*time.Minute), torn: [][2]int{{61, 64}}, none: [][2]int{{1, 60}}},
		"a hole just before the first step read": {expr: rate, hole: during(-1, 2*time.Minute), torn: [][2]int{{3, 6}}, none: [][2]int{{1, 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			every := c.every
			if every == 0 {
				every = 15 * time.Second
			}
			srv := &server{series: scraped(4, every, c.jitter, c.hole)}
			plain, _ := client(t, srv)
			marked := promread.Scrapes{Client: plain}
			in := func(ranges [][2]int, m int) bool {
				for _, r := range ranges {
					if m >= r[0] && m <= r[1] {
						return true
					}
				}
				return false
			}
			from, to := time.UnixMilli(60_000), time.UnixMilli(119*60_000)
			want := evaluate(t, plain, c.expr, from, to, time.Minute)
			got := map[string]map[int64]float64{}
			require.NoError(t, marked.Range(t.Context(), c.expr, from, to, time.Minute, func(ls labels.Labels, ts []int64, vs []float64) error {
				for i := range ts {
					if got[ls.String()] == nil {
						got[ls.String()] = map[int64]float64{}
					}
					got[ls.String()][ts[i]] = vs[i]
				}
				return nil
			}))
			require.Len(t, got, len(want))
			for ls, values := range got {
				for m := 1; m < 119; m++ {
					at := int64(m) * 60_000
					v, ok := values[at]
					require.Equal(t, !in(c.none, m), ok, "%s has a value at minute %d", ls, m)
					if !ok {
						continue
					}
					isTorn := math.Float64bits(v) == math.Float64bits(promread.Torn())
					require.Equal(t, in(c.torn, m), isTorn, "%s is torn at minute %d", ls, m)
					if !isTorn {
						require.Equal(t, want[ls][at], math.Float64bits(v), "what is whole is what Prometheus gives")
					}
					// Read alone, as a live process does, the step is the same.
					require.NoError(t, marked.Range(t.Context(), c.expr, time.UnixMilli(at), time.UnixMilli(at), time.Minute, func(one labels.Labels, _ []int64, x []float64) error {
						if one.String() == ls {
							require.Equal(t, math.Float64bits(v), math.Float64bits(x[0]), "minute %d", m)
						}
						return nil
					}))
				}
			}
		})
	}
}

func TestSeriesThatComeIrregularlyHaveNoHoles(t *testing.T) {
	srv := &server{}
	x := testSeries{lset: labels.FromStrings("__name__", "pushed_total")}
	at := int64(0)
	for i := range 2000 {
		at += int64(2000 + 26_000*(i*7919%13)*(i*104729%11)/120) // 2 s to 28 s, in no order.
		x.samples = append(x.samples, sample{at, float64(i)})
	}
	srv.series = append(srv.series, x)
	c, _ := client(t, srv)
	torn, n := 0, 0
	require.NoError(t, promread.Scrapes{Client: c}.Range(t.Context(), `rate(pushed_total[5m])`, time.UnixMilli(600_000), time.UnixMilli(at), time.Minute, func(_ labels.Labels, _ []int64, vs []float64) error {
		for _, v := range vs {
			n++
			if math.Float64bits(v) == math.Float64bits(promread.Torn()) {
				torn++
			}
		}
		return nil
	}))
	require.Greater(t, n, 100)
	require.LessOrEqual(t, torn, n/20)
}

func TestWindowOfAnExpression(t *testing.T) {
	for expr, want := range map[string]time.Duration{
		`up`: 0, `up offset 1h`: 0, `rate(x[5m])`: 5 * time.Minute, `1 - avg by (a) (rate(x[2m])) + y`: 2 * time.Minute,
		`max_over_time(rate(x[5m])[30m:1m])`: 35 * time.Minute, `rate(x[5m]) / rate(y[1h])`: time.Hour, `rate(x[`: 0,
	} {
		require.Equal(t, want, promread.Window(expr), expr)
	}
}
