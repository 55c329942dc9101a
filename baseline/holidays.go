package baseline

import (
	"fmt"
	"time"
)

func (h *Holidays) compile() (func(time.Time) bool, error) {
	fixed := map[[3]int]bool{}
	for _, s := range h.Days {
		if t, err := time.Parse("2006-01-02", s); err == nil {
			fixed[[3]int{t.Year(), int(t.Month()), t.Day()}] = true
		} else if t, err := time.Parse("01-02", s); err == nil {
			fixed[[3]int{0, int(t.Month()), t.Day()}] = true
		} else {
			return nil, fmt.Errorf("baseline: holidays.days has %q; a day is written 2026-12-24, or 12-24 for every year", s)
		}
	}
	if len(fixed) == 0 {
		return nil, nil
	}
	return func(t time.Time) bool {
		y, m, d := t.Date()
		return fixed[[3]int{y, int(m), d}] || fixed[[3]int{0, int(m), d}]
	}, nil
}
