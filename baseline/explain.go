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
	Days     int     `json:"days"` // of history that the season was fitted on
	Class    string  `json:"class"`
	State    string  `json:"state"`
}

// Explain explains the last sample.
func (s *Series) Explain() Explanation {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.last
	x := Explanation{
		Kind: sc.Kind, Detector: sc.Detector, Score: sc.Raw, Value: sc.Value, Expected: sc.Expected,
		Lower: sc.Lower, Upper: sc.Upper, State: sc.State.String(),
	}
	if s.model == nil {
		x.Text = "Nothing is known yet: fewer than two samples."
		return x
	}
	if sc.Expected != 0 {
		x.Ratio = sc.Value / sc.Expected
	}
	if sc.Since != 0 {
		x.Lasting = float64(sc.Time-sc.Since) / 1000
	}
	days, class, swapped := s.model.DaysSeen()
	x.Days, x.Class, x.Season = days, class.String(), s.model.Active().String()
	x.Text = s.sentence(&x, swapped)
	return x
}

func (s *Series) sentence(x *Explanation, swapped bool) string {
	var b strings.Builder
	at := time.UnixMilli(s.engine.cal.Local(s.last.Time)).UTC()
	when := at.Weekday().String() + " " + at.Format("15:04")
	switch {
	case x.State == Learning.String():
		fmt.Fprintf(&b, "Still learning: %s samples so far.", num(s.core.N))
		return b.String()
	case x.Score <= 1:
		fmt.Fprintf(&b, "Within what is usual for %s: %s, expected %s to %s", when, num(x.Value), num(x.Lower), num(x.Upper))
	default:
		d := detect.ByName(x.Detector)
		b.WriteString(d.Say(detect.Facts{Value: x.Value, Expected: x.Expected, When: when, Num: num}))
		if x.Lasting > 0 {
			fmt.Fprintf(&b, ", for %s", time.Duration(x.Lasting*float64(time.Second)).Round(time.Second))
		}
		if !math.IsNaN(x.Lower) {
			fmt.Fprintf(&b, ", expected %s to %s", num(x.Lower), num(x.Upper))
		}
		b.WriteString(s.record(x))
		fmt.Fprintf(&b, ", score %.2f", x.Score)
	}
	if s.model.Active() == season.None {
		b.WriteString("; no season")
	} else {
		fmt.Fprintf(&b, "; season %s", x.Season)
	}
	if x.Days > 0 {
		fmt.Fprintf(&b, ", fitted on %d days", x.Days)
	}
	if swapped {
		fmt.Fprintf(&b, "; today behaves like a %s", x.Class)
	}
	b.WriteByte('.')
	return b.String()
}

// record says when the value is the highest or lowest in memory.
func (s *Series) record(x *Explanation) string {
	days := x.Days
	if days < 2 {
		return ""
	}
	lo, hi := s.model.Range()
	switch {
	case x.Value > hi:
		return fmt.Sprintf(", never so high in %d days", days)
	case x.Value < lo:
		return fmt.Sprintf(", never so low in %d days", days)
	}
	return ""
}

// num prints a number for reading: three significant digits, no exponent where it can be avoided.
func num(x float64) string {
	a := math.Abs(x)
	if a >= 1000 && a < 1e7 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
