package detect

import (
	"math"

	"github.com/tidemark/tidemark/baseline/tuning"
)

var joint = Detector{Name: "joint", Kind: Collective, Floor: floorZ, Prior: priorZ}

// JointRow is the row by which a group's joint surprise is calibrated.
func JointRow() Detector { return joint }

// MaxJoint bounds the size of a group that is tested jointly: the first so many series.
const MaxJoint = 32

// Joint tests whether the surprises of a group's series go together as they usually do: the
// Mahalanobis distance of the vector of clipped surprises under an exponentially weighted
// covariance, shrunk a little towards its diagonal (the idea of Ledoit and Wolf 2004). Two series that always move
// together and part are found although neither is unusual; a series' share is its part of the sum.
type Joint struct {
	cov   []float64 // row-major, n by n
	n     int
	seen  float64
	cell  Cell
	block int64
}

// Resize forgets everything: the group has other members now.
func (j *Joint) Resize() { *j = Joint{} }

// Score is the statistic y in units of its own tail.
func (j *Joint) Score(y float64) float64 {
	if j.seen < 60 || y <= joint.Floor {
		return math.Inf(-1)
	}
	return j.cell.Score(y)
}

// Observe takes the surprises of one tick in a fixed order and returns the log of their joint
// distance and each one's share.
func (j *Joint) Observe(z []float64, block int64, r *tuning.Rates) (y float64, share []float64) {
	n := min(len(z), MaxJoint)
	if n != j.n {
		*j = Joint{n: n, cov: make([]float64, n*n)}
		j.cell.Reset(&joint, &r.Params)
	}
	if block != j.block {
		if j.block != 0 {
			j.cell.Close(&joint, &r.Params)
		}
		j.block = block
	}
	share = make([]float64, len(z))
	y = joint.Floor
	if j.seen >= 60 {
		d := j.distance(z[:n], share)
		y = logAt(math.Sqrt(d/float64(n)), joint.Floor)
		j.cell.Max = max(j.cell.Max, float32(y))
	}
	j.seen++
	w := max(r.Scale, 1/j.seen)
	for a := range n {
		for b := range n {
			c := &j.cov[a*n+b]
			*c += w * (clamp(z[a], 4)*clamp(z[b], 4) - *c)
		}
	}
	return y, share
}

// distance solves (0.98 C + 0.02 diag C) x = z by Cholesky and returns z.x with the shares of the sum.
func (j *Joint) distance(z, share []float64) float64 {
	n := j.n
	l := make([]float64, n*n)
	for a := range n {
		for b := range a + 1 {
			s := 0.98 * j.cov[a*n+b]
			if a == b {
				s = 1.01*j.cov[a*n+a] + 1e-6
			}
			for k := range b {
				s -= l[a*n+k] * l[b*n+k]
			}
			if a == b {
				l[a*n+a] = math.Sqrt(max(s, 1e-9))
			} else {
				l[a*n+b] = s / l[b*n+b]
			}
		}
	}
	x := make([]float64, n)
	for a := range n {
		s := clamp(z[a], 1e6)
		for k := range a {
			s -= l[a*n+k] * x[k]
		}
		x[a] = s / l[a*n+a]
	}
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	for a := n - 1; a >= 0; a-- {
		s := x[a]
		for k := a + 1; k < n; k++ {
			s -= l[k*n+a] * x[k]
		}
		x[a] = s / l[a*n+a]
	}
	pos := 0.0
	for a := range n {
		share[a] = max(0, clamp(z[a], 1e6)*x[a])
		pos += share[a]
	}
	for a := range n {
		if pos > 0 {
			share[a] /= pos
		}
	}
	return sum
}
