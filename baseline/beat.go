package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// beat is what the samples since the last moment of learning add up to; saved as it is. A beat is five minutes of
// samples, or one where they are farther apart: spreads, levels and the tests that look at many samples move too
// slowly to be told of each. A beat ends by the number of its samples and with the slot of the day, so that it
// does not matter how samples are handed over.
type beat struct {
	N, Moves    float32 // samples, and those whose one before is not missing
	Level       float32 // sums, of what is clipped each: residual to the season in force
	Abs         float32 // amount beyond the phase neighbourhood
	Surprise    float32 // amount of the surprise against the last samples
	Off         float32 // see detect.Surprise
	Move        float32 // amount of the steps
	Value       float32 // distance to the slow mean
	Apart, Size float32 // its amount, and that of the value itself
	Same, Zeros float32 // samples that repeat the one before, and that are zero
}

// frame is what holds until the beat ends, looked up once. What a calm sample stays within lets it pass with some
// additions: it raises no test, scores nothing and is nowhere clipped.
type frame struct {
	Next                              int64 // when something ends: a slot, a block, an hour, a state; 0: look at once
	Slot                              int64 // begin of the slot
	High, Low                         float64
	Residual, Up, Down, Rise, Fall    float32 // of residuals and surprises
	Scale, Local, Global, Bulk, Floor float32 // spreads
	PerScale, PerLocal, PerBulk       float32 // one over
	Lowest, Highest                   float32 // profile one slot to either side
	ClipLevel, ClipAbs                float32 // see beat
	ClipSurprise, ClipMove, ClipValue float32
	HeldRaw                           float32 // anomaly score of the tests that look at beats
	Bounds                            detect.Bounds
	State                             State
	Row                               int8 // of the leading test, noRow: none
	Jobs                              bool // see Model.Beyond
	Busy                              bool // every sample takes the long way
	Loud                              bool // lastU has scores of tests that look at each sample
}

// live is what a series of which a beat has several samples keeps of them. One whose samples are as far apart as beats does without.
type live struct {
	frame
	beat
}

// work is the room that a sample needs, so that it allocates nothing.
type work struct {
	in   detect.Input
	live live
	skim skimRoom
}

const (
	youngBeat = 240 // samples after which they are learned by the beat
	tiny      = 1e-30
)

// full is how many samples the beat has when it is full.
func (s *Series) full() float32 {
	if s.core.N <= youngBeat {
		return 1
	}
	return float32(s.rates.Beat)
}

// moment is where t lies in the current slot.
func (s *Series) moment(t int64) season.Moment {
	return season.Moment{Day: int64(s.model.Day), Slot: int(s.model.Slot), Frac: s.model.Frac(t, s.live.Slot), LastSlot: int(s.model.Slot)}
}

// look brings the frame up to date.
func (s *Series) look() {
	c, f, r := &s.core, &s.live.frame, s.rates
	floor := s.floor()
	f.Floor = notZero(floor)
	f.Scale = notZero(s.spread())
	f.Local = notZero(max(c.LocalAbs*max(r.LocalVolMin, min(r.LocalVolMax, float64(c.LocalVol))), floor, r.PeakShare*s.lpeak.At(s.model.Slots())))
	f.Global = notZero(max(c.SlowAbs, floor))
	f.Bulk = notZero(max(s.scale.At(r), floor))
	f.PerBulk = 1 / f.Bulk
	f.ClipAbs = float32(s.scale.Clip(floor, r))
	f.ClipLevel, f.ClipSurprise, f.ClipValue, f.ClipMove = math.MaxFloat32, math.MaxFloat32, math.MaxFloat32, math.MaxFloat32
	if c.N >= 12 {
		f.ClipSurprise, f.ClipValue = float32(4*max(c.LocalAbs, floor)), float32(r.ClipScales*max(c.SlowAbs, floor))
	}
	if x := s.cells.Restless(); x > 0 {
		f.ClipMove = float32(x)
	}
	f.Jobs = s.model.Filled >= 3 && s.model.Chosen == season.None
	if r.Beat > 1 {
		f.PerScale, f.PerLocal = 1/f.Scale, 1/f.Local
		low, high := s.model.Around()
		f.Lowest, f.Highest = low, high
		f.ClipLevel = float32(s.model.Clip(r))
		f.Busy = c.N < youngBeat/4 || f.State == Learning || s.model.Doubtful(r)
		s.settleCalm()
	}
}

