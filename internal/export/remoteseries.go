package export

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
)

// sentSeries remembers what the receiver has of each series, to send nothing twice and to say when a series
// ended.
type sentSeries struct {
	byHash map[uint64][]*sentOne // the hash of labels may collide
	rounds uint64
}

type sentOne struct {
	labels labels.Labels
	last   int64 // time of the last sample or marker, in milliseconds
	round  uint64
	ended  bool
}

// remember is how many rounds an ended series is kept in mind: when it comes back with its old sample, that
// sample is older than the marker and would be refused.
const remember = 20

func newSentSeries() *sentSeries { return &sentSeries{byHash: map[uint64][]*sentOne{}} }

// round gives what has to be sent, one sample a series.
func (s *sentSeries) round(source Sampler) []prompb.TimeSeries {
	s.rounds++
	var out []prompb.TimeSeries
	source.Samples(func(ls labels.Labels, t int64, v float64) {
		if s.advance(ls, t) {
			out = append(out, sample(ls, t, v))
		}
	})
	return s.stale(out)
}

// advance takes note of a sample; false means that the receiver has it, or a newer one.
func (s *sentSeries) advance(ls labels.Labels, t int64) bool {
	h := ls.Hash()
	for _, one := range s.byHash[h] {
		if !labels.Equal(one.labels, ls) {
			continue
		}
		one.round = s.rounds
		if t <= one.last {
			return false
		}
		one.last, one.ended = t, false
		return true
	}
	s.byHash[h] = append(s.byHash[h], &sentOne{labels: ls, last: t, round: s.rounds})
	return true
}

// stale ends the series that were not handed out in this round. The marker comes right after the last sample,
// so that the series may go on with its next one.
func (s *sentSeries) stale(out []prompb.TimeSeries) []prompb.TimeSeries {
	for h, list := range s.byHash {
		for _, one := range list {
			if one.round != s.rounds && !one.ended {
				one.last, one.ended = one.last+1, true
				out = append(out, sample(one.labels, one.last, math.Float64frombits(value.StaleNaN)))
			}
		}
		list = slices.DeleteFunc(list, func(one *sentOne) bool { return s.rounds-one.round > remember })
		if len(list) == 0 {
			delete(s.byHash, h)
		} else {
			s.byHash[h] = list
		}
	}
	return out
}

func (s *sentSeries) alive() int {
	n := 0
	for _, list := range s.byHash {
		for _, one := range list {
			if !one.ended {
				n++
			}
		}
	}
	return n
}

// sample makes a series of one sample. labels.Labels are sorted and hold no name twice; empty values, which
// the protocol forbids, are left out.
func sample(ls labels.Labels, t int64, v float64) prompb.TimeSeries {
	out := make([]prompb.Label, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Value != "" {
			out = append(out, prompb.Label{Name: l.Name, Value: l.Value})
		}
	})
	return prompb.TimeSeries{Labels: out, Samples: []prompb.Sample{{Timestamp: t, Value: v}}}
}
