package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/season"
)

// office is traffic with a working-day hump, a weekend, and days off by number.
func office(off map[int]bool) func(i int) float64 {
	return func(i int) float64 {
		day, hour := i/288, float64(i%288)/12
		amp := 100.0
		if day%7 >= 5 || off[day] {
			amp = 20
		}
		return 40 + amp*math.Exp(-(hour-14)*(hour-14)/18) + 4*noise(i)
	}
}

func TestHolidaysThatNoCalendarKnew(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	value := office(map[int]bool{30: true})
	feed(s, monday, 30*288, 5*time.Minute, value)
	var text string
	alarms := 0
	for i := 30 * 288; i < 31*288; i++ {
		sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), value(i))
		alarms += b2i(sc.Alarm > 1)
		if i%288 == 200 {
			text = s.Explain().Text
		}
	}
	require.LessOrEqual(t, alarms, 1)
	require.Contains(t, text, "today behaves like a day off")
}

func TestIncidentInHistoryIsNotLearnedAsNormal(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	feed(s, monday, 21*288, 5*time.Minute, func(i int) float64 {
		if i > 10*288 && i < 10*288+96 { // eight hours of outage
			return 0
		}
		return wave(i)
	})
	for i := 21 * 288; i < 22*288; i += 17 {
		sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), wave(i))
		require.InDelta(t, sc.Expected, wave(i), 8, "at %d", i%288)
	}
}

func TestLevelShiftAlarmsOnceAndIsAcceptedAfterTwoDays(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	shifted := func(i int) float64 { return wave(i) + 40*float64(b2i(i >= 14*288)) }
	alarms := 0
	for i, sc := range feed(s, monday, 20*288, 5*time.Minute, shifted) {
		if i >= 14*288 {
			alarms += b2i(sc.Alarm > 1)
		}
		if i == 14*288+1 {
			require.Greater(t, sc.Raw, 1.0)
		}
		if i > 17*288 {
			require.InDelta(t, sc.Expected, shifted(i), 15)
		}
	}
	require.LessOrEqual(t, alarms, 4)
	require.GreaterOrEqual(t, alarms, 1)
}

func TestDirectionSilencesTheOtherSide(t *testing.T) {
	for direction, want := range map[baseline.Direction][2]bool{baseline.Both: {true, true}, baseline.Up: {true, false}, baseline.Down: {false, true}} {
		for side, jump := range []float64{500, -500} {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{Direction: direction})
			feed(s, monday, 10*288, 5*time.Minute, wave)
			sc := s.Observe(monday.Add(10*24*time.Hour).UnixMilli(), 100+jump)
			require.Equal(t, want[side], sc.Raw > 1, "direction %d, jump %g", direction, jump)
		}
	}
}

func TestForecastFollowsTheDay(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	n := 15 * 288
	feed(s, monday, n, 5*time.Minute, wave)
	for _, h := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		f := s.Forecast(h)
		truth := wave(n - 1 + int(h/(5*time.Minute)))
		require.InDelta(t, f.Expected, truth, 8, h.String())
		require.Less(t, f.Lower, f.Expected)
		require.Greater(t, f.Upper, f.Expected)
		require.Less(t, f.Upper-f.Lower, 60.0)
	}
	require.Len(t, s.Profile(), 72)
	require.NotEqual(t, season.None, s.Season())
}

func TestTimeToLimit(t *testing.T) {
	disk := func(f func(i int) float64) *baseline.Series {
		s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		feed(s, monday, 6*288, 5*time.Minute, f)
		return s
	}
	fills := disk(func(i int) float64 { return 10 + 12*float64(i)/288 + 0.1*noise(i) })
	l, ok := fills.TimeToLimit(90)
	require.True(t, ok)
	require.InDelta(t, 8.0/12*86400, l.Seconds, 3600, "12 percent a day, 8 to go")
	require.LessOrEqual(t, l.Lower, l.Seconds)
	require.GreaterOrEqual(t, l.Upper, l.Seconds)

	_, ok = disk(func(i int) float64 { return 30 + 40*float64(i%100)/100 + 0.1*noise(i) }).TimeToLimit(90)
	require.False(t, ok, "a saw-tooth that always ends at 70")
	_, ok = disk(func(i int) float64 { return 50 + noise(i) }).TimeToLimit(90)
	require.False(t, ok, "a level")
}

func TestBudgetRatioCountsAlarmsOverAllowed(t *testing.T) {
	e := engine(t)
	s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	require.True(t, math.IsNaN(s.BudgetRatio()))
	quiet := 0
	for _, sc := range feed(s, monday, 20*288, 5*time.Minute, wave) {
		quiet += b2i(sc.Alarm > 1)
	}
	before := s.BudgetRatio()
	require.InDelta(t, float64(quiet)/2, before, 0.3, "alarms in 20 days with one allowed in ten")
	s.Observe(monday.Add(20*24*time.Hour).UnixMilli(), 1e6)
	require.Greater(t, s.BudgetRatio(), before)
}

func TestAddIsIdempotentAndRemoveForgets(t *testing.T) {
	e := engine(t)
	ls := labels.FromStrings("i", "0")
	s := e.Add("w", ls, 0, baseline.SeriesOptions{})
	require.Same(t, s, e.Add("w", ls, 0, baseline.SeriesOptions{Direction: baseline.Up}))
	require.NotSame(t, s, e.Add("other", ls, 0, baseline.SeriesOptions{}))
	e.Remove(s)
	require.NotSame(t, s, e.Add("w", ls, 0, baseline.SeriesOptions{}))
}
