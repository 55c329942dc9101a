package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Old history is skimmed: all that observing teaches is learned, a run of samples at a time, and nothing is scored. A
// run ends with the slot of the day, after MostRun samples, and where a sample comes out of step, so that it does not matter how
// samples are handed over. Levels, candidate seasons and spreads move once a run; volatilities and the tests that
// look at beats, once a beat; the tests' sums with each sample. Each test's largest statistic of a block is counted as
// when observed, but the laws are fitted to the counts every few hours only, and forecasts are made less often.

// skimmed are the samples of a run that is not complete.
type skimmed struct {
	n int
	t [tuning.MostRun]int64
	v [tuning.MostRun]float64
}

// skimRoom is what skimming a run needs.
type skimRoom struct {
	res, bulk, sur [tuning.MostRun]float32 // residuals, the same for tests that leave peaks out, and surprises
	step           [tuning.MostRun]float32 // amount of the step from the sample before
	top            detect.Skimmed
}

const (
	// fitEach is the number of blocks up to which the laws are fitted with each; then, with each of the second stage. More
	// seldom would widen the law of the scores: in a restless time laws that lag behind call the second hour as unusual as the first.
	fitEach = 48
	// promiseEvery is how many hours pass between two forecasts: nine, so that they come at every time of day.
	promiseEvery = 9
)

// old says whether the series has seen nothing yet but old history.
func (s *Series) old() bool { return s.core.N == float64(s.core.Filed) }

// coarse says that a run is hardly more than a sample: observing it costs no more.
func (s *Series) coarse() bool { return 2*s.core.step() >= s.model.SlotMs() }

// skim learns the first samples as far as they are of one run and before from, and returns how many it has dealt with.
func (s *Series) skim(t []int64, v []float64, from int64, w *work) int {
	c := &s.core
	if s.blank() || c.N <= youngBeat || s.coarse() {
		s.glance(t[0], v[0], w)
		return 1
	}
	k, last := s.open(), c.Last
	if k != nil {
		last = k.t[k.n-1]
	}
	step := c.step()
	if !regular(t[0]-last, step) || !sound(v[0]) || c.OtherRun != 0 || c.Torn != 0 || s.whole() != 0 {
		s.close(w)
		s.glance(t[0], v[0], w)
		return 1
	}
	if k != nil && t[0] >= s.slotEnd(k.t[0]) {
		s.close(w)
		k = nil
	}
	room := tuning.MostRun
	begin := t[0]
	if k != nil {
		room -= k.n
		begin = k.t[0]
	}
	slotEnd := s.slotEnd(begin)
	end, ends := min(slotEnd, from), slotEnd-step-step/50
	n, whole := 0, false
	for before := last; n < len(t) && t[n] < end && regular(t[n]-before, step) && sound(v[n]) && !whole; n++ {
		before = t[n]
		whole = n+1 == room || before >= ends // The next one is of another slot, unless it comes early.
	}
	whole = whole || n < len(t)
	if k == nil && whole {
		s.run(t[:n], v[:n], w)
		return n
	}
	if k == nil {
		k = s.begin()
	}
	copy(k.t[k.n:], t[:n])
	copy(k.v[k.n:], v[:n])
	if k.n += n; whole {
		s.close(w)
	}
	return n
}

// regular says whether a sample comes about a step after another: learnStep has nothing to follow.
func regular(d, step int64) bool { return 3*d > 2*step && 2*d < 3*step }

// sound says whether a value can be learned as it is.
func sound(v float64) bool { return v <= limitValue && v >= -limitValue }

// slotEnd is when the slot of a time ends.
func (s *Series) slotEnd(t int64) int64 { return t + s.model.Left(s.model.At(t)) }

// glance observes a sample of old history.
func (s *Series) glance(t int64, v float64, w *work) {
	s.observe(t, v, w, false)
	s.flush(w)
	s.core.Filed = int32(min(s.core.N, math.MaxInt32))
}

// open are the samples of the open run, nil where there are none.
func (s *Series) open() *skimmed {
	if s.rare == nil {
		return nil
	}
	return s.rare.skimmed
}

// begin opens a run.
func (s *Series) begin() *skimmed {
	k := s.name.engine.runs.Get().(*skimmed)
	k.n = 0
	s.own().skimmed = k
	return k
}

// close learns the open run.
func (s *Series) close(w *work) {
	k := s.open()
	if k == nil {
		return
	}
	s.rare.skimmed = nil
	s.shed()
	s.run(k.t[:k.n], k.v[:k.n], w)
	s.name.engine.runs.Put(k)
}

// rouse ends the time of old history: what is to be scored is scored by laws of all that is known.
func (s *Series) rouse(w *work) {
	s.close(w)
	if s.blank() || s.core.N == 0 {
		return
	}
	k, p := s.touch(), &s.rates.Params
	s.cells.Settle(p, &k.Counts)
	s.gap.Settle(&absence, p, &k.Gap)
	s.settle(p, &k.Counts)
	s.bound()
}

