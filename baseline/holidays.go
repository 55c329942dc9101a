package baseline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/us"
)

// calendars are the nationwide holidays by ISO 3166-1 alpha-2 code.
func calendars() map[string][]*cal.Holiday {
	return map[string][]*cal.Holiday{
		"AT": at.Holidays, "AU": au.HolidaysACT, "BE": be.Holidays, "CA": ca.Holidays, "CH": ch.Holidays, "CZ": cz.Holidays,
		"DE": de.Holidays, "DK": dk.Holidays, "ES": es.Holidays, "FR": fr.Holidays, "GB": gb.Holidays, "IE": ie.Holidays,
		"IT": it.Holidays, "JP": jp.Holidays, "NL": nl.Holidays, "NO": no.Holidays, "NZ": nz.Holidays, "PL": pl.Holidays,
		"SE": se.Holidays, "US": us.Holidays,
	}
}

// compile makes the question "is this local day a day off?", nil when no day is named.
func (h *Holidays) compile() (func(time.Time) bool, error) {
	type date struct{ year, month, day int } // year 0 is every year
	fixed := map[date]bool{}
	for _, s := range h.Days {
		if t, err := time.Parse("2006-01-02", s); err == nil {
			fixed[date{t.Year(), int(t.Month()), t.Day()}] = true
		} else if t, err := time.Parse("2006-01-02", "2000-"+s); err == nil {
			fixed[date{0, int(t.Month()), t.Day()}] = true
		} else {
			return nil, fmt.Errorf("baseline: holidays.days has %q; a day is written 2026-12-24, or 12-24 for every year", s)
		}
	}
	var public []*cal.Holiday
	if h.Country != "" {
		all := calendars()
		var ok bool
		if public, ok = all[strings.ToUpper(h.Country)]; !ok {
			return nil, fmt.Errorf("baseline: holidays.country is %q; it must be one of %s", h.Country, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
	}
	if len(fixed) == 0 && len(public) == 0 {
		return nil, nil
	}
	return func(t time.Time) bool {
		y, m, d := t.Date()
		if fixed[date{y, int(m), d}] || fixed[date{0, int(m), d}] {
			return true
		}
		for _, p := range public {
			if actual, observed := p.Calc(y); sameDay(actual, t) || sameDay(observed, t) {
				return true
			}
		}
		return false
	}, nil
}

func sameDay(a, b time.Time) bool {
	y1, m1, d1 := a.Date()
	y2, m2, d2 := b.Date()
	return !a.IsZero() && y1 == y2 && m1 == m2 && d1 == d2
}
