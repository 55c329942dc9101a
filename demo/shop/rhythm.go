package shop

import (
	"math"
	"time"
)

// peak is the rate of pages at the busiest hour of a working day, per second.
const peak = 60.0

// Rhythm is the shop's traffic over day and week. The zero value lives in UTC.
type Rhythm struct {
	// Shift is added to the clock before the calendar is read: the shop's time zone. The demo
	// chooses it so that it always runs on a Wednesday morning, whenever it is started.
	Shift time.Duration
}

// Morning is Wednesday, 10:30 in the shop's own time: the moment at which demo and tests take place.
var Morning = time.Date(2026, 9, 16, 10, 30, 0, 0, time.UTC)

// RhythmAt returns the rhythm in which it is Morning when the clock says now. The shift is whole
// minutes and less than a week, as the calendar repeats then.
func RhythmAt(now time.Time) Rhythm {
	const week = 7 * 24 * time.Hour
	return Rhythm{Shift: Morning.Sub(now).Truncate(time.Minute) % week}
}

// Rate is the mean number of pages per second at time t. sunday asks for the pattern of a Sunday
// at the same time of day.
func (r Rhythm) Rate(t time.Time, sunday bool) float64 {
	local := t.Add(r.Shift).UTC()
	day := local.Weekday()
	if sunday {
		day = time.Sunday
	}
	hour := float64(local.Hour()) + float64(local.Minute())/60 + float64(local.Second())/3600
	return peak * daily(hour) * weekly(day, hour) * (1 + 0.03*wander(t))
}

// daily is the share of the peak at an hour of the day: a quiet night, a plateau over the working
// day, a second bump in the evening.
func daily(hour float64) float64 {
	bump := func(centre, width float64) float64 {
		d := math.Abs(hour - centre)
		d = math.Min(d, 24-d)
		return math.Exp(-d * d / (2 * width * width))
	}
	return 0.32 + 0.60*bump(12.5, 3.2) + 0.42*bump(20, 1.8)
}

// weekly scales a day of the week; the change between two days is spread over an hour each side
// of midnight, as no crowd leaves at once.
func weekly(day time.Weekday, hour float64) float64 {
	level := [7]float64{0.42, 0.97, 1, 1, 0.99, 0.93, 0.60}
	today := level[day]
	switch {
	case hour < 1:
		return blend(level[(day+6)%7], today, 0.5+hour/2)
	case hour > 23:
		return blend(today, level[(day+1)%7], (hour-23)/2)
	}
	return today
}

func blend(a, b, share float64) float64 { return a + (b-a)*share }

// wander is a slow, smooth, reproducible deviation between -1 and 1: three waves whose periods
// have no common multiple within a month.
func wander(t time.Time) float64 {
	x := float64(t.UnixMilli()) / 1000
	return 0.5*math.Sin(x/1913) + 0.3*math.Sin(x/5501+1) + 0.2*math.Sin(x/17387+2)
}