// run learns samples of one slot, in step with each other and with the one before them.
func (s *Series) run(t []int64, v []float64, w *work) {
	c, r := &s.core, s.rates
	n, fn := len(t), float64(len(t))
	rn := r.Runs[n-1]
	mo := s.model.At(t[0])
	s.flip(mo, t[0], v[0])

	floor := s.floor()
	base := max(s.scale.Base(), floor)
	peak, lpeak := max(floor, r.PeakShare*s.peak.At(s.model.Slots())), max(floor, r.PeakShare*s.lpeak.At(s.model.Slots()))
	gscale := max(c.SlowAbs, floor)
	line := s.line(v)
	level := line.Level
	begin := s.model.Begin(mo, t[0])
	perSlot := 1 / float64(s.model.SlotMs())

	// One by one.
	clipLevel, clipFar := s.model.Clip(r), r.ClipScales*gscale
	short, last, minStep := c.Short, c.LastValue, c.MinStep
	if minStep == 0 {
		minStep = math.Inf(1)
	}
	repeats, zeros := s.cells.Runs()
	run, nul, longRun, longNul := int(*repeats), int(*zeros), 0, 0
	low, high := v[0], v[0]
	var sum, level1, far, apart, size, off float64
	var same, nuls int
	slow := c.Slow
	room := &w.skim
	for k, x := range v {
		q := float64(t[k]-begin)*perSlot - 0.5
		g := line.Before
		if q >= 0 {
			g = line.After
		}
		p := line.Mid + q*g
		off = x - p - level
		sur := off - short
		short += r.Local * sur
		room.sur[k] = float32(sur)
		// What the phase neighbourhood forgives is taken off, on either side.
		over, under := off-r.Phase*(line.High-p), -off-r.Phase*(p-line.Low)
		room.res[k] = above(float32(over)) - above(float32(under))
		if o := off; o > clipLevel {
			level1 += clipLevel
		} else if o < -clipLevel {
			level1 -= clipLevel
		} else {
			level1 += o
		}
		sum += x
		if x < low {
			low = x
		}
		if x > high {
			high = x
		}
		d := x - slow
		if d > clipFar {
			d = clipFar
		} else if d < -clipFar {
			d = -clipFar
		}
		far += d
		apart += math.Abs(d)
		size += math.Abs(x)
		d = math.Abs(x - last)
		room.step[k] = float32(d)
		if d < minStep && d > 0 {
			minStep = d
		}
		if x == last {
			run++
			same++
			longRun = max(longRun, run)
		} else {
			run = 0
		}
		if x == 0 {
			nul++
			nuls++
			longNul = max(longNul, nul)
		} else {
			nul = 0
		}
		last = x
	}
	bulk := &room.res
	if s.model.Filled >= 3 && s.model.Chosen == season.None {
		bulk = &room.bulk
		for k, x := range v {
			bulk[k] = s.job(x, room.res[k])
		}
	}

	// A beat at a time.
	top := &room.top
	*top = detect.Skimmed{}
	in := &w.in
	in.One = &r.Sum
	clipAbs, clipSur, clipMove := float32(r.ClipScales*base), float32(4*max(c.LocalAbs, floor)), float32(math.MaxFloat32)
	if x := s.cells.Restless(); x > 0 {
		clipMove = float32(x)
	}
	side := s.opts.Direction.side()
	var most, lmost float32
	var amount float64
	var season1, local1 [2]float64
	m := r.Beat
	fm, per := float64(m), 1/float64(m)
	for i := 0; i < n; i += r.Beat {
		if n-i < m {
			m = n - i
			fm, per = float64(m), 1/float64(m)
		}
		rb := r.Of[m-1]
		spread := base * s.scale.Volatility(r)
		lbase := max(c.LocalAbs, floor)
		perScale, perBulk := float32(1/max(spread, peak)), float32(1/max(spread, floor))
		perLocal := float32(1 / max(c.LocalAbs*max(r.LocalVolMin, min(r.LocalVolMax, float64(c.LocalVol))), lpeak))
		var a, sa, z, surprises, move float32
		var up, down, lup, ldown float32
		res, sur, moves := room.res[i:i+m], room.sur[i:i+m], room.step[i:i+m]
		for k, x := range res {
			y := sur[k]
			up, down = higher(up, x), higher(down, -x)
			lup, ldown = higher(lup, y), higher(ldown, -y)
			xa, ya := abs(x), abs(y)
			farther := higher(xa*perScale, ya*perLocal)
			if xa > clipAbs {
				xa = clipAbs
			}
			if ya > clipSur {
				ya = clipSur
			}
			a += xa
			sa += ya
			if y := x * perScale; y > detect.SlowClip {
				z += detect.SlowClip
			} else if y < -detect.SlowClip {
				z -= detect.SlowClip
			} else {
				z += y
			}
			switch {
			case side != 0:
				surprises += detect.Surprise(x*perScale, y*perLocal, side)
			case farther > detect.MostOff:
				surprises += detect.MostOff
			default:
				surprises += farther
			}
			if m := moves[k]; m > clipMove {
				move += clipMove
			} else {
				move += m
			}
		}
		most, lmost = max(most, up, down), max(lmost, lup, ldown)
		season1[0], season1[1] = max(season1[0], float64(up*perScale)), max(season1[1], float64(down*perScale))
		local1[0], local1[1] = max(local1[0], float64(lup*perLocal)), max(local1[1], float64(ldown*perLocal))
		in.N, in.Steps, in.Rates = fm, c.N, rb
		in.Off, in.Move = float64(surprises)*per, float64(move)*per
		s.cells.Skim(bulk[i:i+m], perBulk, float64(z), in, top)
		amount += float64(a)
		s.scale.Stir(float64(a)*per, base, rb)
		amount1 := float64(sa) * per
		c.LocalVol += float32(rb.LocalVol * (amount1/lbase - float64(c.LocalVol)))
		c.LocalAbs += tuning.Mean(c.N*per, rb.LocalAbs) * (amount1 - c.LocalAbs)
		c.N += fm
		if c.Climb.learn(t[i+m-1], v[i+m-1], max(c.LocalAbs, floor)) {
			s.touch().Trend.tooth(&c.Climb)
			c.Climb.begin(t[i+m-1], v[i+m-1])
		}
	}
	s.scale.Skim(amount/fn, fn, rn)
	s.peak.Learn(most)
	s.lpeak.Learn(lmost)

	// The run as a whole.
	in.N, in.Rates, in.Scale, in.GlobalScale, in.Gap = fn, rn, base*s.scale.Volatility(r), gscale, false
	in.Last, in.Same, in.Zero = c.LastValue, float64(same)/fn, float64(nuls)/fn
	top.Raise(season1, local1, [2]float64{s.model.Beyond(high, slow) / gscale, -s.model.Beyond(low, slow) / gscale})
	s.cells.LongRuns(longRun, longNul, top)
	*repeats, *zeros = float32(run), float32(nul)
	rise, fall := s.cells.Records()
	rowUp, rowDown := detect.RecordRows()
	if high > float64(rise) {
		in.Value, in.Global = high, (high-slow)/gscale
		s.cells.Beyond(rowUp, in, top)
	}
	if low < float64(fall) {
		in.Value, in.Global = low, (low-slow)/gscale
		s.cells.Beyond(rowDown, in, top)
	}
	in.Value, in.Global = last, (last-slow)/gscale
	for _, i := range detect.Turns() {
		detect.All()[i].Turn(s.cells.Window(i), in)
	}
	s.reckonRun(t[n-1], most > float32(calmSpreads*max(base*s.scale.Volatility(r), peak)), top)

	share := tuning.Mean(c.N/fn, rn.Global)
	c.Slow += share * far / fn
	c.SlowAbs += share * (apart/fn - c.SlowAbs)
	c.AbsMean += float32(share) * (float32(size/fn) - c.AbsMean)
	c.Short = short
	if !math.IsInf(minStep, 1) {
		c.MinStep = minStep
	}
	if low < 0 {
		c.Signs |= negative
	}
	if high > 0 {
		c.Signs |= positive
	}
	c.Filed = int32(min(c.N, math.MaxInt32))
	c.Last, c.LastValue, c.LastExpected = t[n-1], last, last-off

	s.model.File(mo, n, sum, float32(low), float32(high))
	end := season.Moment{Day: mo.Day, Slot: mo.Slot, Frac: s.model.Frac(t[n-1], begin), LastSlot: mo.Slot}
	chosen := s.model.Chosen
	s.model.Learn(end, level1/fn, fn, last, r, rn)
	if s.model.Chosen != chosen {
		s.changeSeason(chosen)
	}
	if s.live != nil {
		s.live.Next, s.live.HeldRaw, s.live.Row = 0, 0, noRow // Looked up anew before the next sample that is observed.
	}
}

