package baseline

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Config is the section `baseline:` of the configuration.
type Config struct {
	// History is how far back is read when a series is first seen.
	History model.Duration `yaml:"history,omitempty"`
	// Observe is how much of the history, from its end, is observed as if it were live. What is older is skimmed: the same
	// is learned of it at a fraction of the cost, in larger steps. 0 observes all of it.
	Observe model.Duration `yaml:"observe,omitempty"`
	// Skim is how much of the history before that is skimmed. Of what is older still only the days' rhythm is remembered, at a
	// hundredth of the cost, which is for fleets whose learning would take hours: with 0 about a twentieth of the recall is lost at first.
	Skim model.Duration `yaml:"skim,omitempty"`
	// Interval is the step that is assumed until samples have told the true one.
	Interval model.Duration `yaml:"interval,omitempty"`
	// TimeZone is the zone whose days and weeks the series follow, as in the IANA database, for example
	// `Europe/Berlin`.
	TimeZone string `yaml:"time_zone,omitempty"`
	// Weekend are the days of the week that are off, for example `[friday, saturday]`.
	Weekend []string `yaml:"weekend,omitempty"`
	// Budget is the false-alarm budget: the only knob of detection.
	Budget Budget `yaml:"budget,omitempty"`
	// Holidays are days that look like days off.
	Holidays Holidays `yaml:"holidays,omitempty"`
}

// Budget is how many false alarms are accepted.
type Budget struct {
	// PerSeries is the number of episodes accepted per series and window.
	PerSeries float64 `yaml:"per_series,omitempty"`
	// Window is the time that PerSeries counts in.
	Window model.Duration `yaml:"window,omitempty"`
	// TotalPerWeek bounds the anomalies a week over all series; 0 is no bound.
	TotalPerWeek float64 `yaml:"total_per_week,omitempty"`
}

// Holidays are public holidays by country and days of one's own.
type Holidays struct {
	// Country is the ISO 3166-1 alpha-2 code of a calendar, for example `DE`; none when empty.
	Country string `yaml:"country,omitempty"`
	// Days are further days off: `2026-12-24` for one, `12-24` for one of every year.
	Days []string `yaml:"days,omitempty"`
}

// DefaultConfig is the configuration when the file says nothing.
func DefaultConfig() Config {
	return Config{
		History:  model.Duration(28 * 24 * time.Hour),
		Observe:  model.Duration(12 * time.Hour),
		Skim:     model.Duration(28 * 24 * time.Hour),
		Interval: model.Duration(time.Minute),
		TimeZone: "UTC",
		Weekend:  []string{"saturday", "sunday"},
		Budget:   Budget{PerSeries: 1, Window: model.Duration(10 * 24 * time.Hour)},
	}
}

// UnmarshalYAML fills in the defaults and checks.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Config
	*c = DefaultConfig()
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says what is wrong with a configuration, where, and what would be right.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("baseline: "+format, args...)) }
	if h := time.Duration(c.History); h < 0 || h > 400*24*time.Hour {
		bad("history is %s; it must be between 0 (learn from now on) and 400d", c.History)
	}
	if o := time.Duration(c.Observe); o < 0 || o != 0 && o < 6*time.Hour {
		bad("observe is %s; it must be 0 (all of the history) or at least 6h, 12h if in doubt", c.Observe)
	}
	if d := time.Duration(c.Skim); d < 0 || d > 400*24*time.Hour {
		bad("skim is %s; it must be between 0 (only the rhythm of older days is remembered) and 400d, 4w if in doubt", c.Skim)
	}
	if i := time.Duration(c.Interval); i < time.Second || i > 24*time.Hour {
		bad("interval is %s; it must be between 1s and 1d", c.Interval)
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		bad("time_zone is %q; it must be a name of the IANA database such as Europe/Berlin or UTC", c.TimeZone)
	}
	if _, err := c.weekend(); err != nil {
		errs = append(errs, err)
	}
	if b := c.Budget.PerSeries; !(b > 0 && b <= 1e4) {
		bad("budget.per_series is %g; it must be a positive number of false alarms, 1 if in doubt", b)
	}
	if w := time.Duration(c.Budget.Window); w < time.Hour {
		bad("budget.window is %s; it must be at least 1h, 10d if in doubt", c.Budget.Window)
	}
	if b := c.Budget.TotalPerWeek; !(b >= 0 && b <= 1e9) {
		bad("budget.total_per_week is %g; it must be 0 (no bound) or a positive number", b)
	}
	if _, err := c.Holidays.compile(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// weekend is the days of the week that are off.
func (c *Config) weekend() ([]time.Weekday, error) {
	var out []time.Weekday
	for _, name := range c.Weekend {
		d := time.Sunday
		for d <= time.Saturday && !strings.EqualFold(d.String(), name) {
			d++
		}
		if d > time.Saturday {
			return nil, fmt.Errorf("baseline: weekend has %q; a day is written saturday, friday, …", name)
		}
		out = append(out, d)
	}
	return out, nil
}

// perDay is the rate the budget allows, in episodes a day.
func (b *Budget) perDay() float64 {
	return b.PerSeries * 24 / time.Duration(b.Window).Hours()
}
