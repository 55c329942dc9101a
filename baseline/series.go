package baseline

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// absence is how gaps are calibrated.
var absence, peerRow = detect.Missing(), detect.PeerRow()

// seasonRows are the rows of the seasonal tests, which make the band.
var seasonRows = [2]detect.Detector(detect.All()[:2])

type params = tuning.Params

// limitValue bounds what is learned from: beyond it single precision would overflow.
const limitValue = 1e30

// core is what a series remembers beside its seasonal arrays; fixed size, saved as it is.
type core struct {
	Last         int64 // time of the last sample, 0 none
	LastValue    float64
	LastExpected float64 // of the last sample
	First        int64
	N            float64
	Step         int32       // milliseconds, 0 unknown
	OtherStep    int32       // another interval that was seen last
	OtherRun     uint8       // how often in a row
	Kind         season.Kind // season in force at the last sample
	Signs        uint8       // signs ever seen, see negative and positive
	Torn         uint8       // 1: the last sample was not learned, see hole.go
	Block        int32       // number of the current block, first and second stage
	Block2       int32
	Hour         int32   // of the last sample, since 1970
	Filed        int32   // samples that were filed before the first that was observed
	Debt         float32 // see Series.debt

	Short    float64 // forecast of the residual from the last samples
	Slow     float64 // slow mean
	SlowAbs  float64
	LocalAbs float64
	MinStep  float64 // smallest step between two values, 0 none
	AbsMean  float32 // mean |value|
	LocalVol float32
	Climb    climb
}

// step is Step where times are computed.
func (c *core) step() int64 { return int64(c.Step) }

// Series is the baseline of one series. Its methods are safe for concurrent use.
type Series struct {
	name   *watchName
	folded folded // labels
	opts   *SeriesOptions

	mu    sync.Mutex
	core  core
	rates *tuning.Rates
	model season.Model // its shape is nil while the step is unknown
	scale season.Scale
	peak  season.Peaks // of the seasonal residual
	lpeak season.Peaks // of the local surprise
	cells detect.Cells
	usual [2]statistic // edges of the band, as the seasonal tests measure
	edge  [2]float32   // the same in spreads, see edges
	gap   detect.Cell  // gaps between samples
	pool  detect.Pool
	live  *live // nil where a beat has one sample
	last  mark
	lastU [detect.Count]uint16 // of each test, in units of its tail: the upper half of a float32

	cold *cold // nil while it is on disk or the step is unknown

	number atomic.Uint32
	place  uint32 // of the record on disk

	rare *rare // nil while there is nothing in it
	rate alarmRate
}

func newSeries(e *Engine, watch string, ls labels.Labels, step time.Duration, opts SeriesOptions) *Series {
	s := &Series{name: e.watchName(watch), folded: fold(e.symbols.pack(ls)), opts: e.options(watch, opts)}
	s.cells.Reset(&e.params)
	s.settle(&e.params, new([detect.Count]detect.Counts))
	s.pool.Reset(&e.params)
	s.gap.Reset(&absence, &e.params)
	s.core.LocalVol, s.core.Debt = 1, 1
	s.last = mark{Expected: math.NaN(), Lower: math.NaN(), Upper: math.NaN(), row: noRow}
	if step > 0 {
		s.setStep(step.Milliseconds())
	}
	return s
}

// enliven makes room for a beat of several samples, or gives it back.
func (s *Series) enliven() {
	s.live = nil
	if s.rates.Beat > 1 {
		s.live = &live{frame: frame{Row: noRow}}
	}
}

// clear forgets the season, and nothing else; the cold part is in memory and empty.
func (s *Series) clear() {
	s.model.Archive = &s.cold.Archive
	s.model.Reset()
	s.scale.Reset()
	s.peak, s.lpeak = season.Peaks{}, season.Peaks{}
}

// blank says that the step is unknown.
func (s *Series) blank() bool { return s.model.Shape == nil }

// Watch is the name of the watch the series belongs to.
func (s *Series) Watch() string { return s.name.name }

// Labels are the series' labels, made anew by each call.
func (s *Series) Labels() labels.Labels {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.labelSet()
}

// labelSet is Labels for callers that hold the lock of the series or of the engine.
func (s *Series) labelSet() labels.Labels { return s.name.engine.symbols.unpack(s.packed()) }

// Number is what SetNumber has set, 0 before: by it the engine's user finds what it keeps of the series itself. It is
// not saved.
func (s *Series) Number() uint32 { return s.number.Load() }

