package baseline_test

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// Real runs in which a test leads, and what it says then: the numbers captured are compared with the
// truth of the scenario.
func TestSentencesOfRealRunsAreTrue(t *testing.T) {
	const n = 15 * 288
	after := func(i int, x float64) float64 { return x * float64(b2i(i > n)) }
	for name, c := range map[string]struct {
		value    func(i int) float64
		detector string
		text     string
		truth    []float64 // of the captured numbers, within a fifth
	}{
		"a spike beyond all": {
			func(i int) float64 { return wave(i) + 300*float64(b2i(i == n+40)) }, "record_up",
			`^Spike to 438 \(3\.2x the usual\) at 03:20 UTC, usually \d+ to \d+\. 438, ([0-9.]+)x its usual Tuesday 03:20 UTC of ([0-9.]+), and well above ([0-9.]+), the highest it remembers\. Never so high in 15 days\. Score [0-9.]+ by record_up\. Season daily and weekly, fitted on 15 of 15 days\.$`,
			[]float64{438.0 / 138, 138, 152},
		},
		"a dip that other times know": {
			func(i int) float64 { return wave(i) - 90*float64(b2i(i == n+40)) }, "local_down",
			`^Dropped from ([0-9.]+) to 48\.2 at 03:20 UTC, usually \d+ to \d+\. 48\.2 where its last samples led to [0-9.]+, a drop of ([0-9.]+)\. Score`,
			[]float64{138, 90},
		},
		"the afternoon in the morning": {
			func(i int) float64 { return wave(i + 144*b2i(i > n+60)) }, "season_down",
			`^Low for a Tuesday 05:15 UTC: [0-9.]+ since 05:05 UTC \(10 min\), usually \d+ to \d+\. [0-9.]+, ([0-9.]+)x its usual Tuesday 05:15 UTC of ([0-9.]+)\. Score`,
			[]float64{0.34, 149},
		},
		"a shift by two deviations": {
			func(i int) float64 { return wave(i) + after(i, 12) }, "slow_up",
			`^Level moved up to 159 since 00:05 UTC \(4 h 20 min\), usually about 147\. .*; over the last hours on average (?:at least|about) ([0-9.]+) above what is usual for the time of day\. By itself within the usual`,
			[]float64{12 * (1 - math.Exp2(-4.33/4))}, // a mean with a half-life of four hours
		},
		"a small shift down": {
			func(i int) float64 { return wave(i) - after(i, 7) }, "cusum_short_down",
			`; over about the last 2 h on average at least ([0-9.]+) below what is usual for the time of day, time and again`, nil,
		},
		"a leak": {
			func(i int) float64 { return 40 + 0.5*noise(i) + 0.002*float64(i) + after(i, 0.05*float64(i-n)) }, "cusum_long_up",
			`^Drifting up by about ([0-9.]+) an hour since 01:40 UTC \(.*\): [0-9.]+, usually .*; its level has left its usual Tuesday \d\d:\d\d UTC of [0-9.]+: over about the last 12 h on average at least [0-9.]+ above it\. Never so high in 15 days\. Score [0-9.]+ by cusum_long_up\. If it stays so, taken as its new level within`,
			[]float64{12 * 0.052 * 0.95},
		},
		"a value that freezes": {
			func(i int) float64 { return wave(min(i, n)) }, "stuck",
			`^Stuck at 9\d(?:\.\d)? since 00:00 UTC \(15 min\), usually under 1 % of its samples repeat\. Stuck at 9\d(?:\.\d)? for (\d) samples \((\d+) min\), where under 1 % of its samples repeat the one before\. By itself within the usual`,
			[]float64{4, 15},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, n, 5*time.Minute, c.value)
			for i := n; i < n+288; i++ {
				sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), c.value(i))
				if sc.Raw <= 1 || sc.Detector != c.detector {
					continue
				}
				text := s.Explain().Text
				require.Regexp(t, c.text, text)
				got := regexp.MustCompile(c.text).FindStringSubmatch(text)[1:]
				for k, want := range c.truth {
					x, err := strconv.ParseFloat(got[k], 64)
					require.NoError(t, err)
					require.InEpsilon(t, want, x, 0.2, text)
				}
				return
			}
			t.Fatalf("%s never led", c.detector)
		})
	}
}