// above is max(0, x) of a number, without a branch that nobody can foretell.
func above(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits(b &^ uint32(int32(b)>>31))
}

// higher is the larger of two numbers of which the first is not below zero.
func higher(x, y float32) float32 {
	return math.Float32frombits(uint32(max(int32(math.Float32bits(x)), int32(math.Float32bits(y)))))
}

// line is what is expected in the slot: of the season in force, or in the hours of doubt that which is nearer to the samples.
func (s *Series) line(v []float64) season.Line {
	own := s.model.Line(s.model.Active())
	if !s.model.Doubtful(s.rates) {
		return own
	}
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	other := s.model.Line(season.Other)
	if math.Abs(mean-other.Mid-other.Level) < math.Abs(mean-own.Mid-own.Level) {
		return other
	}
	return own
}

// flip ends what ends before a run at t that begins with v: the slot, the day, blocks and hours.
func (s *Series) flip(mo season.Moment, t int64, v float64) {
	c, r := &s.core, s.rates
	day := s.model.Day
	if mo.NewSlot {
		k := s.touch()
		s.model.Advance(mo)
		s.scale.File(k.Spread, mo, r)
		s.peak.File(k.Peak, mo, r)
		s.lpeak.File(k.LocalPeak, mo, r)
		s.scale.Turn(k.Spread, mo.Slot)
		s.peak.Turn(k.Peak, mo.Slot)
		s.lpeak.Turn(k.LocalPeak, mo.Slot)
	}
	if active := s.model.Active(); s.model.Day != day || c.Kind != active {
		s.page()
		c.Short += c.LastExpected - s.model.Ahead(c.Last, r.Step) - s.model.Level()
		c.Kind = active
	}
	if s.model.Day != day && s.model.Grown() {
		s.pool.Forget(r.WeekForget)
	}
	s.countBlocks(t)
	if hour := int32(min(max(0, t/3600e3), math.MaxInt32)); hour != c.Hour {
		s.skimHour(hour, t, v)
	}
}

