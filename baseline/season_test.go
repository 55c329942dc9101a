package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// businessHours follow the clock on the wall: busy from nine to five.
func businessHours(at time.Time, i int) float64 {
	if h := at.Hour(); h >= 9 && h < 17 {
		return 100 + noise(i)
	}
	return 10 + noise(i)
}

// The clocks of Berlin go forward on 29 March 2026 and back on 25 October; a series that follows the wall
// alarms on neither, and one whose zone is not configured does.
func TestClockChanges(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for name, change := range map[string]time.Time{
		"forward": time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), "back": time.Date(2026, 10, 25, 0, 0, 0, 0, berlin),
	} {
		for zone, silent := range map[string]bool{"Europe/Berlin": true, "UTC": false} {
			t.Run(name+" in "+zone, func(t *testing.T) {
				cfg := baseline.DefaultConfig()
				cfg.TimeZone = zone
				e, err := baseline.NewEngine(cfg, nil)
				require.NoError(t, err)
				s := e.Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
				start := change.AddDate(0, 0, -21)
				above := 0
				for i := range 24 * 288 {
					at := start.Add(time.Duration(i) * 5 * time.Minute)
					sc := s.Observe(at.UnixMilli(), businessHours(at.In(berlin), i))
					if at.After(change) {
						above += b2i(sc.Raw > 1)
					}
				}
				require.Equal(t, silent, above == 0, "%d samples above 1", above)
			})
		}
	}
}

// A nightly job makes a burst of half an hour; a sharp edge on the hour is expected where it is.
func nightly(minuteOfDay, begin int) float64 {
	if m := minuteOfDay - begin; m >= 0 && m < 30 {
		return 400
	}
	return 20
}

func TestAJobThatMovesByTenMinutesIsNoAnomalyAndOneThatMovesByHoursIs(t *testing.T) {
	for by, want := range map[int]bool{0: false, 10: false, -10: false, 180: true} {
		s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
		feed(s, monday, 21*288, 5*time.Minute, func(i int) float64 { return nightly(i%288*5, 120) + noise(i) })
		alarmed := false
		for i := 21 * 288; i < 22*288; i++ {
			sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), nightly(i%288*5, 120+by)+noise(i))
			alarmed = alarmed || sc.Alarm > 1
		}
		require.Equal(t, want, alarmed, "moved by %d minutes", by)
	}
}

func TestTheEdgesOfARegularJobStaySharp(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 20*time.Minute, baseline.SeriesOptions{})
	job := func(i int) float64 { return 10 + 90*float64(b2i(i%72 >= 30 && i%72 < 36)) + noise(i) } // at ten, for two hours
	feed(s, monday, 15*72, 20*time.Minute, job)
	for i := 15 * 72; i < 16*72; i++ {
		sc := s.Observe(monday.Add(time.Duration(i)*20*time.Minute).UnixMilli(), job(i))
		want := job(i)
		require.InDelta(t, want, sc.Expected, 8, "slot %d", i%72)
	}
}

// Outages of hours, a day, and a scrape that failed here and there in the history: the band after them is that of
// a history without.
func TestHistoryWithOutagesDoesNotSpoilTheBand(t *testing.T) {
	clean := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	spoilt := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	out := func(i int) bool {
		return i/288 == 5 || i/288 == 12 && i%288 > 100 && i%288 < 160 || i/288 == 18 && i%288 < 48
	}
	worst := 0.0
	for i := range 28 * 288 {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		a := clean.Observe(at, wave(i))
		switch {
		case i%41 == 7: // a scrape failed
			continue
		case out(i):
			spoilt.Observe(at, 0)
			continue
		}
		b := spoilt.Observe(at, wave(i))
		if i > 24*288 {
			worst = max(worst, math.Abs(a.Expected-b.Expected))
			require.Less(t, b.Upper-b.Lower, 3*(a.Upper-a.Lower), "the band of day %d", i/288)
			require.LessOrEqual(t, b.Raw, 1.0)
		}
	}
	require.Less(t, worst, 6.0, "of a wave of 50 to 150")
}

func TestADayOffIsRecognisedInTheMorning(t *testing.T) {
	s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
	value := office(map[int]bool{30: true})
	feed(s, monday, 30*288, 5*time.Minute, value)
	for i := 30 * 288; i < 31*288; i++ {
		s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), value(i))
		if s.Explain().Class == "day off" {
			t.Logf("recognised at %02d:%02d", i%288/12, i%12*5)
			require.LessOrEqual(t, i%288, 14*12, "its peak is at two in the afternoon")
			return
		}
	}
	t.Fatal("never recognised")
}