func TestExplanationsAreDeterministic(t *testing.T) {
	say := func() baseline.Explanation {
		s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		feed(s, monday, 15*288, 5*time.Minute, wave)
		s.Observe(monday.Add(15*24*time.Hour+6*time.Hour).UnixMilli(), 465)
		return s.Explain()
	}
	x := say()
	require.Equal(t, x, say())
	require.Greater(t, x.Score, 1.0)
	require.Regexp(t, `^Spike to 465 \(3\.1x the usual\) at 06:00 UTC, usually 1\d\d to 1\d\d\.$`, x.Summary)
	require.Regexp(t, `^465, 3\.1x its usual Tuesday 06:00 UTC of 15\d, .* Never so high in 15 days\. Score .* Season daily and weekly, fitted on 15 of 15 days\.$`, x.Detail)
	require.Equal(t, x.Summary+" "+x.Detail, x.Text)
}

func TestASentenceCountsTheDaysItRestsOnAndRemembers(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	var sc baseline.Score
	for i := range 28*288 + 145 {
		if day := i / 288; day == 9 || day == 10 { // two days of outage of the monitoring
			continue
		}
		v := wave(i)
		switch i {
		case 20*288 + 144:
			v = 300 // once, for one sample
		case 28*288 + 143, 28*288 + 144:
			v = 280
		}
		sc = s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), v)
	}
	require.Greater(t, sc.Raw, 1.0)
	text := s.Explain().Text
	require.Contains(t, text, " since 11:55 UTC (5 min), ")
	require.Contains(t, text, "Last so high 8 days before.", "the one sample is remembered, not the mean around it")
	require.Contains(t, text, "fitted on 26 of 28 days")
}

func TestALevelShiftIsAcceptedWhenItsSentenceSays(t *testing.T) {
	for _, by := range []float64{40, 120} {
		s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		shifted := func(i int) float64 { return wave(i) + by*float64(b2i(i >= 14*288)) }
		feed(s, monday, 14*288, 5*time.Minute, shifted)
		var at, said, accepted time.Duration
		run := 0
		for i := 14 * 288; i < 24*288 && accepted == 0; i++ {
			now := time.Duration(i-14*288) * 5 * time.Minute
			sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), shifted(i))
			if m := regexp.MustCompile(`taken as its new level within (?:(\d+) d ?)?(?:(\d+) h)?`).FindStringSubmatch(s.Explain().Text); m != nil && at == 0 && now >= 4*time.Hour {
				d, _ := strconv.Atoi("0" + m[1])
				h, _ := strconv.Atoi("0" + m[2])
				at, said = now, time.Duration(24*d+h)*time.Hour
			}
			if run++; sc.Value < sc.Lower || sc.Value > sc.Upper || sc.Raw > 1 {
				run = 0
			}
			if run == 36 { // three calm hours in a row
				accepted = now - 3*time.Hour
			}
		}
		require.NotZero(t, said, "a sentence said it")
		require.NotZero(t, accepted, "it was accepted")
		t.Logf("by %g: said %s, took %s", by, said, accepted-at)
		require.LessOrEqual(t, accepted-at, said)
		require.Greater(t, accepted-at, said/5, "what is said is of some use")
	}
}

func TestADayOffByTheCalendarIsNoSurpriseAndIsNamed(t *testing.T) {
	cfg := baseline.DefaultConfig()
	cfg.Holidays.Country, cfg.Holidays.Days = "DE", []string{"2026-03-30"} // and Good Friday, 3 April 2026
	e, err := baseline.NewEngine(cfg, nil)
	require.NoError(t, err)
	off := map[int]bool{28: true, 32: true}
	value := office(off)
	s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	alarms := 0
	for i := range 33 * 288 {
		sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), value(i))
		if off[i/288] {
			alarms += b2i(sc.Alarm > 1)
			require.Contains(t, s.Explain().Text, "; today is a day off by the calendar")
		}
	}
	require.Zero(t, alarms)
}
