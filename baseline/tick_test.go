package baseline_test

import (
	"bytes"
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
	said := ""
	count := func(j float64, n int) (kept, withheld int) {
		jump, hit = j, n
		_, all, tick := fleet(t, cfg, 20, from, value)
		for _, f := range tick(from) {
			if f.Score.Withheld {
				withheld++
				said = f.Series.Explain().Text
				require.False(t, f.Series.Last().Active, "what is held back is not active")
				require.Greater(t, f.Series.Last().Raw, 1.0, "the score stays what it is")
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
	require.Contains(t, said, "; held back, since all series together may alarm 1e-30 times a week")
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
	require.Contains(t, always.Explain().Text, "No sample since Monday 23:55 UTC (12 h), 7 of 7 days have one at this time. Score ")
	night = nightly.Absent(monday.Add(time.Duration(noon) * 5 * time.Minute).UnixMilli()).Raw
	require.Zero(t, night, "a nightly job at noon")
	for i := 8 * 288; i < 8*288+24; i++ {
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

// wander is six series under one restless load that no season explains; from sample on the third leaves it.
func wander(leaves int) func(k, i int) float64 {
	return func(k, i int) float64 {
		if k == 2 && i >= leaves {
			return 100
		}
		return 100 + 60*math.Sin(float64(i)/37) + 40*math.Sin(float64(i)/11) + float64(5*k) + noise(7*i+k)
	}
}

func TestARestartForgetsNeitherSiblingsNorGroups(t *testing.T) {
	const from = 4 * 288
	value := wander(from)
	e, all, tick := fleet(t, baseline.DefaultConfig(), 6, from, value)
	var state bytes.Buffer
	require.NoError(t, e.Save(&state))
	after, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	require.NoError(t, after.Load(&state))
	again := make([]*baseline.Series, len(all))
	for k, s := range all {
		again[k] = after.Add("w", s.Labels(), 5*time.Minute, baseline.SeriesOptions{GroupBy: []string{"job"}})
		require.Equal(t, s.Last(), again[k].Last(), "the last score is there before the next sample")
	}
	said := map[string]bool{}
	for i := from; i < from+60; i++ {
		want := tick(i)
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		for k, s := range again {
			s.Observe(at, value(k, i))
		}
		got := after.EndTick("w", at)
		require.Len(t, got, len(want))
		for n, f := range want {
			require.Equal(t, f.Score, got[n].Score)
			said[f.Score.Detector] = true
		}
		for k := range all {
			require.Equal(t, all[k].Last(), again[k].Last())
			require.Equal(t, all[k].Explain(), again[k].Explain())
		}
	}
	require.True(t, said["peer_outlier"])
}

func TestPeersAreExplainedByTheirOwnNumbers(t *testing.T) {
	const from = 4 * 288
	_, all, tick := fleet(t, baseline.DefaultConfig(), 6, from, wander(from))
	for i := from; i < from+60; i++ {
		for _, f := range tick(from + i - from) {
			if f.Score.Detector != "peer_outlier" {
				continue
			}
			x := f.Series.Explain()
			require.Same(t, all[2], f.Series)
			led := 0.0
			_, err := fmt.Sscanf(x.Detail, `100, unlike its 5 siblings of {job="api"}, which lead to expect %g.`, &led)
			require.NoError(t, err, x.Text)
			require.InDelta(t, wander(1e9)(2, i), led, 2)
			require.Equal(t, `{job="api"}`, x.Group)
			return
		}
	}
	t.Fatal("no peer finding")
}

func TestAGroupThatPartsNamesItsContributors(t *testing.T) {
	const from = 4 * 288
	// Three follow one load and three another, so that nobody lies at a steady distance from the rest;
	// at the end one of them follows neither, and goes no farther than it ever does.
	value := func(k, i int) float64 {
		load := 10 * noise(i)
		if k >= 3 {
			load = 10 * noise(i/2+5000)
		}
		if k == 4 && i >= from {
			load = 10 * noise(3*i+70000)
		}
		return float64(100*(k+1)) + load + 0.05*noise(7*i+k)
	}
	_, all, tick := fleet(t, baseline.DefaultConfig(), 6, from, value)
	for i := from; i < from+100; i++ {
		for _, f := range tick(i) {
			if f.Score.Detector != "joint" {
				continue
			}
			x := f.Series.Explain()
			require.Same(t, all[4], f.Series)
			require.Regexp(t, `Does not move with its 5 siblings of \{job="api"\} as usual at .*: this one \d+ %.* it does not move as they usually do together: this one \d+ %`, x.Text)
			require.NotEmpty(t, x.Contributors)
			require.Empty(t, x.Contributors[0].Name, "the series itself")
			return
		}
	}
	t.Fatal("no joint finding")
}

func TestASiblingThatMissesAScrapeUnsettlesNobody(t *testing.T) {
	const from = 4 * 288
	value := func(k, i int) float64 { return float64(100*(k+1)) + 10*noise(i) + 0.05*noise(7*i+k) }
	e, all, _ := fleet(t, baseline.DefaultConfig(), 6, from, value)
	alarms := 0
	for i := from; i < from+2*288; i++ {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		for k, s := range all {
			if (i+k)%10 != 0 {
				s.Observe(at, value(k, i))
			}
		}
		alarms += len(e.EndTick("w", at))
	}
	require.Zero(t, alarms)
	gone := all[1]
	e.Remove(gone)
	e.Add("w", labels.FromStrings("job", "api", "instance", "new"), 5*time.Minute, baseline.SeriesOptions{GroupBy: []string{"job"}})
	for i := from + 2*288; i < from+3*288; i++ {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		for k, s := range all {
			if s != gone {
				s.Observe(at, value(k, i))
			}
		}
		require.Empty(t, e.EndTick("w", at))
	}
}

// Siblings and groups keep the budget on calm: a common load, own noise with a memory and heavy tails.
func TestCalmGroupsKeepTheBudget(t *testing.T) {
	const groups, members, days = 12, 6, 21
	alarms := 0
	for g := range groups {
		own := make([]float64, members)
		heavy := func(i int) float64 { return noise(i) / (0.15 + math.Abs(noise(3*i+1))) }
		value := func(k, i int) float64 {
			own[k] = 0.7*own[k] + heavy(100003*g+7919*k+31*i)
			return 100 + 30*math.Sin(2*math.Pi*float64(i)/288) + 10*noise(i/6+977*g) + float64(8*k) + own[k]
		}
		_, _, tick := fleet(t, baseline.DefaultConfig(), members, 2*288, value)
		for i := 2 * 288; i < days*288; i++ {
			for _, f := range tick(i) {
				if f.Score.Alarm > 1 {
					alarms++
				}
			}
		}
	}
	allowed := float64(groups*members*(days-2)) / 10
	t.Logf("%d alarms by peers and groups, %.0f allowed", alarms, allowed)
	require.LessOrEqual(t, float64(alarms), allowed)
}
