package baseline

import (
	"math"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// flip ends what ends before a run at t that begins with v: the slot, the day, blocks and hours.
func (s *Series) flip(mo season.Moment, t int64, v float64) {
	c, r := &s.core, s.rates
	day := s.model.Day
	if mo.NewSlot {
		s.turnSlot(mo)
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
			if s.goesOn(int64(c.Block) * r.BlockMs) {
				s.cells.Skip()
			} else {
				s.cells.Count(&k.Counts)
			}
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
	var u [detect.Count]float32
	cost := r.Cost
	cost[tuning.Local] += float64(s.rough())
	found := s.cells.Lift(top, &cost, &u)
	rise, fall := detect.Sided()
	switch s.opts.Direction {
	case Up:
		fall = 0
		found &= rise
	case Down:
		rise = 0
		found &= fall
	}
	if found == 0 {
		if some && s.pool.Blank() {
			s.pool.Note(s.pool.Silent(&r.Params))
		}
		return
	}
	best, which := 0.0, noRow
	for _, rows := range [2]detect.Rows{found & rise, found & fall} {
		var y sayings
		for rows != 0 {
			i := rows.Next()
			y.add(i, u[i])
		}
		if x, row := s.judge(y.all[:y.n]); x > best {
			best, which = x, row
		}
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