func notZero(x float64) float32 { return max(float32(min(x, math.MaxFloat32)), tiny) }

// settleCalm looks up what a calm sample stays within.
func (s *Series) settleCalm() {
	c, f, r := &s.core, &s.live.frame, s.rates
	b := &f.Bounds
	s.cells.Bound(b)
	most := min(f.ClipAbs, float32(r.BulkClip)*f.Bulk, detect.SlowClip*f.Scale)
	f.Residual = f.ClipLevel
	f.Up, f.Down = min(most, b.Season[0]*f.Scale), min(most, b.Season[1]*f.Scale)
	f.Rise, f.Fall = min(f.ClipSurprise, b.Local[0]*f.Local), min(f.ClipSurprise, b.Local[1]*f.Local)
	top, bottom := s.cells.Records()
	beyond := 3 * float64(f.Scale) // What passes the record by less is none, see detect's record tests.
	f.High = min(max(float64(top), c.Slow+float64(f.Global))+beyond, c.Slow+float64(min(f.ClipValue, b.Global[0]*f.Global)))
	f.Low = max(min(float64(bottom), c.Slow-float64(f.Global))-beyond, c.Slow-float64(min(f.ClipValue, b.Global[1]*f.Global)))
}

// passed is what a calm sample was held against.
type passed struct {
	expected, profile, surprise float64
	down, up                    float32 // what the phase neighbourhood forgives
}

// pass takes a sample that surprises nobody and with which nothing ends but the beat, and says whether it is one; told is its
// score. Comparisons stand in place of min and max here, which cost Go several instructions each.
func (s *Series) pass(t int64, v float64) (p passed, ok bool) {
	c, f, b, r := &s.core, &s.live.frame, &s.live.beat, s.rates
	p.profile = s.model.Profile(s.model.Frac(t, f.Slot), r.Step)
	p.expected = p.profile + s.model.Level()
	off := v - p.expected
	p.surprise = off - c.Short
	res, surprise := float32(off), float32(p.surprise)
	step := math.Abs(v - c.LastValue)
	move := float32(step)
	if !(res <= f.Residual && res >= -f.Residual && surprise <= f.Rise && surprise >= -f.Fall && v <= f.High && v >= f.Low && move <= f.ClipMove) {
		return p, false
	}
	if down := float32(r.Phase) * (float32(p.profile) - f.Lowest); down > 0 {
		p.down = down
	}
	if up := float32(r.Phase) * (f.Highest - float32(p.profile)); up > 0 {
		p.up = up
	}
	switch {
	case res > p.up:
		res -= p.up
	case res < -p.down:
		res += p.down
	default:
		res = 0
	}
	if res > f.Up || res < -f.Down {
		return p, false
	}
	repeats, zeros := s.cells.Runs()
	same, zero := v == c.LastValue, v == 0
	switch {
	case same && *repeats+1 > f.Bounds.Runs[0], zero && *zeros+1 > f.Bounds.Runs[1]:
		return p, false
	case !same && !(step >= c.MinStep && c.MinStep > 0):
		return p, false
	case v < 0 && c.Signs&negative == 0, v > 0 && c.Signs&positive == 0:
		return p, false
	}
	bulk := res
	if f.Jobs {
		bulk = s.job(v, bulk)
	}
	z := res * f.PerScale
	if !s.cells.Sum(z, bulk*f.PerBulk, &f.Bounds, &r.Sum) {
		return p, false
	}
	// Nothing stands in its way.
	if same {
		*repeats++
		b.Same++
	} else {
		*repeats = 0
	}
	if zero {
		*zeros++
		b.Zeros++
	} else {
		*zeros = 0
	}
	a, sa, far := abs(res), abs(surprise), float32(v-c.Slow)
	b.N++
	b.Moves++
	b.Level += float32(off)
	b.Abs += a
	b.Surprise += sa
	b.Off += detect.Surprise(z, surprise*f.PerLocal, s.opts.Direction.side())
	b.Move += move
	b.Value += far
	b.Apart += abs(far)
	b.Size += float32(math.Abs(v))
	s.cells.Record(v)
	s.peak.Learn(a)
	s.lpeak.Learn(sa)
	s.model.Add(v)
	c.Short += r.Local * p.surprise
	c.N++
	c.Last, c.LastValue, c.LastExpected = t, v, p.expected
	s.last.Z = z
	if f.Loud {
		s.hush()
	}
	s.calm()
	return p, true
}

