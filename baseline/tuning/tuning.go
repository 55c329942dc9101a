// Package tuning holds the engine's constants: one set for every series, chosen once for the method
// and never per file. They are no user settings (the user's only knob is the false-alarm budget);
// they are gathered here so that the benchmarks can vary one at a time (see docs/detection.md).
package tuning

import "math"

// Params is one set of constants. Durations are hours unless said otherwise; half-lives become a
// weight 1 - 2^(-step/half-life).
type Params struct {
	// Season.
	SlotMinutes  float64 // length of a slot of the day profile
	Days         int     // days of slot means remembered
	LevelHours   float64 // half-life of the level above the profile
	ErrHours     float64 // half-life of a candidate season's error
	SwitchRatio  float64 // a candidate takes over under this share of the current error
	Phase        float64 // share of the distance to a neighbouring slot that is forgiven
	ClipScales   float64 // residuals are clipped at so many scales before they teach
	ScaleHours   float64 // half-life of the mean absolute residual
	SlotWeight   float64 // weight of today's slot in the scale per time of day
	VolHours     float64 // half-life of the volatility of the seasonal residual
	VolMin       float64
	VolMax       float64
	LevelFloor   float64 // scale is at least this share of the mean absolute value
	StepFloor    float64 // ... and this share of the smallest step seen
	PeakShare    float64 // ... and this share of the usual peak at this time of day
	PeakQuantile float64
	ClassHours   float64 // time after which a day may be said to behave like another class
	ClassRatio   float64 // and the share of the own class's error that it takes

	// Local track.
	LocalSteps    float64 // half-life in samples of the short forecast
	LocalHours    float64 // half-life of its mean absolute surprise
	LocalVolHours float64
	LocalVolMin   float64
	LocalVolMax   float64
	Rough         float64 // cost of a local surprise where the last samples tell no more than the mean does
	Smooth        float64 // share of the distance to the mean under which local surprises cost nothing

	// Global track.
	GlobalHours float64

	// Tests.
	SlowHours    float64
	SlowGain     float64
	CusumHours   [2]float64 // forgetting of the two CUSUMs
	CusumSlack   [2]float64
	BulkClip     float64
	RampHours    float64
	RecordTail   float64
	RecordDays   float64
	Debt         float64 // how steeply a spent budget raises the threshold
	Norm         float64
	RecordAge    float64
	SeasonForget float64
	WeekForget   float64 // share of the scores' law that is forgotten when a week, and two, have taught a weekly season
	VarHours     float64
	VarLong      float64
	LikelyHours  float64 // half-life of the mean surprise of the last samples
	BeatMinutes  float64 // samples closer together are learned this many minutes at a time

	// Calibration.
	BlockHours   float64           // block of the first stage
	Memory       float64           // blocks remembered
	PriorWeight  float64           // blocks the prior weighs
	Least        [Families]float64 // smallest Gumbel scale of a log statistic
	Cost         [Families]float64 // taken off a family's score: how much rarer it must be to count
	Quantile     float64
	Block2Hours  float64 // block of the second stage
	Memory2      float64
	Clip2        float64
	PriorMean2   float64
	PriorDev2    float64
	DevMin2      float64
	Common2      float64 // share of PriorMean2, of series in general, in the mean, however much the series has told
	CommonMost2  float64 // deviations that it moves the mean by at most
	OnceHours    float64 // an episode counts as one block for so long
	EpisodeHours float64 // an episode ends after so long without evidence
	FadeHours    float64 // half-life of the alarm score after an abnormal sample, within an episode
	FadeTop      float64 // what it falls back to first
	Growth       float64 // evidence must grow by this factor to raise the alarm again
	Turned       float64 // ... or pass the other end of the usual range, so many times as far out
	WarmSamples  int
	ReadyHours   float64
	WarmHours    float64
	Tail         float64 // how much more than in proportion a budget under TailRate asks for
	TailRate     float64 // episodes a day
	Forecasts
	BudgetGain float64 // rate of episodes that the calibration aims at, over the rate that the budget allows
}

// Forecasts are the constants of forecasts.
type Forecasts struct {
	SlowHours float64    // half-life of the slow level above the profile
	Fade      float64    // share of the residual of now that is left where it fades towards the slow level
	Clip      float64    // mean errors an hour ahead that such a residual is at most
	Power     float64    // of an expert's inverse loss in its weight
	Long      float64    // weight of a round in an expert's loss, long memory
	Short     float64    // and short memory
	Floor     float64    // share of the usual error in what a round's losses are measured by
	Trust     [6]float64 // of each expert beforehand; 0 leaves it out
}

// Family groups the tests that share constants.
type Family uint8

// The families.
const (
	Season Family = iota
	Slow
	Local
	Global
	Variance
	Stuck
	Zero
	CusumShort
	CusumLong
	Ramp
	Record
	Likelihood
	Families
)