// SetNumber gives the series a number.
func (s *Series) SetNumber(n uint32) { s.number.Store(n) }

// First is the time of the first sample, in unix milliseconds; 0 before there is one.
func (s *Series) First() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.First
}

// Last is the score of the last sample.
func (s *Series) Last() Score {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.score()
}

// Observe scores a sample with what was known before it, then learns it. t is unix milliseconds.
func (s *Series) Observe(t int64, v float64) (sc Score) {
	s.mu.Lock()
	tried := s.inStep(t) && s.live.N+1 < s.full() // Most samples of a series with beats need no room.
	if tried {
		if p, ok := s.pass(t, v); ok {
			s.told(t, v, &p, nil, true, &sc)
			s.last.set(&sc)
			s.mu.Unlock()
			return sc
		}
	}
	defer s.unlock()
	w := s.name.engine.work.Get().(*work)
	defer s.name.engine.work.Put(w)
	if s.open() != nil {
		s.rouse(w)
		tried = false
	}
	if tried {
		sc = s.consider(t, v, w, true)
	} else {
		sc = s.observe(t, v, w, true)
	}
	s.show(t, &sc)
	return sc
}

// inStep says that a sample comes where the one before leads to expect it, and that nothing ends with it that is known
// beforehand.
func (s *Series) inStep(t int64) bool {
	f, c := s.live, &s.core
	if f == nil || t >= f.Next || f.Busy || f.HeldRaw > 1 || c.OtherRun != 0 || c.Torn != 0 || s.whole() != 0 {
		return false
	}
	d := t - c.Last - int64(c.Step)
	return d > -500 && d < 500
}

// show makes a score that of the last sample; what comes late changes nothing.
func (s *Series) show(t int64, sc *Score) {
	if t > s.last.Time {
		s.last.set(sc)
	}
}

// take observes a sample; the series' lock is held.
func (s *Series) take(t int64, v float64, w *work) Score {
	sc := s.observe(t, v, w, true)
	s.show(t, &sc)
	return sc
}

func (s *Series) silent(t int64, v float64) Score {
	sc := s.score()
	sc.Time, sc.Value, sc.Raw, sc.Alarm = t, v, 0, 0
	if !s.blank() && s.core.N > 0 {
		sc.State = s.age(max(t, s.core.Last))
	}
	sc.Expected, sc.Lower, sc.Upper = math.NaN(), math.NaN(), math.NaN()
	sc.Kind, sc.Detector = "", ""
	return sc
}

func (s *Series) observe(t int64, v float64, w *work, want bool) (sc Score) {
	if s.inStep(t) {
		if p, ok := s.pass(t, v); ok {
			s.told(t, v, &p, w, want, &sc)
			return sc
		}
	}
	return s.consider(t, v, w, want)
}

// consider takes a sample that is not calm, or that may be none.
func (s *Series) consider(t int64, v float64, w *work, want bool) (sc Score) {
	c := &s.core
	if late := c.Last != 0 && t <= c.Last; !late && s.torn(t, v) {
		return s.suspend(t, v, w)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		sc := s.silent(t, v)
		if !s.blank() && t > c.Last {
			s.alarm(&sc, t) // an anomaly from before ends in its time
		}
		return sc
	}
	if c.Last != 0 && t <= c.Last { // late or twice
		return s.silent(t, v)
	}
	if c.First == 0 {
		c.First = t
	}
	if !s.learnStep(t, w) {
		c.Last, c.LastValue = t, max(-limitValue, min(limitValue, v))
		return s.silent(t, v)
	}
	if s.live != nil {
		return s.examine(t, v, w, want)
	}
	w.live = live{frame: frame{Row: noRow, State: s.age(t)}}
	if begin, ok := s.model.Within(t); ok && s.settled(t) {
		w.live.Slot, w.live.Next = begin, math.MaxInt64
	}
	s.live = &w.live
	sc = s.examine(t, v, w, want)
	s.live = nil
	return sc
}

// settled says that between the last sample and t, in the same slot, no block ends and no other season is in force.
func (s *Series) settled(t int64) bool {
	c, r := &s.core, s.rates
	a, b := int64(c.Block)*r.BlockMs, int64(c.Block2)*r.Block2Ms
	return c.Kind == s.model.Active() && t >= a && t < a+r.BlockMs && t >= b && t < b+r.Block2Ms
}

