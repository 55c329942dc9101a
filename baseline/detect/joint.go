package detect

import (
	"math"
	"slices"

	"github.com/tidemark/tidemark/baseline/tuning"
)

var joint = Detector{Name: "joint", Kind: Collective, Floor: floorZ, Prior: priorZ, Min: 0.25, Say: sayJoint}

// JointRow is the row by which a group's joint surprise is calibrated.
func JointRow() Detector { return joint }

// MaxJoint bounds the size of a group that is tested jointly: the first so many series.
const MaxJoint = 32

// jointSeen is how many ticks a member must have been seen before it is tested.
const jointSeen = 60

// Joint tests whether the surprises of a group's series go together as they usually do: the
// Mahalanobis distance of the vector of clipped surprises under an exponentially weighted
// covariance, shrunk a little towards its diagonal (the idea of Ledoit and Wolf 2004). Two series that always move
// together and part are found although neither is unusual; a series' share is its part of the sum.
// A member that is missing in a tick is left out of it; a new one is tested once it has been seen
// often enough, and unsettles nobody else.
type Joint struct {
	JointState
	Cov  []float64 // row-major, one row a member
	Seen []float64 // ticks, a member each
}

// JointState is the part of Joint of fixed size, saved as it is.
type JointState struct {
	Cell  Law
	Block int64
}

// NewJoint has no members.
func NewJoint(p *tuning.Params) *Joint {
	j := &Joint{}
	j.Cell.Reset(&joint, p)
	return j
}

// Insert makes room for a new member before place i.
func (j *Joint) Insert(i int) {
	if i >= MaxJoint {
		return
	}
	j.Reshape(slices.Insert(j.order(), i, -1))
}

// Remove forgets the member at place i.
func (j *Joint) Remove(i int) {
	if i < len(j.Seen) {
		j.Reshape(slices.Delete(j.order(), i, i+1))
	}
}

func (j *Joint) order() []int {
	o := make([]int, len(j.Seen))
	for i := range o {
		o[i] = i
	}
	return o
}

// Reshape keeps the members of the old places from, in this order; -1 is a new one.
func (j *Joint) Reshape(from []int) {
	from = from[:min(len(from), MaxJoint)]
	n, old := len(from), len(j.Seen)
	cov, seen := make([]float64, n*n), make([]float64, n)
	for a, x := range from {
		if x < 0 {
			continue
		}
		seen[a] = j.Seen[x]
		for b, y := range from {
			if y >= 0 {
				cov[a*n+b] = j.Cov[x*old+y]
			}
		}
	}
	j.Cov, j.Seen = cov, seen
}

// Score is the statistic y in units of its own tail, minus infinity without evidence.
func (j *Joint) Score(y float64) float64 {
	if y <= joint.Floor {
		return math.Inf(-1)
	}
	return j.Cell.Score(y)
}

// Observe takes the surprises of one tick in the members' order, NaN for one that is missing, and
// returns the log of their joint distance and each one's share. Members beyond MaxJoint have none.
func (j *Joint) Observe(z []float64, block int64, r *tuning.Rates) (y float64, share []float64) {
	if block != j.Block {
		if j.Block != 0 {
			j.Cell.Close(&joint, &r.Params)
		}
		j.Block = block
	}
	share = make([]float64, len(z))
	n := min(len(z), len(j.Seen))
	var in []int
	for a := range n {
		if z[a] == z[a] && j.Seen[a] >= jointSeen {
			in = append(in, a)
		}
	}
	y = joint.Floor
	if len(in) > 1 {
		d := j.distance(in, z, share)
		y = logAt(math.Sqrt(d/math.Sqrt(float64(len(in)))), joint.Floor) // one that parts must show among many
		j.Cell.Max = max(j.Cell.Max, float32(y))
	}
	j.learn(z[:n], r)
	return y, share
}

func (j *Joint) learn(z []float64, r *tuning.Rates) {
	n := len(j.Seen)
	for a, x := range z {
		if x == x {
			j.Seen[a]++
		}
	}
	for a, x := range z {
		for b, y := range z[:a+1] {
			if x != x || y != y {
				continue
			}
			w := max(r.Scale, 1/min(j.Seen[a], j.Seen[b]))
			c := j.Cov[a*n+b]
			c += w * (clamp(x, 4)*clamp(y, 4) - c)
			j.Cov[a*n+b], j.Cov[b*n+a] = c, c
		}
	}
}

// distance solves (0.99 C + 0.02 diag C) x = z over the members in by Cholesky and returns z.x with
// the shares of the sum. Entries learned over different times need not form a covariance: pivots
// have the floor that the shrinkage gives those of one.
func (j *Joint) distance(in []int, z, share []float64) float64 {
	n, row := len(in), len(j.Seen)
	l := make([]float64, n*n)
	for a := range n {
		diag := j.Cov[in[a]*row+in[a]]
		for b := range a + 1 {
			s := 0.99 * j.Cov[in[a]*row+in[b]]
			if a == b {
				s = 1.01*diag + 1e-6
			}
			for k := range b {
				s -= l[a*n+k] * l[b*n+k]
			}
			if a == b {
				l[a*n+a] = math.Sqrt(max(s, 0.01*diag, 1e-9))
			} else {
				l[a*n+b] = s / l[b*n+b]
			}
		}
	}
	x := make([]float64, n)
	for a := range n {
		s := clamp(z[in[a]], 1e6)
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
		share[in[a]] = max(0, clamp(z[in[a]], 1e6)*x[a])
		pos += share[in[a]]
	}
	for a := range n {
		if pos > 0 {
			share[in[a]] /= pos
		}
	}
	return sum
}