// told writes the score of a sample that has passed into sc, which is empty; without want that is left out where nothing depends on it. It ends the beat
// when that is full.
func (s *Series) told(t int64, v float64, p *passed, w *work, want bool, sc *Score) {
	f := &s.live.frame
	ends := s.live.N >= s.full()
	if !ends && !want && s.rare == nil {
		return
	}
	sc.Time, sc.Value, sc.Expected, sc.State = t, v, p.expected, f.State
	if want {
		s.band(sc, float64(f.Scale), float64(p.down), float64(p.up))
	}
	if ends {
		s.weighBeat(w)
		if f.HeldRaw > 1 && want {
			s.because(&detect.All()[f.Row]).Seen = detect.Seen{
				Value: v, Expected: p.expected, Forecast: v - p.surprise, Mean: s.core.Slow, Scale: float64(f.Scale), Bulk: float64(f.Bulk), Mem: *s.cells.Window(int(f.Row)),
			}
		}
	}
	s.held(sc)
	s.alarm(sc, t)
	s.nameKind(sc, v-p.expected, p.profile)
	if ends {
		s.absorb(w)
	}
}

// weighBeat asks the tests that look at beats and those that sum up many samples.
func (s *Series) weighBeat(w *work) {
	var y sayings
	s.remind(&w.in, &y)
	s.collect(w, &y)
	s.hold(s.judge(y.all[:y.n]))
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// job is the residual as far as most days do not hold the like of it at this time.
func (s *Series) job(v float64, res float32) float32 {
	far := s.model.Beyond(v, s.core.Slow)
	if far == v-s.core.Slow {
		return res
	}
	lim := abs(float32(far))
	return max(-lim, min(lim, res))
}

// hush takes back what tests that look at each sample said of the last one.
func (s *Series) hush() {
	detect.ClearPoints(&s.lastU)
	s.live.Loud = false
}

// collect shows the beat to the tests that look at beats and files their scores.
func (s *Series) collect(w *work, y *sayings) {
	b := &s.live.beat
	n := float64(b.N)
	in := &w.in
	in.Off, in.Move, in.Steps, in.N, in.Rates = float64(b.Off/b.N), -1, s.core.N-n, n, s.rates.Of[int(b.N)-1]
	if b.Moves > 0 {
		in.Move = float64(b.Move / b.Moves)
	}
	for _, i := range detect.Beats() {
		s.weigh(i, detect.All()[i].Stat(s.cells.Window(i), in), y)
	}
}

// remind brings the scores of the tests that sum up many samples to the present, and says whether the block has not seen
// the like.
func (s *Series) remind(in *detect.Input, y *sayings) (raised bool) {
	in.Rates = s.rates
	detect.ClearSums(&s.lastU)
	for rows := s.cells.Lasting(&s.rates.Sum); rows != 0; {
		i := rows.Next()
		raised = s.weigh(i, detect.All()[i].Stat(s.cells.Window(i), in), y) || raised
	}
	return raised
}

// weigh files the score of a test's statistic, in units of its tail and after its cost, and says whether the block has not
// seen the like.
func (s *Series) weigh(i int, stat float64, y *sayings) (raised bool) {
	d, u := &detect.All()[i], float32(0)
	if stat > d.Floor { // else there is no evidence at all
		raised = s.cells.Raise(i, stat)
		if direction := s.opts.Direction; (direction != Up || d.Up >= 0) && (direction != Down || d.Up <= 0) {
			if u = float32(s.cells.Above(i, stat, s.rates.Cost[d.Family])); u > 0 {
				if d.Family == tuning.Local {
					u = max(0, u-s.rough())
				}
				y.add(i, u)
			}
		}
	}
	s.lastU[i] = uint16(math.Float32bits(u) >> 16)
	return raised
}

// rough is what local surprises cost more, see detect.Rough.
func (s *Series) rough() float32 {
	return float32(detect.Rough(s.core.LocalAbs, s.core.SlowAbs, &s.rates.Params))
}

// judge returns the largest score and its row, noRow where no test has any.
func (s *Series) judge(all []saying) (best float64, which int) {
	which = noRow
	top := float32(0)
	for _, say := range all {
		if say.u > top {
			top, which = say.u, int(say.row)
		}
	}
	if which == noRow {
		return 0, which
	}
	best = float64(top)
	if len(all) > 1 {
		best *= s.agreement(best, all)
	}
	if s.core.N > float64(s.rates.WarmSamples) {
		s.pool.Note(best)
	}
	return best, which
}

// hold keeps what the tests that look at beats say until the next beat.
func (s *Series) hold(best float64, which int) {
	f := &s.live.frame
	f.HeldRaw, f.Row = 0, noRow
	if which != noRow && f.State != Learning {
		if s.rate.Start == 0 {
			s.rate.begin(s.core.Last)
		}
		f.HeldRaw, f.Row = float32(s.raw(best)), int8(which)
	}
}

// held gives a sample that raised no test the score that is held.
func (s *Series) held(sc *Score) {
	if f := &s.live.frame; f.Row != noRow {
		d := &detect.All()[f.Row]
		sc.Raw, sc.Kind, sc.Detector, sc.row = float64(f.HeldRaw), d.Kind, d.Name, f.Row
	}
}

// flush ends the beat before it is full.
func (s *Series) flush(w *work) {
	if s.live == nil || s.live.N == 0 {
		return
	}
	s.weighBeat(w)
	s.absorb(w)
}

// absorb learns the beat and begins the next one.
func (s *Series) absorb(w *work) {
	c, f, b, one := &s.core, &s.live.frame, &s.live.beat, s.rates
	n, v, floor := float64(b.N), c.LastValue, float64(f.Floor)
	r := one.Of[int(b.N)-1]
	if s.pool.Blank() && c.N > float64(r.WarmSamples) && (s.peak.Max[0] > calmSpreads*f.Scale || s.lpeak.Max[0] > calmSpreads*f.Local) {
		s.pool.Note(s.pool.Silent(&r.Params)) // There was evidence, of which none counted.
	}
	s.scale.Learn(float64(b.Abs/b.N), n, floor, r)
	a, base := float64(b.Surprise/b.N), max(c.LocalAbs, floor)
	if c.N > 12 {
		c.LocalVol += float32(r.LocalVol * (a/base - float64(c.LocalVol)))
	}
	c.LocalAbs += tuning.Mean(c.N/n, r.LocalAbs) * (a - c.LocalAbs)
	d := v - c.Slow
	in := &w.in
	in.Value, in.Global, in.GlobalScale = v, d/float64(f.Global), float64(f.Global)
	in.Same, in.Zero, in.N, in.Rates = float64(b.Same/b.N), float64(b.Zeros/b.N), n, r
	for _, i := range detect.Turns() {
		detect.All()[i].Turn(s.cells.Window(i), in)
	}
	share := tuning.Mean(c.N/n, r.Global)
	c.Slow += share * float64(b.Value/b.N)
	if c.N > 1 {
		c.SlowAbs += share * (float64(b.Apart/b.N) - c.SlowAbs)
	}
	c.AbsMean += float32(share) * (b.Size/b.N - c.AbsMean)
	if c.Climb.learn(c.Last, v, max(c.LocalAbs, floor)) {
		s.touch().Trend.tooth(&c.Climb, c.Last)
		c.Climb.begin(c.Last, v)
	}
	kind, chosen := s.model.Active(), s.model.Chosen
	s.model.Learn(s.moment(c.Last), float64(b.Level/b.N), n, v, nil, one, r)
	if s.model.Chosen != chosen {
		s.changeSeason(chosen)
	}
	if s.model.Active() != kind {
		f.Next = 0
	}
	*b = beat{}
	if one.Beat > 1 {
		s.look()
	}
}

// calmSpreads are more than what any test takes for evidence.
const calmSpreads = 1.65

// changeSeason lets what was usual under another season count for less, and spreads shrink with its error.
func (s *Series) changeSeason(before season.Kind) {
	k := s.touch()
	for i := range k.Counts {
		k.Counts[i].Forget(s.rates.SeasonForget)
	}
	if old := s.model.Cand[before].Err; old > 0 {
		share := float64(s.model.Cand[s.model.Chosen].Err / old)
		s.scale.Multiply(k.Spread, int(s.model.Slot), share)
		s.peak.Multiply(k.Peak, int(s.model.Slot), share)
	}
}
