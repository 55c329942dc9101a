package baseline

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
)

// Explanation says in a sentence why a sample scored what it did, with the numbers behind it. The
// same state gives the same text.
type Explanation struct {
	Text     string  `json:"text"`
	Kind     Kind    `json:"kind,omitempty"`
	Detector string  `json:"detector,omitempty"`
	Score    float64 `json:"score"`
	Value    float64 `json:"value"`
	Expected float64 `json:"expected"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
	Ratio    float64 `json:"ratio"`   // value over expected
	Lasting  float64 `json:"lasting"` // seconds since the anomaly began
	Season   string  `json:"season"`
	Days     int     `json:"days"`    // of history that the season was fitted on
	DaysOf   int     `json:"days_of"` // days since the first of them
	Class    string  `json:"class"`   // what today behaves like
	State    string  `json:"state"`

	Group        string         `json:"group,omitempty"` // of a peer or joint anomaly: the labels that the siblings share
	Contributors []detect.Share `json:"contributors,omitempty"`
}

// why is what made the last score.
type why struct {
	detect.Seen
	row    string
	shares []detect.Share
}

// because notes the test that made the score.
func (s *Series) because(row *detect.Detector) *why {
	r := s.own()
	if r.why == nil {
		r.why = &why{}
	}
	*r.why = why{row: row.Name}
	return r.why
}

// Explain explains the last sample.
func (s *Series) Explain() Explanation {
	s.lock()
	defer s.unlock()
	sc := s.score()
	x := Explanation{
		Kind: sc.Kind, Detector: sc.Detector, Score: sc.Raw, Value: sc.Value, Expected: sc.Expected,
		Lower: sc.Lower, Upper: sc.Upper, State: sc.State.String(),
	}
	if s.blank() {
		x.Text = "Nothing is known yet: fewer than two samples."
		return x
	}
	s.page()
	if sc.Expected != 0 {
		x.Ratio = sc.Value / sc.Expected
	}
	if sc.Since != 0 {
		x.Lasting = float64(sc.Time-sc.Since) / 1000
	}
	class, swapped := s.model.Today()
	if swapped {
		class ^= 1
	}
	x.Days, x.DaysOf = s.model.Fitted()
	x.Class, x.Season = class.String(), s.model.Active().String()
	if w := s.reason(); w != nil && sc.Raw > 1 && s.siblings() != nil && w.Siblings > 0 {
		x.Group, x.Contributors = s.siblings().name, w.shares
	}
	x.Text = s.sentence(&x)
	return x
}

func (s *Series) sentence(x *Explanation) string {
	if x.State == Learning.String() {
		return fmt.Sprintf("Still learning: %s samples so far.", num(s.core.N))
	}
	if x.State == AfterGap.String() {
		return s.gapped()
	}
	var b strings.Builder
	if x.Score > 1 && s.reason() != nil {
		s.abnormal(&b, x)
	} else {
		s.normal(&b, x)
	}
	s.known(&b, x)
	b.WriteByte('.')
	return b.String()
}

// when is the local weekday and time of the last score.
func (s *Series) when() string {
	at := time.UnixMilli(s.name.engine.cal.Local(s.last.Time)).UTC()
	return at.Weekday().String() + " " + at.Format("15:04")
}

// abnormal says what was seen, since when, against what, and when it was last so.
func (s *Series) abnormal(b *strings.Builder, x *Explanation) {
	row := detect.ByName(s.reason().row)
	f := detect.Facts{
		Seen: s.reason().Seen, Step: time.Duration(s.core.step()) * time.Millisecond, Rates: s.rates,
		Group: x.Group, Shares: x.Contributors, Num: num, Dur: span,
	}
	if s.model.Active() != season.None {
		f.When = s.when()
	}
	b.WriteString(row.Clause(&f))
	if row.Kind != Absence { // an absence has said how long
		b.WriteString(s.lasting())
	}
	inside := x.Value >= x.Lower && x.Value <= x.Upper
	switch {
	case math.IsNaN(x.Lower):
	case inside:
		fmt.Fprintf(b, ", by itself within the expected %s to %s", num(x.Lower), num(x.Upper))
	default:
		fmt.Fprintf(b, ", expected %s to %s", num(x.Lower), num(x.Upper))
		b.WriteString(s.record(x))
	}
	fmt.Fprintf(b, ", score %.2f", x.Score)
	if s.last.Withheld {
		fmt.Fprintf(b, "; held back, since all series together may alarm %s times a week", num(s.name.engine.cfg.Budget.TotalPerWeek))
	}
	if lasts := s.last.Time - s.episode().RunAt; !inside && (row.Kind == Shift || lasts >= shiftAfter && row.Kind != Flatline) {
		if d, ok := s.acceptance(); ok {
			fmt.Fprintf(b, "; if it stays so, taken as its new level within %s", span(d))
		}
	}
}

// shiftAfter is how long a value must have been abnormal for its sentence to say when that becomes normal.
const shiftAfter = int64(time.Hour / time.Millisecond)

// lasting says for how long the score has been above 1 now, and since when time and again.
func (s *Series) lasting() string {
	c, text := s.episode(), ""
	if d := s.last.Time - c.RunAt; d > 0 && c.RunAt != 0 {
		text = ", for " + span(time.Duration(d)*time.Millisecond)
	}
	if c.Since != 0 && c.RunAt > c.Since {
		text += fmt.Sprintf(", first %s ago", span(time.Duration(s.last.Time-c.Since)*time.Millisecond))
	}
	return text
}

// normal says that nothing stands out, and what did until a while ago.
func (s *Series) normal(b *strings.Builder, x *Explanation) {
	switch {
	case !math.IsNaN(x.Value):
		fmt.Fprintf(b, "Within what is usual for %s: %s", s.when(), num(x.Value))
		if !math.IsNaN(x.Lower) {
			fmt.Fprintf(b, ", expected %s to %s", num(x.Lower), num(x.Upper))
		}
	case s.last.Time > s.core.Last:
		share, days := s.model.Presence(s.last.Time)
		fmt.Fprintf(b, "No sample for %s", span(time.Duration(s.last.Time-s.core.Last)*time.Millisecond))
		if days > 0 {
			fmt.Fprintf(b, "; %.0f of %d days have one at this time", share*float64(days), days)
		}
	default:
		b.WriteString("The last sample is not a number")
	}
	if above := s.episode().AboveAt; s.last.Active && above != 0 {
		fmt.Fprintf(b, "; abnormal until %s before", span(time.Duration(s.last.Time-above)*time.Millisecond))
	}
}

// known says what the expectation rests on.
func (s *Series) known(b *strings.Builder, x *Explanation) {
	if s.model.Active() == season.None {
		b.WriteString("; no season")
	} else {
		fmt.Fprintf(b, "; season %s", x.Season)
	}
	if x.Days > 0 {
		fmt.Fprintf(b, ", fitted on %d of %d days", x.Days, x.DaysOf)
	}
	if x.State == Warming.String() {
		b.WriteString(", still warming up")
	}
	switch _, swapped := s.model.Today(); {
	case swapped:
		fmt.Fprintf(b, "; today behaves like a %s", x.Class)
	case s.model.Holiday():
		b.WriteString("; today is a day off by the calendar")
	}
}

// record says when the series was last so high or low, in days before the anomaly began.
func (s *Series) record(x *Explanation) string {
	up := x.Value > x.Upper
	if !up && !(x.Value < x.Lower) || x.Days < 2 {
		return ""
	}
	began := s.last.Time
	if since := s.score().Since; since != 0 {
		began = since
	}
	how := "low"
	if up {
		how = "high"
	}
	switch days, never := s.model.LastBeyond(x.Value, up, began); {
	case days < 2:
		return "" // every day is so
	case never:
		return fmt.Sprintf(", never so %s in %d days", how, days)
	default:
		return fmt.Sprintf(", last so %s %d days before", how, days)
	}
}

// acceptance is how long a level that stays as it is now remains abnormal: until the clipped steps by
// which the model follows (see season) have brought the expectation to within the band.
func (s *Series) acceptance() (time.Duration, bool) {
	sc := &s.last
	half := (sc.Upper - sc.Lower) / 2
	d := math.Abs(sc.Value - sc.Expected)
	if !(half > 0) || !(d > half) {
		return 0, false
	}
	steps, ok := s.model.Follow(d, half, s.rates)
	return time.Duration(steps * float64(s.core.step()) * 1e6), ok
}

// span is a time for reading: its two largest units.
func span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	two := func(a int64, big string, b int64, small string) string {
		if b == 0 {
			return fmt.Sprintf("%d %s", a, big)
		}
		return fmt.Sprintf("%d %s %d %s", a, big, b, small)
	}
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return two(s/60, "min", s%60, "s")
	case s < 86400:
		return two(s/3600, "h", s%3600/60, "min")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}

// num prints a number for reading: three significant digits, no exponent where it can be avoided.
func num(x float64) string {
	a := math.Abs(x)
	if a >= 1000 && a < 1e7 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
