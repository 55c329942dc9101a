package baseline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// fleet makes n siblings and feeds all of them for the given number of five-minute ticks.
func fleet(t *testing.T, cfg baseline.Config, n, ticks int, value func(k, i int) float64) (*baseline.Engine, []*baseline.Series, func(i int) []baseline.Finding) {
	t.Helper()
	e, err := baseline.NewEngine(cfg, nil)
	require.NoError(t, err)
	all := make([]*baseline.Series, n)
	for k := range all {
		all[k] = e.Add("w", labels.FromStrings("job", "api", "instance", fmt.Sprint(k)), 5*time.Minute, baseline.SeriesOptions{GroupBy: []string{"job"}})
	}
	tick := func(i int) []baseline.Finding {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		for k, s := range all {
			s.Observe(at, value(k, i))
		}
		return e.EndTick("w", at)
	}
	for i := range ticks {
		tick(i)
	}
	return e, all, tick
}

func TestOneUnlikeItsSiblingsIsFound(t *testing.T) {
	const from = 4 * 288
	// All follow the same restless load, which no season explains; at the end one leaves it.
	value := func(k, i int) float64 {
		load := 100 + 60*math.Sin(float64(i)/37) + 40*math.Sin(float64(i)/11)
		v := load + float64(5*k) + noise(7*i+k)
		if k == 2 && i >= from {
			v = 100
		}
		return v
	}
	_, all, tick := fleet(t, baseline.DefaultConfig(), 6, from, value)
	found := map[*baseline.Series]bool{}
	for i := range 60 {
		for _, f := range tick(from + i) {
			if f.Score.Kind == baseline.Peer {
				found[f.Series] = true
				require.Equal(t, `{job="api"}`, f.Group)
			}
		}
	}
	require.True(t, found[all[2]])
}

func TestFleetBudgetTakesWeakAlarmsBackAndKeepsAStorm(t *testing.T) {
	cfg := baseline.DefaultConfig()
	cfg.Budget.TotalPerWeek = 1e-30
	const from = 4 * 288
	jump := 0.0
	hit := 1
	value := func(k, i int) float64 {
		v := 50 + noise(31*i+k)
		if i == from && k < hit {
			v += jump
		}
		return v
	}
	count := func(j float64, n int) (kept, withheld int) {
		jump, hit = j, n
		_, all, tick := fleet(t, cfg, 20, from, value)
		for _, f := range tick(from) {
			if f.Withheld {
				withheld++
			}
		}
		for _, s := range all {
			if s.Last().Alarm > 1 {
				kept++
			}
		}
		return kept, withheld
	}
	kept, withheld := count(1.3, 1)
	require.Equal(t, []int{0, 1}, []int{kept, withheld}, "one weak alarm over the whole fleet's budget")
	kept, withheld = count(5000, 20)
	require.Equal(t, []int{20, 0}, []int{kept, withheld}, "a storm of strong ones")
}

func TestAbsenceIsJudgedByUsualPresence(t *testing.T) {
	e := engine(t)
	always := e.Add("w", labels.FromStrings("i", "always"), 5*time.Minute, baseline.SeriesOptions{})
	nightly := e.Add("w", labels.FromStrings("i", "nightly"), 5*time.Minute, baseline.SeriesOptions{})
	for i := range 8 * 288 {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		always.Observe(at, wave(i))
		if i%288 < 24 { // midnight to two
			nightly.Observe(at, 5+noise(i))
		}
	}
	noon := 8*288 + 144
	var worst, night float64
	for i := 8 * 288; i < noon; i++ {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		worst = max(worst, always.Absent(at).Raw)
	}
	require.Greater(t, worst, 1.0, "a series that is always there")
	require.Equal(t, baseline.Absence, always.Last().Kind)
	require.Equal(t, "No sample where one was expected", always.Explain().Text[:32])
	night = nightly.Absent(monday.Add(time.Duration(noon) * 5 * time.Minute).UnixMilli()).Raw
	require.Zero(t, night, "a nightly job at noon")
	for i := 8 * 288; i < 8*288+20; i++ {
		night = max(night, nightly.Absent(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli()).Raw)
	}
	require.Greater(t, night, 1.0, "a nightly job that did not run")
}

func TestBudgetIsTheOnlyKnob(t *testing.T) {
	alarms := func(window time.Duration) (n int) {
		cfg := baseline.DefaultConfig()
		cfg.Budget.Window = model.Duration(window)
		e, err := baseline.NewEngine(cfg, nil)
		require.NoError(t, err)
		s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		for _, sc := range feed(s, monday, 60*288, 5*time.Minute, func(i int) float64 {
			return math.Exp(3 * noise(i) * noise(3*i+1) * noise(i/7) * 8) // heavy tails
		}) {
			if sc.Alarm > 1 {
				n++
			}
		}
		return n
	}
	tight, loose := alarms(90*24*time.Hour), alarms(24*time.Hour)
	require.Less(t, tight, loose)
}

func TestTheTickOfAnotherWatchTeachesNothing(t *testing.T) {
	value := func(k, i int) float64 { return 100 + 60*math.Sin(float64(i)/37) + float64(5*k) + noise(7*i+k) }
	cfg := baseline.DefaultConfig()
	cfg.Budget.TotalPerWeek = 1
	_, alone, tick := fleet(t, cfg, 6, 600, value)
	e, beside, tickBeside := fleet(t, cfg, 6, 600, value)
	for i := 600; i < 1200; i++ {
		for range 3 {
			require.Empty(t, e.EndTick("another", monday.Add(time.Duration(i)*5*time.Minute).UnixMilli()))
		}
		require.Len(t, tickBeside(i), len(tick(i)))
		for k := range alone {
			require.Equal(t, alone[k].Last(), beside[k].Last())
		}
	}
}
