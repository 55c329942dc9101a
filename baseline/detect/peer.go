package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

var peerOutlier = Detector{Name: "peer_outlier", Kind: Peer, Floor: floorZ, Prior: priorZ, Say: sayPeer}

// PeerRow is the row by which distances to siblings are calibrated. It has no Stat: it needs the
// siblings' values.
func PeerRow() Detector { return peerOutlier }

// PeerState follows a series' usual distance to the common level of its siblings.
type PeerState struct {
	Mean, Abs, N float64
	BlockNo      int64
}

// Observe takes a distance and returns the log of its surprise in usual spreads; floor is the
// smallest spread that means anything.
func (s *PeerState) Observe(d, floor float64, r *tuning.Rates) float64 {
	x := d - s.Mean
	scale := max(s.Abs, floor)
	y := floorZ
	if s.N > 12 {
		y = logAt(math.Abs(x)/scale, floorZ)
		x = clamp(x, 4*scale)
	}
	s.N++
	w := max(r.Scale, 1/s.N)
	s.Mean += w * x
	s.Abs += w * (math.Abs(x) - s.Abs)
	return y
}

// Block reports whether a new block has begun.
func (s *PeerState) Block(b int64) bool {
	if s.BlockNo == b {
		return false
	}
	first := s.BlockNo == 0
	s.BlockNo = b
	return !first
}