// countBlocks ends the blocks of the calibration that are over at t.
func (s *Series) countBlocks(t int64) {
	c, r, p := &s.core, s.rates, &s.rates.Params
	if b := int32(t / r.BlockMs); b != c.Block {
		if c.Block != 0 {
			k := s.touch()
			s.cells.Count(&k.Counts)
			s.gap.Count(&absence, &k.Gap)
			if int32(t/r.Block2Ms) != c.Block2 || k.Gap.Blocks() < fitEach {
				s.cells.Settle(p, &k.Counts)
				s.gap.Settle(&absence, p, &k.Gap)
			}
		}
		c.Block = b
	}
	if b := int32(t / r.Block2Ms); b != c.Block2 {
		if c.Block2 != 0 {
			s.pool.Close(p)
		}
		c.Block2 = b
	}
}

// reckonRun counts what a run's largest statistics are worth: in the tests' laws, in that of the scores, and as an alarm; some
// says that there was evidence, though none that counts. No sample is both too high and too low: what rises and what falls is
// judged apart.
func (s *Series) reckonRun(t int64, some bool, top *detect.Skimmed) {
	r := s.rates
	var rise, fall sayings
	direction := s.opts.Direction
	s.cells.Lift(top, func(i int, stat float64) {
		d := &detect.All()[i]
		u := max(0, float32(s.cells.Score(i, stat)-r.Cost[d.Family]))
		if d.Up >= 0 && direction != Down || d.Up == 0 {
			rise.add(i, u)
		}
		if d.Up <= 0 && direction != Up || d.Up == 0 {
			fall.add(i, u)
		}
	})
	if rise.n+fall.n == 0 {
		if some && s.pool.Blank() {
			s.pool.Note(s.pool.Silent(&r.Params))
		}
		return
	}
	best, which := s.judge(rise.all[:rise.n])
	if x, row := s.judge(fall.all[:fall.n]); x > best {
		best, which = x, row
	}
	sc := Score{Time: t, Value: s.core.LastValue, State: s.age(t)}
	s.grade(&sc, best, which)
	if sc.Raw > 1 {
		s.alarm(&sc, t)
	}
}

// skimHour ends the hour of the sample before with one of another, at t.
func (s *Series) skimHour(hour int32, t int64, v float64) {
	c := &s.core
	k := s.touch()
	view := s.name.engine.views.Get().(*seasonView)
	*view = seasonView{&s.model, s.rates.Step}
	k.Look.follow(int64(hour), int64(c.Hour), s.model.Level(), view, &s.rates.Forecasts)
	if due, made := k.Look.due(int64(hour)); due || made {
		var p past
		if made {
			p = s.stand(t, v, c.LastValue, k)
		}
		k.Look.check(t, v, p, view, &s.rates.Forecasts, promiseEvery)
	}
	s.name.engine.views.Put(view)
	k.Trend.turn(int64(c.Hour), int64(hour), c.LastValue)
	c.Hour = hour
	s.reckon(c.Last)
}

// due says whether forecasts are for this hour, and whether some are made while history is skimmed.
func (o *outlook) due(hour int64) (due, made bool) {
	for i := range rings {
		r := rings[i]
		if hour%r.every == 0 {
			due = due || o.Due[r.from+hour/r.every%r.n] == int32(hour)
			made = made || hour%promiseEvery == 0 || i == len(rings)-1
		}
	}
	return due, made
}
