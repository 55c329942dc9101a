package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// course is what an anomaly has been like since it began: sums over its samples, from which its kind is told. The test
// that leads at a moment sees that moment; whether a level has moved and stayed shows in all of it. It lasts
// through breaks of courseBreak. Saved as it is.
type course struct {
	Start, AboveAt int64   // unix milliseconds; of the last sample with a score above 1
	N, Above       float64 // samples, and those with a score above 1
	Inside         float64 // samples within what the remembered days have held
	T, TT          float64 // hours since the start
	R, RR, TR      float64 // distance to what was expected
	Low, High      float64 // of the profile
	Kind           uint8   // index in kindNames of what was named last, plus one
	_              [7]uint8
}

const (
	// courseBreak is the longest calm within a course.
	courseBreak = int64(time.Hour / time.Millisecond)
	// An anomaly of several samples is told from a short one after so many, and so long.
	courseSamples = 6
	courseTime    = int64(30 * time.Minute / time.Millisecond)
	// A level that has stayed for so long has moved, whatever the season.
	courseStays = int64(3 * time.Hour / time.Millisecond)
)

var kindNames = [...]Kind{Point, Contextual, Collective, Shift, Flatline, Absence, Peer}

func kindIndex(k Kind) uint8 {
	for i, name := range kindNames {
		if name == k {
			return uint8(i + 1)
		}
	}
	return 0
}

// named is the kind of the anomaly that lasts, empty when none was named.
func (c *course) named() Kind {
	if c.Kind == 0 || int(c.Kind) > len(kindNames) {
		return ""
	}
	return kindNames[c.Kind-1]
}

// follow adds a sample to the course of an anomaly; scored says that its score is above 1.
func (c *course) follow(t int64, residual, profile float64, inside, scored bool) {
	if scored && (c.N == 0 || t-c.AboveAt > courseBreak) {
		*c = course{Start: t, AboveAt: t, Low: profile, High: profile}
	}
	if c.Start == 0 || t-c.AboveAt > courseBreak {
		return
	}
	if scored {
		c.AboveAt = t
		c.Above++
	}
	h := float64(t-c.Start) / 3600e3
	residual = max(-limitValue, min(limitValue, residual))
	c.N++
	c.T, c.TT = c.T+h, c.TT+h*h
	c.R, c.RR, c.TR = c.R+residual, c.RR+residual*residual, c.TR+h*residual
	c.Low, c.High = min(c.Low, profile), max(c.High, profile)
	if inside {
		c.Inside++
	}
}

// shape is the mean distance, what samples scatter around the line through them, and the growth along it, over the
// mean; sure says that the growth is more than chance.
func (c *course) shape() (mean, scatter, growth float64, sure bool) {
	mean = c.R / c.N
	tt, tr, rr := c.TT-c.T*c.T/c.N, c.TR-c.T*c.R/c.N, c.RR-c.R*mean
	slope := 0.0
	if tt > 0 {
		slope = tr / tt
	}
	scatter = math.Sqrt(max(0, rr-slope*tr) / max(1, c.N-2))
	span := 2 * c.T / c.N // twice the mean time: the length
	growth = ratio(slope*span*math.Copysign(1, mean), math.Abs(mean))
	return mean, scatter, growth, growth > 2*3.5*ratio(scatter, math.Abs(mean))/math.Sqrt(c.N)
}

// kind names an anomaly with a score above 1, by what its course has been and, while that is short, by the test that
// leads.
func (s *Series) kind(c *course, lead Kind, t int64) Kind {
	if lead == Flatline || s.alone(tuning.Stuck) > 1 || s.alone(tuning.Zero) > 1 {
		return Flatline
	}
	seasonal := s.model.Active() != season.None
	within := seasonal && c.Inside >= 0.7*c.N // of what other hours hold
	if lasts := t - c.Start; c.N >= courseSamples && lasts >= courseTime {
		mean, scatter, growth, sure := c.shape()
		switch moved := c.High - c.Low; {
		case math.Abs(mean) < 1.2*scatter: // up and down
			if c.Above >= 3 {
				return Collective
			}
		case growth > 0.5 && sure:
			return Collective // it drifts
		case !within, lasts >= courseStays:
			return Shift
		case moved > math.Abs(mean)/2 && scatter < moved/4:
			return Shift // the season goes on, on another level
		default:
			return Contextual
		}
	}
	switch {
	case lead == Contextual && (!within || c.N <= 2 && s.alone(tuning.Local) > 1):
		return Point
	case lead == Point && within && c.N > 2 && s.alone(tuning.Season) > 1:
		return Contextual
	}
	return lead
}

func ratio(x, y float64) float64 {
	if y <= 0 {
		return 0
	}
	return x / y
}

// alone is the score of the last sample if a family's tests were the only ones.
func (s *Series) alone(f detect.Family) (score float64) {
	for i, d := range detect.All() {
		if d.Family != f {
			continue
		}
		if u := math.Float32frombits(uint32(s.lastU[i]) << 16); u > 0 {
			score = max(score, s.pool.LogP(float64(u), &s.rates.Params)/s.budget())
		}
	}
	return score
}

// name names the kind of the anomaly that a sample belongs to, and remembers it for as long as it lasts.
func (s *Series) nameKind(sc *Score, residual, profile float64) {
	if s.rare == nil || s.rare.Since == 0 {
		return
	}
	c := &s.rare.Course
	low, high, ok := s.model.Extent()
	c.follow(sc.Time, residual, profile, ok && sc.Value >= low && sc.Value <= high, sc.Raw > 1)
	switch {
	case sc.Raw > 1 && c.N > 0:
		sc.Kind = s.kind(c, sc.Kind, sc.Time)
		c.Kind = kindIndex(sc.Kind)
	case sc.Active && c.named() != "":
		sc.Kind = c.named()
	}
}
