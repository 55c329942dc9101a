package cause

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// finding is what one kind of evidence says about all entities of a view.
type finding struct {
	kind string
	// score by entity, higher is guiltier; 0 says nothing.
	score []float64
	// decided are the entities this evidence is sure of, best first. Empty: it stays silent.
	decided []int
	// strength of the first decided entity's own anomaly, and its margin over the second: what the
	// confidence is made of.
	strength, margin float64
	// evidence explains an entity's score. May be nil.
	evidence func(e int) []Evidence
}

func (v *view) newFinding(kind string) finding {
	return finding{kind: kind, score: make([]float64, len(v.names))}
}

// order lists entities with the highest score first; equal scores by name, so that the order does
// not depend on maps or input order. Entities are numbered in the order of their names.
func order(score []float64, keep func(e int) bool) []int {
	out := make([]int, 0, len(score))
	for e := range score {
		if keep == nil || keep(e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	return out
}

// topTwo is the candidates' best entity (-1: none above 0) with the two highest scores.
func (v *view) topTwo(score []float64) (best int, first, second float64) {
	best = -1
	for e, s := range score {
		if !v.candidate[e] {
			continue
		}
		switch {
		case s > first:
			best, first, second = e, s, first
		case s > second:
			second = s
		}
	}
	return best, first, second
}

// evidenceOf describes a series that left its normal period.
func (v *view) evidenceOf(kind string, s *sample, weight float64) Evidence {
	value := s.mean
	entity := s.ent
	if s.peer >= 0 {
		entity = s.peer // What callers measured of an entity that reports nothing itself.
	}
	e := Evidence{
		Kind: kind, For: true, Entity: v.names[entity], Query: s.Query, Time: v.timeOf(s),
		From: msTime(s.faultT[0]), To: msTime(s.faultT[len(s.faultT)-1]), Step: stepOf(s.T),
		Value: value, Expected: ptr(s.median), Lower: ptr(s.lower), Upper: ptr(s.upper), Weight: weight,
	}
	direction := "above"
	if s.down > s.up {
		direction = "below"
	}
	e.Text = fmt.Sprintf("%s of %s is %s, normally %s: %s times its usual spread %s that.", s.called(), v.names[s.ent],
		s.say(value), s.say(s.median), number(max(s.up, s.down)), direction)
	return e
}

func (v *view) timeOf(s *sample) time.Time {
	if s.at == 0 {
		return msTime(v.start)
	}
	return msTime(s.at)
}

// stepOf is the shortest distance of two samples; 0 when there is one.
func stepOf(t []int64) time.Duration {
	least := int64(0)
	for i := 1; i < len(t); i++ {
		if d := t[i] - t[i-1]; d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return time.Duration(least) * time.Millisecond
}

func ptr(x float64) *float64 { return &x }

// say writes a value of the series.
func (s *Series) say(x float64) string {
	if s.Say != nil {
		return s.Say(x)
	}
	return number(x)
}

// number prints three digits, without an exponent where people would not write one.
func number(x float64) string {
	if a := math.Abs(x); a >= 1e6 || (a < 1e-3 && a > 0) {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	switch a := math.Abs(x); {
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// msTime converts Unix milliseconds; what no calendar holds is the zero time, which can be written.
func msTime(ms int64) time.Time {
	t := time.UnixMilli(ms).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}
