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

// Explanation says why a sample scored what it did: first, in a sentence that is read at night, what is wrong, by how
// much, since when and what is usual; then the numbers behind it. The same state gives the same text.
type Explanation struct {
	Text     string  `json:"text"`    // both
	Summary  string  `json:"summary"` // the first sentence
	Detail   string  `json:"detail"`  // what may be folded
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
func (s *Series) Explain() Explanation { return s.ExplainIn(nil) }

// ExplainIn is Explain with values written by say, which may know their unit; nil writes three digits.
func (s *Series) ExplainIn(say func(float64) string) Explanation {
	if say == nil {
		say = num
	}
	s.lock()
	defer s.unlock()
	sc := s.score()
	x := Explanation{
		Kind: sc.Kind, Detector: sc.Detector, Score: sc.Raw, Value: sc.Value, Expected: sc.Expected,
		Lower: sc.Lower, Upper: sc.Upper, State: sc.State.String(),
	}
	if s.blank() {
		x.Summary = "Nothing is known yet: fewer than two samples."
		x.Text = x.Summary
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
	w := words{Series: s, x: &x, say: say}
	x.Summary, x.Detail = w.summary(), w.detail()
	x.Text = strings.TrimSpace(x.Summary + " " + x.Detail)
	return x
}

// words puts an explanation into sentences.
type words struct {
	*Series
	x   *Explanation
	say func(float64) string
}

// detail is the numbers behind the first sentence: what the leading test saw, when the series was last so, the score, and
// what the expectation rests on.
func (w *words) detail() string {
	var out []string
	add := func(text string) {
		if text != "" {
			out = append(out, strings.ToUpper(text[:1])+text[1:]+".")
		}
	}
	if w.x.State == AfterGap.String() {
		return "The window of its values reaches over the gap."
	}
	if w.x.State == Learning.String() {
		return ""
	}
	if w.abnormal() {
		row := detect.ByName(w.reason().row)
		if w.x.State != Learning.String() && row.Kind != Absence { // An absence has said it all.
			add(row.Clause(w.facts()))
		}
		inside := w.x.Value >= w.x.Lower && w.x.Value <= w.x.Upper
		switch {
		case math.IsNaN(w.x.Lower):
		case inside:
			add("by itself within the usual " + w.usual())
		default:
			add(w.record(w.x))
		}
		if e := w.episode(); e.Since != 0 && e.RunAt > e.Since {
			add("first abnormal " + span(time.Duration(w.last.Time-e.Since)*time.Millisecond) + " ago")
		}
		score := fmt.Sprintf("score %.2f by %s", w.x.Score, row.Name)
		if w.last.Withheld {
			score += fmt.Sprintf("; held back, since all series together may alarm %s times a week", num(w.name.engine.cfg.Budget.TotalPerWeek))
		}
		add(score)
		if lasts := w.last.Time - w.episode().RunAt; !inside && (w.x.Kind == Shift || lasts >= shiftAfter && w.x.Kind != Flatline) {
			if d, ok := w.acceptance(); ok {
				add("if it stays so, taken as its new level within " + span(d))
			}
		}
	} else if above := w.episode().AboveAt; w.last.Active && above != 0 {
		add("abnormal until " + span(time.Duration(w.last.Time-above)*time.Millisecond) + " before")
	}
	add(w.known())
	return strings.Join(out, " ")
}

// abnormal says whether there is a test to explain.
func (w *words) abnormal() bool { return w.x.Score > 1 && w.reason() != nil }

func (w *words) facts() *detect.Facts {
	f := &detect.Facts{
		Seen: w.reason().Seen, Step: time.Duration(w.core.step()) * time.Millisecond, Rates: w.rates,
		Group: w.x.Group, Shares: w.x.Contributors, Num: w.say, Dur: span,
	}
	if w.model.Active() != season.None {
		f.When = w.when()
	}
	return f
}

// shiftAfter is how long a value must have been abnormal for its sentence to say when that becomes normal.
const shiftAfter = int64(time.Hour / time.Millisecond)

// known says what the expectation rests on.
func (w *words) known() string {
	var b strings.Builder
	if w.model.Active() == season.None {
		b.WriteString("no season")
	} else {
		b.WriteString("season " + w.x.Season)
	}
	if w.x.Days > 0 {
		fmt.Fprintf(&b, ", fitted on %d of %d days", w.x.Days, w.x.DaysOf)
	}
	if w.x.State == Warming.String() {
		b.WriteString(", still warming up")
	}
	switch _, swapped := w.model.Today(); {
	case swapped:
		fmt.Fprintf(&b, "; today behaves like a %s", w.x.Class)
	case w.model.Holiday():
		b.WriteString("; today is a day off by the calendar")
	}
	return b.String()
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
		return fmt.Sprintf("never so %s in %d days", how, days)
	default:
		return fmt.Sprintf("last so %s %d days before", how, days)
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
