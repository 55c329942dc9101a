package baseline

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// summary is the sentence that is read first, at night: what is wrong and how much, since when, and what is usual, in
// about a hundred characters.
func (w *words) summary() string {
	switch {
	case w.x.State == AfterGap.String():
		return w.gapped()
	case w.x.State == Learning.String():
		return fmt.Sprintf("Still learning: %s samples so far.", num(w.core.N))
	case !w.abnormal():
		return w.normal()
	}
	row := detect.ByName(w.reason().row)
	switch row.Kind {
	case Absence:
		return w.silence()
	case Peer:
		return fmt.Sprintf("%s%s, but %s%s lead to expect %s.", w.say(w.x.Value), w.since(), siblings(w.reason().Siblings), of(w.x.Group), w.say(w.reason().Led))
	}
	if row.Name == detect.JointRow().Name {
		return fmt.Sprintf("Does not move with %s%s as usual%s: %s.", siblings(w.reason().Siblings), of(w.x.Group), w.since(), detect.TakePart(w.x.Contributors))
	}
	up := w.x.Value >= w.x.Expected
	switch w.x.Kind {
	case Flatline:
		return w.flat(row)
	case Shift:
		return fmt.Sprintf("Level moved %s to %s%s%s.", pick(up, "up", "down"), w.say(w.x.Value), w.since(), w.usually())
	case Contextual:
		return fmt.Sprintf("%s for a %s: %s%s%s.", pick(up, "High", "Low"), w.when(), w.say(w.x.Value), w.lasting(), w.usually())
	case Collective:
		return w.collective(row)
	}
	if row.Family == tuning.Local {
		return fmt.Sprintf("%s from %s to %s%s%s.", pick(row.Up > 0, "Jumped", "Dropped"), w.say(w.reason().Forecast), w.say(w.x.Value), w.since(), w.usually())
	}
	word := pick(up, "Spike to ", "Drop to ")
	if w.last.Time-w.episode().RunAt >= courseTime { // That is no spike any more.
		word = pick(up, "High: ", "Low: ")
	}
	return word + w.say(w.x.Value) + w.times() + w.since() + w.usually() + "."
}

// collective: many samples each a little off.
func (w *words) collective(row detect.Detector) string {
	e := w.episode()
	c := &e.Course
	var mean, scatter, growth float64
	sure := false
	if c.N >= courseSamples {
		mean, scatter, growth, sure = c.shape()
	}
	length := 2 * c.T / max(1, c.N) // in hours
	switch {
	case row.Family == tuning.Ramp || growth > 0.5 && sure && length > 0:
		by := math.Abs(mean) * growth / length
		if !(by > 0) || row.Family == tuning.Ramp {
			return fmt.Sprintf("Drifting %s%s: %s%s.", pick(row.Up >= 0, "up", "down"), w.since(), w.say(w.x.Value), w.usually())
		}
		return fmt.Sprintf("Drifting %s by about %s an hour%s: %s%s.", pick(mean > 0, "up", "down"), w.say(by), w.since(), w.say(w.x.Value), w.usually())
	case row.Family == tuning.Variance || c.N >= courseSamples && math.Abs(mean) < 1.2*scatter:
		return fmt.Sprintf("Restless%s, up and down more than usual: now %s%s.", w.since(), w.say(w.x.Value), w.usually())
	case row.Up == 0:
		return fmt.Sprintf("One unusual sample after the other%s: now %s%s.", w.since(), w.say(w.x.Value), w.usually())
	}
	return fmt.Sprintf("A little %s for hours: %s%s%s.", pick(row.Up > 0, "high", "low"), w.say(w.x.Value), w.since(), w.usually())
}

// flat says how long a value has repeated.
func (w *words) flat(row detect.Detector) string {
	since := w.since()
	if row.Kind == Flatline {
		since = w.from(w.last.Time - int64(w.reason().Mem[0])*w.core.step())
	}
	if w.x.Value == 0 {
		return "Zero" + since + w.usually() + "."
	}
	text := "Stuck at " + w.say(w.x.Value) + since
	if row.Family == tuning.Stuck {
		text += fmt.Sprintf(", usually %s %% of its samples repeat", detect.Percent(float64(w.reason().Mem[1])))
	}
	return text + "."
}

