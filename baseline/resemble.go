package baseline

import (
	"github.com/tidemark/tidemark/baseline/detect"
)

// A series that begins while others of its watch are known need not find out alone how large the largest
// surprises of an hour are.
const (
	// resembleMost is how many others are asked.
	resembleMost = 8
	// resembleBlocks is how many blocks of its own what they have in common weighs.
	resembleBlocks = 24
)

// Resemble lets a series of which nothing is known yet begin with the calibration that others have in
// common: their block maxima, pooled, and the law of their scores. What it sees itself soon outweighs that.
// Its spread, its level and its season it learns alone. The first of others that are ready are asked; false when
// none is, or when the series is not new.
func (s *Series) Resemble(others []*Series) bool {
	var pooled [detect.Count][]detect.Counts
	var gaps []detect.Counts
	var mean, dev float64
	for _, o := range others {
		if len(gaps) == resembleMost {
			break
		}
		if o == s {
			continue
		}
		o.lock()
		if !o.blank() && o.core.step() == s.stepOf() && o.age(o.core.Last) == Ready {
			k := o.page()
			for i := range pooled {
				pooled[i] = append(pooled[i], k.Counts[i])
			}
			gaps = append(gaps, k.Gap)
			mean += float64(o.pool.Mean)
			dev += float64(o.pool.Var)
		}
		o.unlock()
	}
	if len(gaps) == 0 {
		return false
	}
	s.lock()
	defer s.unlock()
	if s.blank() || s.core.First != 0 {
		return false
	}
	k, p := s.page(), &s.rates.Params
	for i := range pooled {
		k.Counts[i] = detect.Blend(pooled[i], resembleBlocks)
	}
	k.Gap = detect.Blend(gaps, resembleBlocks)
	s.cold.dirty = true
	s.cells.Fit(p, &k.Counts)
	s.gap.Fit(&absence, p, &k.Gap)
	s.settle(p, &k.Counts)
	s.pool.Mean, s.pool.Var = float32(mean/float64(len(gaps))), float32(dev/float64(len(gaps)))
	s.bound()
	return true
}

// stepOf is the step in milliseconds, 0 while it is unknown.
func (s *Series) stepOf() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.step()
}