// turnSlot ends the slot of the day before that of the moment.
func (s *Series) turnSlot(mo season.Moment) {
	k, r := s.touch(), s.rates
	s.model.Advance(mo)
	s.scale.File(k.Spread, mo, r)
	s.peak.File(k.Peak, mo, r)
	s.lpeak.File(k.LocalPeak, mo, r)
	s.scale.Turn(k.Spread, mo.Slot)
	s.peak.Turn(k.Peak, mo.Slot)
	s.lpeak.Turn(k.LocalPeak, mo.Slot)
}

// turn ends what ends before a sample at t.
func (s *Series) turn(t int64, w *work) {
	c, f, r := &s.core, &s.live.frame, s.rates
	s.flush(w)
	day := s.model.Day
	mo := s.model.At(t)
	if mo.NewSlot {
		s.turnSlot(mo)
	}
	if active := s.model.Active(); c.N > 0 && (s.model.Day != day || c.Kind != active) && !math.IsNaN(c.LastExpected) {
		// The season's view of the last sample has changed; the short forecast is about the value.
		s.page()
		c.Short += c.LastExpected - s.model.Ahead(c.Last, r.Step) - s.model.Level()
	}
	if s.model.Day != day && s.model.Grown() {
		s.pool.Forget(r.WeekForget)
		s.bound()
	}
	c.Kind = s.model.Active()
	s.turnBlocks(t)
	f.State = s.age(t)
	f.Slot = s.model.Begin(mo, t)
	if r.Beat == 1 { // It is asked for each sample.
		s.look()
		return
	}
	hour := t - t%3600e3
	f.Next = min(s.model.End(mo, t), (t/r.BlockMs+1)*r.BlockMs, (t/r.Block2Ms+1)*r.Block2Ms, hour+3600e3)
	if ready := c.First + int64(r.ReadyHours*3600e3); ready > t {
		f.Next = min(f.Next, ready)
	}
	s.look()
}