// silence says since when there is no sample.
func (w *words) silence() string {
	text := fmt.Sprintf("No sample since %s (%s)", w.clock(w.core.Last), span(time.Duration(w.last.Time-w.core.Last)*time.Millisecond))
	if why := w.reason(); why != nil && why.Days > 0 {
		text += fmt.Sprintf(", %.0f of %.0f days have one at this time", why.Present, why.Days)
	}
	return text + "."
}

// normal says that nothing stands out.
func (w *words) normal() string {
	switch {
	case !math.IsNaN(w.x.Value) && !math.IsInf(w.x.Value, 0):
		text := "Within what is usual: " + w.say(w.x.Value)
		if w.model.Active() != season.None {
			text = fmt.Sprintf("Within what is usual for a %s: %s", w.when(), w.say(w.x.Value))
		}
		if !math.IsNaN(w.x.Lower) {
			text += ", usually " + w.usual()
		}
		return text + "."
	case w.last.Time > w.core.Last:
		share, days := w.model.Presence(w.last.Time)
		text := fmt.Sprintf("No sample since %s (%s)", w.clock(w.core.Last), span(time.Duration(w.last.Time-w.core.Last)*time.Millisecond))
		if days > 0 {
			text += fmt.Sprintf(", %.0f of %d days have one at this time", share*float64(days), days)
		}
		return text + "."
	}
	return "The last sample is not a number."
}

// gapped is the sentence of a torn sample.
func (w *words) gapped() string {
	if left := w.whole() - w.last.Time; left > 0 {
		return "After a gap in its samples: not scored for another " + span(time.Duration(left)*time.Millisecond) + "."
	}
	return "After a gap in its samples: not scored yet."
}

// since says when the anomaly began: "at" for its first sample.
func (w *words) since() string {
	if text := w.lasting(); text != "" {
		return text
	}
	return " at " + w.clock(w.last.Time)
}

// lasting is since when an anomaly of more than one sample lasts.
func (w *words) lasting() string {
	began := w.episode().RunAt
	if began == 0 || began >= w.last.Time {
		return ""
	}
	return w.from(began)
}

func (w *words) from(began int64) string {
	return fmt.Sprintf(" since %s (%s)", w.clock(began), span(time.Duration(w.last.Time-began)*time.Millisecond))
}

// times is the value over what is expected, where that tells something.
func (w *words) times() string {
	if r := w.x.Value / w.x.Expected; w.x.Expected > 0 && (r >= 1.2 && r < 1000 || r > 0 && r <= 0.8) {
		return " (" + detect.Times(r) + "x the usual)"
	}
	return ""
}

// usually is the band, or what is expected where the value itself lies in the band.
func (w *words) usually() string {
	switch {
	case math.IsNaN(w.x.Lower):
		return ""
	case w.x.Value >= w.x.Lower && w.x.Value <= w.x.Upper:
		return ", usually about " + w.say(w.x.Expected)
	}
	return ", usually " + w.usual()
}

// usual is the band.
func (w *words) usual() string {
	low, high := w.say(w.x.Lower), w.say(w.x.Upper)
	if low == high {
		return low
	}
	if unit := low[strings.LastIndexAny(low, "0123456789")+1:]; unit != "" && strings.HasSuffix(high, unit) {
		low = strings.TrimSuffix(low, unit) // Once is enough.
	}
	return low + " to " + high
}

// local is a time in the zone whose days the series follow.
func (w *words) local(t int64) time.Time { return time.UnixMilli(t).In(w.name.engine.cal.Zone()) }

// clock is a time of day with its zone, and the day where that is not the one of the last sample.
func (w *words) clock(t int64) string {
	at, now := w.local(t), w.local(w.last.Time)
	switch d := now.Sub(at); {
	case at.YearDay() == now.YearDay() && d < 24*time.Hour:
		return at.Format("15:04 MST")
	case d < 6*24*time.Hour:
		return at.Format("Monday 15:04 MST")
	}
	return at.Format("2 January 15:04 MST")
}

// when is the weekday and time of the last score.
func (w *words) when() string { return w.local(w.last.Time).Format("Monday 15:04 MST") }

func siblings(n float64) string {
	if n == 1 {
		return "its sibling"
	}
	return "its " + num(n) + " siblings"
}

func of(group string) string {
	if group == "" || group == "{}" {
		return ""
	}
	return " of " + group
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
