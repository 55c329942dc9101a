package season

import (
	"time"
)

// Class is the kind of a day: days of one class are expected to look alike.
type Class uint8

// The day classes.
const (
	Workday Class = iota
	Restday
)

// String names the class as the explanations do.
func (c Class) String() string {
	if c == Restday {
		return "day off"
	}
	return "working day"
}

// Calendar says which local day and time of day an instant belongs to, and the class of a day.
// It is immutable and safe for concurrent use.
type Calendar struct {
	loc     *time.Location
	utc     bool
	weekend [7]bool // By weekday, Sunday first.
	holiday func(time.Time) bool
}

// NewCalendar makes a calendar for a time zone (nil is UTC). holiday, when not nil, is asked with
// noon of a local day and must be safe for concurrent use.
func NewCalendar(loc *time.Location, holiday func(time.Time) bool) *Calendar {
	if loc == nil {
		loc = time.UTC
	}
	c := &Calendar{loc: loc, utc: loc == time.UTC, holiday: holiday}
	c.weekend[time.Saturday], c.weekend[time.Sunday] = true, true
	return c
}

// WithWeekend returns the same calendar with other days of the week off; none is allowed.
func (c *Calendar) WithWeekend(days []time.Weekday) *Calendar {
	out := *c
	out.weekend = [7]bool{}
	for _, d := range days {
		out.weekend[d] = true
	}
	return &out
}

// Local is the local wall clock at t (unix milliseconds), as milliseconds since 1970 local time.
// On the day a clock goes back an hour comes twice, on the day it goes forward one is missing:
// that is what a daily rhythm does, too.
func (c *Calendar) Local(t int64) int64 {
	if c.utc {
		return t
	}
	_, off := time.UnixMilli(t).In(c.loc).Zone()
	return t + int64(off)*1000
}

// Zone is the time zone.
func (c *Calendar) Zone() *time.Location { return c.loc }

// Weekday of a local day number (days since 1970-01-01, a Thursday): 0 is Sunday.
func Weekday(day int64) int {
	if uint64(day) < 1<<31 {
		return int(uint32(day+4) % 7)
	}
	return int(((day+4)%7 + 7) % 7)
}

// Class of a local day number.
func (c *Calendar) Class(day int64) Class {
	if c.weekend[Weekday(day)] {
		return Restday
	}
	if c.holiday != nil && c.holiday(time.Unix(day*86400+43200, 0).UTC()) {
		return Restday
	}
	return Workday
}
