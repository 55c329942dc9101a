package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
)

// goneMs is how long a series may miss samples that are usual before it counts as gone: what does not come
// back for a day is no longer expected. It bounds an absence, and keeps series that ended long before
// anybody watched from being missed.
const goneMs = dayMs

// Absent scores a sample that was expected at t (unix milliseconds) and did not come. It learns
// nothing: what gaps are usual is learned when the series returns. A series that is usually absent
// at this time of day (a cron job's) scores 0, and so does one that has been gone for more than a day.
func (s *Series) Absent(t int64) Score { return s.missing(t, s.absent) }

// Left notes that the series gave no sample at t (unix milliseconds) for a reason that is known and no anomaly.
func (s *Series) Left(t int64) Score { return s.missing(t, func(*Score, int64) {}) }

func (s *Series) missing(t int64, score func(*Score, int64)) Score {
	s.lock()
	defer s.unlock()
	sc := s.silent(t, math.NaN())
	s.calm()
	if !s.blank() && t > s.core.Last {
		score(&sc, t)
		s.alarm(&sc, t) // an anomaly from before ends in its time
	}
	s.last.set(&sc)
	return sc
}

func (s *Series) absent(sc *Score, t int64) {
	c := &s.core
	if sc.State = s.age(t); sc.State == Learning || c.N < float64(s.rates.WarmSamples) {
		return
	}
	s.page()
	share, days := s.model.Presence(t)
	if days >= 3 && share < 0.5 {
		return
	}
	y := s.gapStat(t)
	missed := math.Expm1(y)
	if missed*float64(c.step()) > goneMs {
		return
	}
	sc.Expected = s.model.Ahead(t, s.rates.Step) + s.model.Level()
	if y <= absence.Floor {
		return
	}
	sc.Raw = max(0, s.rawAlone(s.gap.Score(y)))
	sc.Kind, sc.Detector = Absence, absence.Name
	if sc.Raw > 1 {
		s.because(&absence).Seen = detect.Seen{Expected: sc.Expected, Missing: missed, Present: math.Round(share * float64(days)), Days: float64(days)}
	}
}

// gapStat is the log of one plus the number of samples that should have come since the last one:
// the times of day at which the series is usually absent do not count, nor those at which no series was there.
func (s *Series) gapStat(t int64) float64 {
	c := &s.core
	s.page()
	stride := max(c.step(), dayMs/int64(s.model.Slots()))
	missed := 0.0
	for x, n := max(c.Last, s.name.engine.blind.Load())+c.step(), 0; x <= t && n < 1000; x, n = x+stride, n+1 {
		if share, days := s.model.Presence(x); days < 3 || share >= 0.5 {
			missed += float64(min(stride, t-x+c.step())) / float64(c.step())
		}
	}
	return math.Log(1 + missed)
}
