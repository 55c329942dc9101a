// Package detect holds the tests that look for anomalies: one file per detector, one row each in
// the table of All. A test turns a sample's surprise into a statistic; the calibration in this
// package turns the statistic into units that are comparable between tests and series.
package detect

import (
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Kind of anomaly, as exported in the label kind.
type Kind string

// The kinds.
const (
	Point      Kind = "point"
	Contextual Kind = "contextual"
	Collective Kind = "collective"
	Shift      Kind = "shift"
	Flatline   Kind = "flatline"
	Absence    Kind = "absence"
	Peer       Kind = "peer"
)

// Input is what every test sees of one sample: its surprises in units of their usual spread.
type Input struct {
	Value, Last float64 // this value and the one before
	Season      float64 // residual to level and season
	Local       float64 // residual to the forecast from the last few samples
	Global      float64 // distance to the slow mean
	Far         float64 // the same, as far as it is beyond what most days hold at this time
	Bulk        float64 // residual in spreads that leave the usual peaks out
	Move        float64 // distance to the value before, below zero where that is missing
	Off         float64 // see Surprise
	Same, Zero  float64 // share of samples that repeat the one before, and that are zero
	N           float64 // samples that are looked at together; all of the above but Value, Last and Far are then means
	Scale       float64 // its spread
	GlobalScale float64
	Gap         bool    // the sample before is missing: nothing that counts runs may go on
	Steps       float64 // samples seen
	Rates       *tuning.Rates
	One         *tuning.Sum // of one sample, see Cells.Skim
}

// Words is the number of float32 a detector may keep between samples.
const Words = 3

// Detector is one test.
type Detector struct {
	Name   string
	Kind   Kind
	Up     int     // +1 tests rises, -1 falls, 0 both
	Each   bool    // looks at every sample; the others look at beats
	Sums   bool    // and sums up many, see Cells.Sum
	Floor  float64 // statistics under it are all the same: the calm teaches nothing
	Prior  Gumbel  // what hourly maxima look like before the series has told
	Min    float64 // smallest Gumbel scale, 0 for the common one
	Family Family  // whose cost and least scale hold
	Width  float64 // bin width of the calibration, 0 for the common one
	Plain  bool    // the statistic is in units of the tail already: no calibration
	// Stat updates the test's memory with a sample and returns its statistic, e.g. log |z|. That of a row of Sums, whose
	// memory Cells.Sum updates, only says what is in it.
	Stat func(m *[Words]float32, in *Input) float64
	// Turn updates the memory of a row that looks at each sample with what lasts longer, once a beat; nil: there is none.
	Turn func(m *[Words]float32, in *Input)
	// Say puts what the test saw into words; see Clause.
	Say func(f *Facts) string
}

// Family groups the rows that share constants.
type Family = tuning.Family

// All is every test that looks at one series alone, in the order in which ties are decided.
// The order is part of the saved state: append, never insert.
func All() []Detector { return table[:] }

var table = [...]Detector{
	seasonUp, seasonDown,
	slowUp, slowDown,
	localUp, localDown,
	globalUp, globalDown,
	variance, stuck, zero,
	cusumShortUp, cusumShortDown, cusumLongUp, cusumLongDown,
	rampUp, rampDown,
	recordUp, recordDown,
	likelihood,
}

// Count is the number of rows of All.
const Count = len(table)

const floorZ = 0.5 // log of 1.65 spreads

var priorZ = Gumbel{Place: 1.14, Scale: 0.27}

// logAt is the logarithm of x, or the floor for anything smaller. Most samples are calm and cost no
// logarithm.
func logAt(x, floor float64) float64 {
	if x <= 1 && (x <= 0 || floor >= 0) || x < calmZ && floor == floorZ {
		return floor
	}
	return max(floor, Ln(x))
}

// calmZ is less than exp(floorZ).
const calmZ = 1.6487
