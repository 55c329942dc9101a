package shop

import (
	"fmt"
	"math"
	"strings"
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

// Morning is a Wednesday, 10:00 in the shop's own time: demo and tests take place in the hour after it.
var Morning = time.Date(2026, 9, 16, 10, 0, 0, 0, time.UTC)

// RhythmAt returns the rhythm in which it is the hour after Morning when the clock says now. The shift is whole
// hours and less than a week, as the calendar repeats then.
func RhythmAt(now time.Time) Rhythm {
	const week = 7 * 24 * time.Hour
	return Rhythm{Shift: Morning.Sub(now.UTC().Truncate(time.Hour)) % week}
}

// Local is the shop's own time at t.
func (r Rhythm) Local(t time.Time) time.Time { return t.Add(r.Shift).UTC() }

// Calendar is how the clock's calendar has to be read to be the shop's: the time zone in which the shop's days
// begin, as in the IANA database, and the days of the clock on which the shop has its weekend.
func (r Rhythm) Calendar() (zone string, weekend []string) {
	hours := int((r.Shift/time.Hour%24 + 24) % 24)
	if hours > 12 {
		hours -= 24
	}
	zone = "Etc/GMT" // With the sign of POSIX: GMT-5 is five hours ahead.
	if hours != 0 {
		zone = fmt.Sprintf("Etc/GMT%+d", -hours)
	}
	days := int((r.Shift - time.Duration(hours)*time.Hour) / (24 * time.Hour))
	for _, d := range []time.Weekday{time.Saturday, time.Sunday} {
		weekend = append(weekend, strings.ToLower(time.Weekday(((int(d)-days)%7+7)%7).String()))
	}
	return zone, weekend
}

// Rate is the mean number of pages per second at time t. sunday asks for the pattern of a Sunday
// at the same time of day.
func (r Rhythm) Rate(t time.Time, sunday bool) float64 {
	local := r.Local(t)
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
