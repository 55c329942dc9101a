package baseline

import (
	"math"
	"time"
)

// horizons are the distances at which forecasts are checked against what came, in hours. Between
// them the interval is interpolated.
var horizons = [...]int64{1, 6, 24, 168}

// The experts whose forecasts are mixed. Three move the profile: by the level of the last half day; by
// a residual that fades towards the level of the last days; by the residual of now as it is, which a
// day or a week ahead is the value of the same time, moved as the profile moves. Two need no profile,
// and so are right at once when a season ends or changes: the median of the last five days at that
// time of day, and the last such day.
const (
	movers  = 3
	experts = movers + 2
)

// opinion is each expert's forecast of one value; moved, those of the first three.
type (
	opinion [experts]float32
	moved   [movers]float32
)

// past is where the series stands against its profile, by three memories.
type past struct{ level, slow, now float64 }

func (p past) moved(profile float64) moved {
	return moved{float32(profile + p.level), float32(profile + 0.6*p.now + 0.4*p.slow), float32(profile + p.now)}
}

// views are what forecasts need of the season, at any time in unix milliseconds.
type views interface {
	// profile is that of the season in force.
	profile(t int64) float64
	// lastDays are the median of the last five days and the last day at that time of day, as known
	// some hours before; false while there is none.
	lastDays(t, hours int64) (median, last float64, ok bool)
}

func (m moved) with(v views, t, hours int64) opinion {
	o := opinion{m[0], m[1], m[2], m[0], m[0]}
	if median, last, ok := v.lastDays(t, hours); ok {
		o[movers], o[movers+1] = float32(median), float32(last)
	}
	return o
}

// rings are where the open forecasts of each horizon start in outlook.Open, and how many there
// are: those of an hour ahead every hour, of six hours and a day every three, of a week every day.
var rings = [...]struct{ from, n, every int64 }{{0, 1, 1}, {1, 2, 3}, {3, 8, 3}, {11, 7, 24}}

const openForecasts = 18

// outlook keeps the forecasts that are open and learns from them, when it is known what came,
// which expert to trust at which horizon and how wide the interval must be.
type outlook struct {
	Begun float64              // profile at the start of the hour of the last sample
	Slow  float32              // level over the last days
	Due   [openForecasts]int32 // hour that each open forecast is for
	Open  [openForecasts]moved
	Track [len(horizons)]track
}

// track is the record of one horizon. Losses are absolute errors over the mean of all experts' in the
// same round, so that neither a change of the series' size nor a day on which nothing could be
// foretold decides whom to trust.
type track struct {
	Loss      [experts]float32 // mean over about the last fifty rounds
	Late      [experts]float32 // mean over about the last ten
	Unit      float32          // mean absolute error of the mixture
	Low, High float32          // quantiles of its error, in units of that
	N         float32
}

// learn takes the first sample of an hour: its time, the hour of the sample before (0 none), its value, level
// above the profile, and the residual to the profile smoothed over the last samples.
func (o *outlook) learn(t, before int64, v, level, now float64, view views) {
	hour := t / 3600e3
	if before == 0 {
		o.Slow = float32(level)
	} else { // the profile of the past may have changed since: another season, another day in memory
		o.Slow += float32(o.Begun - view.profile(before*3600e3))
	}
	o.Begun = view.profile(hour * 3600e3)
	o.Slow += float32(1-math.Exp2(-float64(min(hour-before, 1000))/72)) * (float32(level) - o.Slow)
	p := past{level, float64(o.Slow), now}
	for i, h := range horizons {
		r := rings[i]
		if hour%r.every != 0 {
			continue
		}
		k := r.from + hour/r.every%r.n
		if o.Due[k] == int32(hour) {
			o.Track[i].learn(o.Open[k].with(view, t, h), v)
		}
		o.Due[k], o.Open[k] = int32(hour+h), p.moved(view.profile(t+h*3600e3))
	}
}

// weights are the shares of the experts: the smaller the loss the larger, to the sixth power, so
// that a clearly worse one is out and equal ones are averaged. A loss is the geometric mean of the
// long memory, which tells equals apart, and the short one, which sees that a season has ended.
func (k *track) weights() (w [experts]float64) {
	least := math.Inf(1)
	for i := range w {
		w[i] = math.Sqrt(float64(k.Loss[i])*float64(k.Late[i])) + 1e-30
		least = min(least, w[i])
	}
	sum := 0.0
	for i := range w {
		w[i] = math.Pow(least/w[i], 6)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func (k *track) mix(p opinion) float64 {
	x := 0.0
	for i, w := range k.weights() {
		x += w * float64(p[i])
	}
	return x
}

func (k *track) learn(p opinion, v float64) {
	e := v - k.mix(p)
	k.N++
	mean := 1e-30
	for _, x := range p {
		mean += math.Abs(v-float64(x)) / experts
	}
	round := mean + 0.1*float64(k.Unit) // a round with hardly an error tells little
	long, short := max(1/k.N, 0.02), max(1/k.N, 0.1)
	for i, x := range p {
		loss := float32(math.Abs(v-float64(x)) / round)
		k.Loss[i] += long * (loss - k.Loss[i])
		k.Late[i] += short * (loss - k.Late[i])
	}
	k.Unit += max(1/k.N, 0.005) * (float32(math.Abs(e)) - k.Unit)
	if k.Unit > 0 {
		k.cover(e / float64(k.Unit))
	}
}

// cover moves the two quantile estimates by sign steps (Robbins and Monro 1951): in the long run
// the stated share of errors lies beneath each, whatever their law.
func (k *track) cover(e float64) {
	const tail = (1 - Coverage) / 2
	if k.Low == k.High {
		k.Low, k.High = -2.6, 2.6
	}
	step := max(2/(float64(k.N)+20), 0.04)
	low, high := float64(k.Low), float64(k.High)
	if e > high {
		high += step
	}
	if e < low {
		low -= step
	}
	k.High, k.Low = float32(high-step*tail), float32(low+step*tail)
	if k.Low > k.High {
		k.Low, k.High = k.High, k.Low
	}
}

func (k *track) bounds() (low, high float64) {
	return float64(k.Unit) * float64(k.Low), float64(k.Unit) * float64(k.High)
}

// interval is the forecast and its bounds, as offsets from it, at a distance. Between the
// horizons it is interpolated in the logarithm of time; beyond the last one that was ever checked
// errors grow as a random walk's.
func (o *outlook) interval(h time.Duration, now opinion) (mid, low, high float64) {
	x := math.Log(max(h.Hours(), 1.0/60))
	last := -1
	for i, k := range horizons {
		t := &o.Track[i]
		if t.N < 3 {
			break
		}
		y := math.Log(float64(k))
		if x > y {
			last = i
			continue
		}
		low, high = t.bounds()
		if last < 0 {
			return t.mix(now), low, high
		}
		u := &o.Track[last]
		lowBefore, highBefore := u.bounds()
		w := (x - math.Log(float64(horizons[last]))) / (y - math.Log(float64(horizons[last])))
		blend := func(a, b float64) float64 { return a + w*(b-a) }
		return blend(u.mix(now), t.mix(now)), blend(lowBefore, low), blend(highBefore, high)
	}
	if last < 0 {
		return float64(now[0]), math.Inf(-1), math.Inf(1)
	}
	t := &o.Track[last]
	low, high = t.bounds()
	grow := math.Sqrt(h.Hours() / float64(horizons[last]))
	return t.mix(now), grow * low, grow * high
}
