package season_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli() // a Monday

func learn(days int, value func(day, minute int) float64) *season.Model {
	p := tuning.Default()
	m := season.New(season.NewShape(season.NewCalendar(nil, nil), &p, 600e3))
	r := tuning.NewRates(p, 600)
	for i := range days * 144 {
		mo := m.At(start + int64(i)*600e3)
		m.Advance(mo)
		v := value(i/144, i%144*10)
		m.Add(v)
		m.Learn(mo, 0, 1, v, nil, r, r)
	}
	return m
}

func TestTheSeasonASeriesHasIsChosen(t *testing.T) {
	jitter := func(day, minute int) float64 { return math.Sin(float64(day*144+minute) * 12.9898) }
	for name, c := range map[string]struct {
		value func(day, minute int) float64
		want  []season.Kind
	}{
		"none": {jitter, []season.Kind{season.None, season.Daily, season.ByClass, season.Weekly}},
		"day":  {func(day, minute int) float64 { return 20*math.Sin(float64(minute)/229) + jitter(day, minute) }, []season.Kind{season.Daily, season.ByClass, season.Weekly}},
		"class of day": {func(day, minute int) float64 {
			if day%7 >= 5 {
				return 5 * jitter(day, minute)
			}
			return 50*math.Sin(float64(minute)/229) + jitter(day, minute)
		}, []season.Kind{season.ByClass, season.Weekly}},
		"weekday": {func(day, minute int) float64 {
			return float64(10*(day%7))*math.Sin(float64(minute)/229) + jitter(day, minute)
		}, []season.Kind{season.Weekly}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, c.want, learn(28, c.value).Active())
		})
	}
}

func TestProfileForgetsABadDay(t *testing.T) {
	m := learn(15, func(day, minute int) float64 {
		if day == 9 {
			return 0
		}
		return 100 + 20*math.Sin(float64(minute)/229)
	})
	for minute := 0; minute < 1440; minute += 60 {
		at := start + 15*86400e3 + int64(minute)*60e3
		require.InDelta(t, 100+20*math.Sin(float64(minute)/229), m.Ahead(at, 600)+m.Level(), 4)
	}
}

func TestPresenceIsTheShareOfDays(t *testing.T) {
	p := tuning.Default()
	m := season.New(season.NewShape(season.NewCalendar(nil, nil), &p, 600e3))
	r := tuning.NewRates(p, 600)
	for i := range 8 * 144 {
		if i%144 < 30 {
			mo := m.At(start + int64(i)*600e3)
			m.Advance(mo)
			m.Add(1)
			m.Learn(mo, 0, 1, 1, nil, r, r)
		}
	}
	morning, days := m.Presence(start + 8*86400e3 + 3600e3)
	noon, _ := m.Presence(start + 8*86400e3 + 12*3600e3)
	require.Equal(t, 1.0, morning)
	require.Zero(t, noon)
	require.Equal(t, 7, days)
}

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	c := season.NewCalendar(berlin, func(d time.Time) bool { return d.Day() == 6 })
	noonUTC := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	require.Equal(t, noonUTC+2*3600e3, c.Local(noonUTC))
	day := func(y int, m time.Month, d int) int64 { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400 }
	require.Equal(t, season.Restday, c.Class(day(2026, 3, 7)), "a Saturday")
	require.Equal(t, season.Restday, c.Class(day(2026, 3, 6)), "a holiday on a Friday")
	require.Equal(t, season.Workday, c.Class(day(2026, 3, 5)))
	c = c.WithWeekend([]time.Weekday{time.Thursday})
	require.Equal(t, season.Restday, c.Class(day(2026, 3, 5)), "a weekend of one day")
	require.Equal(t, season.Workday, c.Class(day(2026, 3, 7)), "a Saturday elsewhere")
	require.Equal(t, 4, season.Weekday(0), "1970 began on a Thursday")
	require.Equal(t, 3, season.Weekday(-1))
}

func TestSlotsHoldAStepAndDivideADay(t *testing.T) {
	p := tuning.Default()
	for step, want := range map[time.Duration]int{time.Second: 72, time.Minute: 72, 20 * time.Minute: 72, 30 * time.Minute: 48, time.Hour: 24, 5 * time.Hour: 4, 24 * time.Hour: 1, 48 * time.Hour: 1} {
		require.Equal(t, want, season.Slots(&p, step.Milliseconds()), step.String())
	}
}
