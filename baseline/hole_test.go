package baseline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func TestSamplesAfterAHole(t *testing.T) {
	const n = 4 * 1440 // minutes
	level := func(i int) float64 { return 50 + 20*math.Sin(2*math.Pi*float64(i)/1440) + noise(i) }
	// short is what rate makes of a counter whose scrapes have a hole that ends at to: too little, until the window is full.
	short := func(to int) func(int) float64 {
		return func(i int) float64 { return level(i) * min(1, float64(i-to+1)/5) }
	}
	for name, c := range map[string]struct {
		window   time.Duration
		from, to int // the minutes without a sample
		value    func(i int) float64
		silent   int  // samples after the hole that are not scored
		scored   bool // does one of the ten after it score above 1?
	}{
		"a gauge is scored at once":                        {from: n, to: n + 30, value: level},
		"a gauge that comes back elsewhere is told":        {from: n, to: n + 30, value: func(i int) float64 { return level(i) + 40 }, scored: true},
		"a rate, no window given: anomalies by themselves": {from: n, to: n + 30, value: short(n + 30), scored: true},
		"a rate after a long hole":                         {window: 5 * time.Minute, from: n, to: n + 30, value: short(n + 30), silent: 5},
		"a rate after hours":                               {window: 5 * time.Minute, from: n, to: n + 300, value: short(n + 300), silent: 5},
		"a rate after one missing step":                    {window: 5 * time.Minute, from: n, to: n + 1, value: short(n + 1), silent: 5},
		"a rate that comes back elsewhere is told, later":  {window: 5 * time.Minute, from: n, to: n + 30, value: func(i int) float64 { return level(i) + 40 }, silent: 5, scored: true},
		"a counter's increase over ten minutes":            {window: 10 * time.Minute, from: n, to: n + 30, value: func(i int) float64 { return level(i) * min(1, float64(i-n-29)/10) }, silent: 10},
		"marked by the reader: no step missing, no window": {from: n, to: n, value: func(i int) float64 { return torn(i < n+6, level(i)) }, silent: 6},
		"marked by the reader for longer than the window":  {window: 5 * time.Minute, from: n, to: n, value: func(i int) float64 { return torn(i < n+8, level(i)) }, silent: 8},
		"no hole": {window: 5 * time.Minute, from: n, to: n, value: level},
		"a hole whose end hides an anomaly, which is told then": {window: 5 * time.Minute, from: n, to: n + 3, value: func(i int) float64 { return level(i) + 60 }, silent: 5, scored: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), time.Minute, baseline.SeriesOptions{Window: c.window})
			feed(s, monday, c.from, time.Minute, level)
			before := s.Last()
			after, silent, worst := 0, 0, 0.0
			for i := c.to; i < c.to+12; i++ {
				sc := s.Observe(monday.Add(time.Duration(i)*time.Minute).UnixMilli(), c.value(i))
				after++
				if sc.State == baseline.AfterGap {
					require.Equal(t, silent, after-1, "the silence is one stretch, from the first sample on")
					silent++
					require.Zero(t, sc.Raw)
					require.Zero(t, sc.Alarm)
					x := s.Explain()
					require.Equal(t, "after a gap", x.State)
					require.Contains(t, x.Text, "After a gap in its samples")
					for _, e := range s.Evidence() {
						require.Zero(t, e.Score, e.Detector)
					}
					continue
				}
				require.Equal(t, before.State, sc.State)
				worst = max(worst, sc.Raw)
			}
			require.Equal(t, c.silent, silent)
			require.Equal(t, c.scored, worst > 1, "worst score %.2f", worst)
		})
	}
}

func torn(when bool, v float64) float64 {
	if when {
		return baseline.Torn()
	}
	return v
}

// What is not scored is not learned either: the state is that of a series that never had those samples.
func TestTornSamplesTeachNothing(t *testing.T) {
	const hole = 3 * 1440
	run := func(value func(i int) float64) []baseline.Score {
		s := engine(t).Add("w", labels.EmptyLabels(), time.Minute, baseline.SeriesOptions{Window: 5 * time.Minute})
		feed(s, monday, hole, time.Minute, wave1)
		var out []baseline.Score
		for i := hole + 20; i < hole+1440; i++ {
			if sc := s.Observe(monday.Add(time.Duration(i)*time.Minute).UnixMilli(), value(i)); sc.State != baseline.AfterGap {
				out = append(out, sc)
			}
		}
		return out
	}
	require.Equal(t, run(wave1), run(func(i int) float64 {
		if i < hole+25 {
			return 1e6 * noise(i)
		}
		return wave1(i)
	}))
}

func wave1(i int) float64 { return 100 + 50*math.Sin(2*math.Pi*float64(i)/1440) + 4*noise(i) }

func TestAHoleJustBeforeTheStart(t *testing.T) {
	for name, step := range map[string]time.Duration{"the step is known": time.Minute, "the samples tell the step": 0} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), step, baseline.SeriesOptions{Window: 5 * time.Minute})
			scores := feed(s, monday, 3*1440, time.Minute, func(i int) float64 { return 50*min(1, float64(i+1)/5) + noise(i) })
			for i, sc := range scores {
				require.Equal(t, i < 5, sc.State == baseline.AfterGap, "minute %d", i)
				require.LessOrEqual(t, sc.Raw, 1.0)
			}
			low := scores[len(scores)-1].Lower
			require.Greater(t, low, 45.0, "the ramp was not learned as usual")
		})
	}
}

func TestFiledHistoryLeavesTornSamplesOut(t *testing.T) {
	var at []int64
	var v []float64
	for i := range 7 * 1440 {
		if m := i % 1440; m >= 600 && m < 630 { // a hole every day
			continue
		}
		x := wave1(i)
		if m := i % 1440; m >= 630 && m < 635 {
			x = 1e6
		}
		at, v = append(at, monday.Add(time.Duration(i)*time.Minute).UnixMilli()), append(v, x)
	}
	s := engine(t).Add("w", labels.EmptyLabels(), time.Minute, baseline.SeriesOptions{Window: 5 * time.Minute})
	s.Learn(at, v, at[5*1380], nil)
	for _, p := range s.Profile() {
		require.Less(t, p.Expected, 200.0)
	}
}

// While no series of any watch gives a sample it is the monitoring that is down.
func TestNobodyIsAbsentWhileTheMonitoringIsDown(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("monitoring down: %v", down), func(t *testing.T) {
			e := engine(t)
			s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, 8*288, 5*time.Minute, wave)
			worst := 0.0
			for i := 8 * 288; i < 8*288+40; i++ {
				at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
				if down && i < 8*288+38 {
					e.Blind(at)
				}
				worst = max(worst, s.Absent(at).Raw)
			}
			require.Equal(t, !down, worst > 1)
		})
	}
}