// examine scores a sample by all tests, and learns it.
func (s *Series) examine(t int64, v float64, w *work, want bool) Score {
	c, f, b, r := &s.core, &s.live.frame, &s.live.beat, s.rates
	value := v
	v = max(-limitValue, min(limitValue, v))
	gap := s.missed(t) || c.Torn != 0
	switch {
	case t >= f.Next || gap || f.State == Learning:
		s.turn(t, w)
	case r.Beat == 1: // all is looked up for each sample
		s.look()
	}
	mo := s.moment(t)
	profile, level, low, high := s.model.Expect(mo, r.Step)
	off := v - profile - level
	if p, l, ok := s.model.Doubt(mo, r); ok && math.Abs(v-p-l) < math.Abs(off) {
		profile, level, low, high = p, l, p, p
	}
	if c.N == 0 { // nothing is known: the first value surprises nobody
		level, off = v-profile, 0
		if low, high, ok := s.model.Extent(); ok && c.Filed > 0 {
			s.cells.Recall(low, high, int(c.Filed))
		}
	}
	expected := profile + level
	res := v - expected
	// Phase neighbourhood: what the slots to either side do is half forgiven.
	if d := high - profile; res > 0 && d > 0 {
		res -= min(res, r.Phase*d)
	} else if d := profile - low; res < 0 && d > 0 {
		res += min(-res, r.Phase*d)
	}
	short := c.Short
	if gap {
		short = v - expected
	}
	surprise := v - expected - short
	scale, lscale, gscale := float64(f.Scale), float64(f.Local), float64(f.Global)
	in := &w.in
	*in = detect.Input{Value: v, Last: c.LastValue, Scale: scale, Gap: gap, Steps: c.N, Rates: r, GlobalScale: gscale, N: 1}
	in.Season, in.Local, in.Global = res/scale, surprise/lscale, (v-c.Slow)/gscale
	in.Far = s.model.Beyond(v, c.Slow) / gscale
	s.last.Z = float32(in.Season)

	first := c.N == 0
	c.N++
	b.N++
	b.Level += clip(off, f.ClipLevel)
	b.Abs += min(abs(float32(res)), f.ClipAbs)
	in.Bulk = float64(s.job(v, float32(res)) * f.PerBulk)
	b.Surprise += min(abs(float32(surprise)), f.ClipSurprise)
	b.Off += detect.Surprise(float32(in.Season), float32(in.Local), s.opts.Direction.side())
	if !gap {
		b.Moves++
		b.Move += min(float32(math.Abs(v-c.LastValue)), f.ClipMove)
		if v == c.LastValue {
			b.Same++
		}
		if v == 0 {
			b.Zeros++
		}
	}
	far := clip(v-c.Slow, f.ClipValue)
	b.Value += far
	b.Apart += abs(far)
	b.Size += float32(math.Abs(v))

	var y sayings
	raised := false
	top, bottom := s.cells.Records()
	detect.ClearPoints(&s.lastU)
	for rows := s.cells.Evident(in); rows != 0; {
		i := rows.Next()
		raised = s.weigh(i, detect.All()[i].Stat(s.cells.Window(i), in), &y) || raised
	}
	y.held = y.n
	f.Loud = y.n > 0
	s.cells.SumAll(in)
	raised = s.remind(in, &y) || raised
	ends := b.N >= s.full()
	if ends {
		s.collect(w, &y)
	} else {
		for _, i := range detect.Beats() {
			y.add(i, math.Float32frombits(uint32(s.lastU[i])<<16))
		}
	}
	best, which := s.judge(y.all[:y.n])
	if ends && s.rates.Beat > 1 {
		s.hold(s.judge(y.all[y.held:y.n]))
	}
	sc := Score{Time: t, Value: value, Expected: expected, State: f.State}
	s.grade(&sc, best, which)
	if sc.Raw > 1 && want {
		d := &detect.All()[which]
		seen := detect.Seen{
			Value: v, Expected: expected, Forecast: expected + short, Mean: c.Slow, Scale: scale, Bulk: float64(f.Bulk), Mem: *s.cells.Window(which),
		}
		switch d.Up {
		case 1:
			seen.Before = top
		case -1:
			seen.Before = -bottom
		}
		s.because(d).Seen = seen
	} else {
		s.calm()
	}
	if want {
		s.band(&sc, scale, r.Phase*(profile-low), r.Phase*(high-profile))
	}
	if value != v { // beyond what is learned there is no band
		sc.Expected, sc.Lower, sc.Upper = math.NaN(), math.NaN(), math.NaN()
	}
	s.alarm(&sc, t)
	s.nameKind(&sc, v-expected, profile)

	s.endGap(t)
	s.peak.Learn(abs(float32(res)))
	s.lpeak.Learn(abs(float32(surprise)))
	s.model.Add(v)
	c.Short = short + r.Local*surprise
	if v < 0 {
		c.Signs |= negative
	} else if v > 0 {
		c.Signs |= positive
	}
	if d := math.Abs(v - c.LastValue); !first && d > 0 && (c.MinStep == 0 || d < c.MinStep) {
		c.MinStep = d
	}
	hour := int32(min(max(0, t/3600e3), math.MaxInt32))
	c.Last, c.Torn, c.LastExpected = t, 0, expected
	if hour != c.Hour {
		s.turnHour(hour, v)
	}
	c.LastValue = v
	if ends {
		s.absorb(w)
	} else if raised || f.High < v || f.Low > v {
		s.settleCalm()
	}
	return sc
}

// clip bounds x to either side.
func clip(x float64, lim float32) float32 {
	return max(-lim, min(lim, float32(max(-math.MaxFloat32, min(math.MaxFloat32, x)))))
}

// turnHour ends the hour of the sample before with a sample of another.
func (s *Series) turnHour(hour int32, v float64) {
	c := &s.core
	k := s.touch()
	view := s.name.engine.views.Get().(*seasonView)
	*view = seasonView{&s.model, s.rates.Step}
	k.Look.learn(c.Last, int64(c.Hour), v, s.stand(c.Last, v, c.LastValue, k), view, &s.rates.Forecasts)
	s.name.engine.views.Put(view)
	k.Trend.turn(int64(c.Hour), int64(hour), c.LastValue)
	if c.Hour == 0 {
		c.Climb = climb{High: float32(v), Low: float32(v)}
	}
	c.Hour = hour
	s.reckon(c.Last)
}

// floor is the smallest spread that means anything.
func (s *Series) floor() float64 {
	c, r := &s.core, s.rates
	f := r.LevelFloor * float64(c.AbsMean)
	if c.MinStep > 0 {
		f = max(f, min(r.StepFloor*c.MinStep, 0.1*float64(c.AbsMean)))
	}
	return max(f, 1e-30)
}
