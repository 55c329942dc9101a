package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
)

// Absent scores a sample that was expected at t (unix milliseconds) and did not come. It learns
// nothing: what gaps are usual is learned when the series returns. A series that is usually absent
// at this time of day (a cron job's) scores 0.
func (s *Series) Absent(t int64) Score {
	s.lock()
	defer s.unlock()
	sc := s.absent(t)
	s.last = markOf(sc)
	return sc
}

func (s *Series) absent(t int64) Score {
	sc := s.silent(t, math.NaN())
	s.why = nil
	c := &s.core
	if c.Step == 0 || c.N < float64(s.rates.WarmSamples) || t <= c.Last {
		return sc
	}
	sc.State = s.age(t)
	s.page()
	if share, days := s.model.Presence(t); days >= 3 && share < 0.5 {
		return sc
	}
	sc.Expected = s.model.Ahead(t, s.rates.Step) + s.model.Level()
	y := s.gapStat(t)
	if sc.State == Learning || y <= absence.Floor {
		return sc
	}
	sc.Raw = max(0, s.pool.LogP(s.gap.Score(y), &s.rates.Params)/s.budget())
	sc.Kind, sc.Detector = Absence, absence.Name
	if sc.Raw > 1 {
		share, days := s.model.Presence(t)
		s.because(&absence).Seen = detect.Seen{Expected: sc.Expected, Missing: math.Expm1(y), Present: math.Round(share * float64(days)), Days: float64(days)}
	}
	s.alarm(&sc, t)
	return sc
}

// gapStat is the log of one plus the number of samples that should have come since the last one:
// the times of day at which the series is usually absent do not count.
func (s *Series) gapStat(t int64) float64 {
	c := &s.core
	s.page()
	stride := max(c.step(), dayMs/int64(s.model.Slots()))
	missed := 0.0
	for x, n := c.Last+c.step(), 0; x <= t && n < 1000; x, n = x+stride, n+1 {
		if share, days := s.model.Presence(x); days < 3 || share >= 0.5 {
			missed += float64(min(stride, t-x+c.step())) / float64(c.step())
		}
	}
	return math.Log(1 + missed)
}
