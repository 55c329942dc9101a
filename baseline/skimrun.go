package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

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
		room.res[k] = detect.Positive(float32(over)) - detect.Positive(float32(under))
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
	var rise, jump [2]float32
	perBase, perPeak, perLocalPeak := 1/base, float32(1/peak), float32(1/lpeak)
	m := r.Beat
	fm, per := float64(m), 1/float64(m)
	ends := room.ends[:0]
	for i := 0; i < n; i += r.Beat {
		if n-i < m {
			m = n - i
			fm, per = float64(m), 1/float64(m)
		}
		rb := r.Of[m-1]
		spread, lbase := base*s.scale.Volatility(r), c.LocalAbs
		if spread < floor {
			spread = floor
		}
		if lbase < floor {
			lbase = floor
		}
		perBulk := float32(1 / spread)
		perScale, perLocal := perBulk, perLocalPeak
		if spread < peak {
			perScale = perPeak
		}
		if x := c.LocalAbs * bounded(float64(c.LocalVol), r.LocalVolMin, r.LocalVolMax); x > lpeak {
			perLocal = float32(1 / x)
		}
		if i+m < n {
			ends = append(ends, season.Point{Frac: s.model.Frac(t[i+m-1], begin), Value: v[i+m-1]})
		}
		var a, sa, z, surprises, move float32
		var up, down, lup, ldown float32
		res, sur, moves := room.res[i:i+m], room.sur[i:i+m], room.step[i:i+m]
		for k, x := range res {
			y := sur[k]
			up, down = detect.Higher(up, x), detect.Higher(down, -x)
			lup, ldown = detect.Higher(lup, y), detect.Higher(ldown, -y)
			xa, ya := abs(x), abs(y)
			farther := detect.Higher(xa*perScale, ya*perLocal)
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
		most, lmost = detect.Higher(most, detect.Higher(up, down)), detect.Higher(lmost, detect.Higher(lup, ldown))
		rise[0], rise[1] = detect.Higher(rise[0], up*perScale), detect.Higher(rise[1], down*perScale)
		jump[0], jump[1] = detect.Higher(jump[0], lup*perLocal), detect.Higher(jump[1], ldown*perLocal)
		in.N, in.Steps, in.Rates = fm, c.N, rb
		in.Off, in.Move = float64(surprises)*per, float64(move)*per
		s.cells.Skim(bulk[i:i+m], perBulk, float64(z), in, top)
		amount += float64(a)
		s.scale.Stir(float64(a)*per*perBase, rb)
		surprise, w := float64(sa)*per, rb.LocalAbs
		c.LocalVol += float32(rb.LocalVol * (surprise/lbase - float64(c.LocalVol)))
		if c.N*w < fm { // It is young.
			w = fm / c.N
		}
		c.LocalAbs += w * (surprise - c.LocalAbs)
		c.N += fm
		if c.Climb.learn(t[i+m-1], v[i+m-1], max(c.LocalAbs, floor)) {
			s.touch().Trend.tooth(&c.Climb, t[i+m-1])
			c.Climb.begin(t[i+m-1], v[i+m-1])
		}
	}
	s.scale.Skim(amount/fn, fn, rn)
	s.peak.Learn(most)
	s.lpeak.Learn(lmost)

	// The run as a whole.
	in.N, in.Rates, in.Scale, in.GlobalScale, in.Gap = fn, rn, base*s.scale.Volatility(r), gscale, false
	in.Last, in.Same, in.Zero = c.LastValue, float64(same)/fn, float64(nuls)/fn
	top.Raise(rise, jump, [2]float64{s.model.Beyond(high, slow) / gscale, -s.model.Beyond(low, slow) / gscale})
	s.cells.LongRuns(longRun, longNul, top)
	*repeats, *zeros = float32(run), float32(nul)
	highest, lowest := s.cells.Records()
	rowUp, rowDown := detect.RecordRows()
	if high > float64(highest) {
		in.Value, in.Global = high, (high-slow)/gscale
		s.cells.Beyond(rowUp, in, top)
	}
	if low < float64(lowest) {
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
	s.model.Learn(end, level1/fn, fn, last, ends, r, rn)
	if s.model.Chosen != chosen {
		s.changeSeason(chosen)
	}
	if s.live != nil {
		s.live.Next, s.live.HeldRaw, s.live.Row = 0, 0, noRow // Looked up anew before the next sample that is observed.
	}
}

// bounded is x between two numbers.
func bounded(x, low, high float64) float64 {
	if x < low {
		return low
	}
	if x > high {
		return high
	}
	return x
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