// Default is the shipped set.
func Default() Params {
	return Params{
		SeasonForget: 0.3, WeekForget: 0.95, Norm: 6.5, Debt: 0.05, SlotMinutes: 20, Days: 28, LevelHours: 8.1, ErrHours: 72, SwitchRatio: 0.97, Phase: 0.3, ClipScales: 4,
		ScaleHours: 72, SlotWeight: 0.14, VolHours: 4.35, VolMin: 0.18, VolMax: 4.45,
		LevelFloor: 0.001, StepFloor: 0.3, PeakShare: 0.49, PeakQuantile: 0.5, ClassHours: 3, ClassRatio: 0.5,
		LocalSteps: 3, LocalHours: 3.87, LocalVolHours: 1, LocalVolMin: 1, LocalVolMax: 3, Rough: 1, Smooth: 0.05,
		GlobalHours: 72,
		SlowHours:   4, SlowGain: 3, CusumHours: [2]float64{2, 12}, CusumSlack: [2]float64{0.94, 0.74}, BulkClip: 3, RampHours: 4, RecordTail: 0.011, RecordDays: 28, LikelyHours: 0.3, BeatMinutes: 5, VarHours: 0.75, VarLong: 24,
		BlockHours: 1, Memory: 471, PriorWeight: 4, Least: [Families]float64{Season: 0.39, Slow: 0.39, Local: 0.34, Global: 0.23, Variance: 1.16, Stuck: 0.3, Zero: 0.4, CusumShort: 0.37, CusumLong: 0.3, Ramp: 0.39, Record: 0.39, Likelihood: 0.39},
		Cost: [Families]float64{Season: 0.17, Slow: -0.4, Local: -0.75, Stuck: -0.75, CusumShort: 0.5, CusumLong: 0.5, Ramp: 1.75}, RecordAge: 0.38, Quantile: 0.95,
		Block2Hours: 3, Memory2: 371, Clip2: 1.5, PriorMean2: 2.2, PriorDev2: 1.28, DevMin2: 0.5, Common2: 0.6, CommonMost2: 0.7, OnceHours: 12,
		EpisodeHours: 4.74, FadeHours: 1, FadeTop: 0.9, Growth: 2.3, Turned: 1, WarmSamples: 20, WarmHours: 1, ReadyHours: 48, Forecasts: Forecasts{SlowHours: 168, Fade: 0.6, Clip: 4, Power: 6, Long: 0.02, Short: 0.1, Floor: 1, Trust: [6]float64{1, 1, 1, 1, 1, 1}}, BudgetGain: 0.98, Tail: 2.6, TailRate: 0.1,
	}
}

// Rates are the weights of one step length, shared by all series of that step.
type Rates struct {
	Params
	Step                         float64 // seconds
	Level, Err, Scale, Vol       float64
	Local, LocalAbs, LocalVol    float64
	Global, Slow, Var, VarLong   float64
	Cusum                        [2]float64
	Ramp, Record, Likelihood     float64
	BlockMs, Block2Ms, EpisodeMs int64
	Hour, Day, Class             float64
	Sum                          Sum
	Beat                         int      // samples of a beat: those that are learned at a time
	Of                           []*Rates // of one sample, of two, to Beat: the weights of so many at a time
	Runs                         []*Rates // of one sample, of two, to MostRun: the same for old history
	Budget                       float64  // minus the log of the probability per block that the false-alarm budget allows; the engine sets it
}

// Weight is the weight of a new sample for a half-life given in hours.
func Weight(step, hours float64) float64 { return 1 - math.Exp2(-step/(3600*hours)) }

// Mean is the weight of the n-th sample in a mean that forgets at a rate: that of a plain mean, 1/n, as long
// as it is larger.
func Mean(n, rate float64) float64 {
	if n*rate >= 1 {
		return rate
	}
	return 1 / n
}

// Sum are the constants of the tests that sum up many samples, in single precision.
type Sum struct {
	Slow, SlowGain, RampFast, RampSlow float32
	Slack, Keep                        [2]float32 // of the two CUSUMs
}

// MostBeat bounds the samples of a beat, and MostRun those of old history that are learned at a time.
const (
	MostBeat = 32
	MostRun  = 32
)

// NewRates computes the weights for a step in seconds.
func NewRates(p Params, step float64) *Rates {
	r := newRates(p, step)
	r.Beat = int(max(1, min(MostBeat, p.BeatMinutes*60/step)))
	r.Of = []*Rates{r}
	for n := 2; n <= r.Beat; n++ {
		r.Of = append(r.Of, newRates(p, float64(n)*step))
	}
	r.Runs = append(r.Runs, r.Of...)
	for n := len(r.Runs) + 1; n <= MostRun; n++ {
		r.Runs = append(r.Runs, newRates(p, float64(n)*step))
	}
	return r
}

func newRates(p Params, step float64) *Rates {
	w := func(hours float64, atLeast float64) float64 { return Weight(step, max(hours, atLeast*step/3600)) }
	r := &Rates{
		Params: p, Step: step,
		Level: w(p.LevelHours, 1), Err: w(p.ErrHours, 1), Scale: w(p.ScaleHours, 1), Vol: w(p.VolHours, 1),
		Local: 1 - math.Exp2(-1/p.LocalSteps), LocalAbs: w(p.LocalHours, 1), LocalVol: w(p.LocalVolHours, 6),
		Global: w(p.GlobalHours, 1), Slow: w(p.SlowHours, 4), Var: w(p.VarHours, 4), VarLong: w(p.VarLong, 8),
		Ramp: w(p.RampHours, 6), Record: w(24*p.RecordDays, 1), Likelihood: w(p.LikelyHours, 4),
		Hour: w(1, 1), Day: w(24, 1), Class: Weight(step, p.ClassHours),
	}
	for i := range r.Cusum {
		r.Cusum[i] = w(p.CusumHours[i], 4)
	}
	r.Sum = Sum{
		Slow: float32(r.Slow), SlowGain: float32(p.SlowGain), RampFast: float32(r.Ramp), RampSlow: float32(r.Ramp / 3),
		Slack: [2]float32{float32(p.CusumSlack[0]), float32(p.CusumSlack[1])}, Keep: [2]float32{float32(1 - r.Cusum[0]), float32(1 - r.Cusum[1])},
	}
	r.BlockMs = int64(1000 * max(3600*p.BlockHours, 6*step))
	r.Block2Ms = int64(1000 * max(3600*p.Block2Hours, 6*step))
	r.EpisodeMs = int64(3600e3 * p.EpisodeHours)
	return r
}
