package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
)

// Evidence is what one test alone says of the last sample.
type Evidence struct {
	Detector string
	Kind     Kind
	Score    float64 // the anomaly score if this were the only test
	P        float64 // probability that a block of the calibration (three hours) of normal time holds as much; 1 for a silent test
}

// Evidence lists what each test says of the last sample, in the order of the tests; silent ones
// score 0. A test that needs more than one sample's value (siblings, absence) comes last, when it made the score.
func (s *Series) Evidence() []Evidence {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := detect.All()
	blank := s.rates == nil
	out := make([]Evidence, len(all))
	for i, d := range all {
		out[i] = Evidence{Detector: d.Name, Kind: d.Kind, P: 1}
		if u := math.Float32frombits(uint32(s.lastU[i]) << 16); u > 0 && s.last.State != Learning && s.last.State != AfterGap && !blank {
			logp := s.pool.LogP(float64(u), &s.rates.Params)
			out[i].Score, out[i].P = logp/s.budget(), math.Exp(-logp)
		}
	}
	if w := s.reason(); w != nil && s.last.Raw > 1 {
		if d := detect.ByName(w.row); d.Stat == nil {
			out = append(out, Evidence{Detector: d.Name, Kind: d.Kind, Score: s.last.Raw, P: math.Exp(-s.last.Raw * s.budget())})
		}
	}
	return out
}
