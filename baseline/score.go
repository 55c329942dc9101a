package baseline

import "github.com/tidemark/tidemark/baseline/detect"

// Kind of anomaly; see the constants of package detect.
type Kind = detect.Kind

// The kinds, again for callers of this package.
const (
	Point      = detect.Point
	Contextual = detect.Contextual
	Collective = detect.Collective
	Shift      = detect.Shift
	Flatline   = detect.Flatline
	Absence    = detect.Absence
	Peer       = detect.Peer
)

// State says how much a series' baseline is worth.
type State uint8

// The states: learning has no score, warming has a wide band and a damped score, ready has what the
// configuration promises. After a gap there is no score either: the value is made of less than its window.
const (
	Learning State = iota
	Warming
	Ready
	AfterGap
)

// String is the state as exported.
func (s State) String() string { return [...]string{"learning", "warming", "ready", "after a gap"}[s] }

// Score is what the baseline says of one sample.
type Score struct {
	Time     int64   // unix milliseconds
	Value    float64 // as observed
	Expected float64 // learned; NaN while learning
	Lower    float64 // the band: the usual range at this time, see docs/detection.md
	Upper    float64
	Raw      float64 // tidemark_anomaly_score: 1 is the edge of the budget
	Alarm    float64 // tidemark_anomaly_alarm_score: above 1 once per episode
	Active   bool    // an anomaly lasts
	Withheld bool    // the fleet's budget holds the anomaly that lasts back: it is not active
	Kind     Kind    // of the leading test, empty when no test stands out
	Detector string
	State    State
	Since    int64 // start of the anomaly, 0 when none
	row      int8  // where the leading test may be found in rows; a hint
}
