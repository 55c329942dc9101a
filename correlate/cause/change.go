package cause

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A change counts from this long before the start until a little after it, as starts are found and
// clocks differ, and fades with its age.
const (
	changeBefore = 30 * time.Minute
	changeAfter  = time.Minute
	changeFades  = 10 * time.Minute
)

// maxChanged is how many entities may have changed for a change to point at one of them; a
// roll-out of everything points at nobody.
const maxChanged = 3

// change finds entities that were changed shortly before the start. It decides only with an
// anomaly of the changed entity itself, and a restart never does: it is often a consequence.
func change(v *view) finding {
	f := v.newFinding("change")
	top := map[int]*Change{}
	decisive := 0
	for i := range v.c.Changes {
		c := &v.c.Changes[i]
		e, ok := v.index[c.Entity]
		age := time.Duration(v.start-c.Time.UnixMilli()) * time.Millisecond
		if !ok || age > changeBefore || age < -changeAfter {
			continue
		}
		w := math.Exp(-float64(max(age, 0)) / float64(changeFades))
		if restart(c.Kind) {
			w /= 2
		}
		if w > f.score[e] {
			if top[e] == nil || restart(top[e].Kind) {
				decisive++
			}
			f.score[e], top[e] = w, c
		}
	}
	f.evidence = func(e int) []Evidence {
		c := top[e]
		if c == nil {
			return nil
		}
		before := time.Duration(v.start-c.Time.UnixMilli()) * time.Millisecond
		when := fmt.Sprintf("%s before the start", before.Round(time.Second))
		switch {
		case before.Abs() < time.Second:
			when = "at the start"
		case before < 0:
			when = fmt.Sprintf("%s after the start", (-before).Round(time.Second))
		}
		return []Evidence{{
			Kind: f.kind, For: true, Entity: c.Entity, Time: c.Time.UTC(), Query: c.Query, Value: 1, Weight: f.score[e],
			Text: strings.TrimSuffix(fmt.Sprintf("%s of %s, %s: %s", c.Kind, c.Entity, when, c.Text), ": ") + ".",
		}}
	}
	if decisive == 0 || len(top) > maxChanged {
		return f
	}
	sure := make([]float64, len(f.score))
	for e, c := range top {
		if !restart(c.Kind) {
			if a := v.ownStrength(e); a >= resourceStrength {
				sure[e] = f.score[e] * a
			}
		}
	}
	if best, first, second := v.topTwo(sure); best >= 0 {
		f.decided, f.strength, f.margin = []int{best}, v.ownStrength(best), (first-second)/first
	}
	return f
}

func restart(kind string) bool { return strings.Contains(strings.ToLower(kind), "restart") }

// ownStrength is the strength of an entity's furthest series, or of its rarest alert.
func (v *view) ownStrength(e int) float64 {
	if s := v.topDev(e); s != nil {
		return strength(s.dev())
	}
	return 0
}
