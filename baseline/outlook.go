package baseline

import (
	"math"
	"time"

	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// horizons are the distances at which forecasts are checked against what came, in hours. Between
// them the interval is interpolated.
var horizons = [...]int64{1, 6, 24, 168}

// The experts whose forecasts are mixed. Three move the profile: by the level of the last half day; by
// a residual that fades towards the level of the last weeks, as a first-order autoregression does; by the
// residual of now as it is, which a day or a week ahead is the value of the same time, moved as the
// profile moves. Three need no profile: the median of the last day's hours, which is right for what is
// mostly zero and seldom large; the median of the last five days at that time of day, and the last such day,
// which are right at once when a season ends or changes.
const (
	made    = 4 // kept from when the forecast was made
	experts = made + 2
)

const (
	byLevel = iota
	byFading
	byNow
	byDay
	byDays
	byYesterday
)

// opinion is each expert's forecast of one value; promised, those that are kept until it is due.
type (
	opinion  [experts]float32
	promised [made]float32
)

// past is where the series stands: above its profile, by three memories, and by the median of its last day.
type past struct{ level, slow, now, day float64 }

// promise is what is forecast where the profile says so much. What fades is no farther from the level than
// most: one wild sample foretells little.
func (p past) promise(profile, fade, most float64) promised {
	now := p.level + max(-most, min(most, p.now-p.level))
	return promised{
		byLevel:  float32(profile + p.level),
		byFading: float32(profile + fade*now + (1-fade)*p.slow),
		byNow:    float32(profile + p.now),
		byDay:    float32(p.day),
	}
}

// views are what forecasts need of the season, at any time in unix milliseconds.
type views interface {
	// profile is that of the season in force.
	profile(t int64) float64
	// season is the one in force, and levelOn the level above the profile of any.
	season() season.Kind
	levelOn(k season.Kind) float64
	// lastDays are the median of the last five days and the last day at that time of day, as known
	// some hours before; false while there is none.
	lastDays(t, hours int64) (median, last float64, ok bool)
}

func (m promised) with(v views, t, hours int64) opinion {
	o := opinion{m[byLevel], m[byFading], m[byNow], m[byDay], m[byLevel], m[byLevel]}
	if median, last, ok := v.lastDays(t, hours); ok {
		o[byDays], o[byYesterday] = float32(median), float32(last)
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
	Slow   float32     // level over the last weeks
	Season season.Kind // that it is above
	_      [3]uint8
	Due    [openForecasts]int32 // hour that each open forecast is for
	Open   [openForecasts]promised
	Track  [len(horizons)]track
}

// track is the record of one horizon. Losses are absolute errors over the mean of all experts' in the
// same round and of the mixture's in all rounds: a day on which nothing could be foretold decides little,
// nor does one on which all were nearly right.
type track struct {
	Loss      [experts]float32 // mean over about the last fifty rounds
	Late      [experts]float32 // mean over about the last ten
	Unit      float32          // mean absolute error of the mixture
	Low, High float32          // quantiles of its error, in units of that
	N         float32
}

// learn takes the first sample of an hour: its time, the hour of the sample before (0 none), its value, and
// where the series stands, but for the slow level.
func (o *outlook) learn(t, before int64, v float64, p past, view views, c *tuning.Forecasts) {
	o.follow(t/3600e3, before, p.level, view, c)
	o.check(t, v, p, view, c, 1)
}

// follow moves the slow level to an hour; before is that of the sample before, 0 none.
func (o *outlook) follow(hour, before int64, level float64, view views, c *tuning.Forecasts) {
	if k := view.season(); k != o.Season {
		o.Slow += float32(level - view.levelOn(o.Season))
		o.Season = k
	}
	forget := 1 - math.Exp2(-float64(min(hour-before, 1000))/c.SlowHours)
	o.Slow += float32(max(forget, 1/(1+float64(o.Track[0].N)))) * (float32(level) - o.Slow)
	if before == 0 {
		o.Slow = float32(level)
	}
}

// check learns from the forecasts that are for this hour, and makes new ones if it is one of every so many; those of a
// week ahead are made every day.
func (o *outlook) check(t int64, v float64, p past, view views, c *tuning.Forecasts, every int64) {
	hour := t / 3600e3
	p.slow = float64(o.Slow)
	for i, h := range horizons {
		r := rings[i]
		if hour%r.every != 0 {
			continue
		}
		k := r.from + hour/r.every%r.n
		if o.Due[k] == int32(hour) {
			if i == len(horizons)-1 && o.Track[i].N == 0 { // a week ahead has few rounds: begin as a day ahead
				o.Track[i].Loss, o.Track[i].Late, o.Track[i].Unit = o.Track[i-1].Loss, o.Track[i-1].Late, o.Track[i-1].Unit
			}
			o.Track[i].learn(o.Open[k].with(view, t, h), v, c)
		}
		if hour%every == 0 || i == len(horizons)-1 {
			o.Due[k], o.Open[k] = int32(hour+h), p.promise(view.profile(t+h*3600e3), c.Fade, o.most(c))
		}
	}
}

// most is how far from the level the residual of now may be when it fades.
func (o *outlook) most(c *tuning.Forecasts) float64 {
	if o.Track[0].N < 3 {
		return math.Inf(1)
	}
	return c.Clip * float64(o.Track[0].Unit)
}

// weights are the shares of the experts: the smaller the loss the larger, to a high power, so
// that a clearly worse one is out and equal ones are averaged (Bates and Granger 1969 took the second power). A loss is the geometric mean of the
// long memory, which tells equals apart, and the short one, which sees that a season has ended.
func (k *track) weights(c *tuning.Forecasts) (w [experts]float64) {
	least := math.Inf(1)
	for i := range w { // The squares of the losses.
		w[i] = float64(k.Loss[i])*float64(k.Late[i]) + 1e-60
		least = min(least, w[i])
	}
	sum := 0.0
	for i := range w {
		share := least / w[i]
		if c.Power == 6 { // The shipped constant, without a logarithm.
			share *= share * share
		} else {
			share = math.Pow(share, c.Power/2)
		}
		w[i] = c.Trust[i] * share
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

func (k *track) mix(p opinion, c *tuning.Forecasts) float64 {
	x := 0.0
	for i, w := range k.weights(c) {
		x += w * float64(p[i])
	}
	return x
}

func (k *track) learn(p opinion, v float64, c *tuning.Forecasts) {
	e := v - k.mix(p, c)
	k.N++
	mean := 1e-30
	for _, x := range p {
		mean += math.Abs(v-float64(x)) / experts
	}
	round := mean + c.Floor*float64(k.Unit)
	const first = 4 // rounds that what a track begins with is worth
	long, short := max(1/(k.N+first), float32(c.Long)), max(1/(k.N+first), float32(c.Short))
	for i, x := range p {
		loss := float32(math.Abs(v-float64(x)) / round)
		k.Loss[i] += long * (loss - k.Loss[i])
		k.Late[i] += short * (loss - k.Late[i])
	}
	size := float32(math.Abs(e))
	if k.N > 12 && k.Unit > 0 {
		size = min(size, 10*k.Unit) // one wild sample is not the usual error
	}
	k.Unit += max(1/k.N, 0.005) * (size - k.Unit)
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
func (o *outlook) interval(h time.Duration, now opinion, c *tuning.Forecasts) (mid, low, high float64) {
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
			return t.mix(now, c), low, high
		}
		u := &o.Track[last]
		lowBefore, highBefore := u.bounds()
		w := (x - math.Log(float64(horizons[last]))) / (y - math.Log(float64(horizons[last])))
		blend := func(a, b float64) float64 { return a + w*(b-a) }
		return blend(u.mix(now, c), t.mix(now, c)), blend(lowBefore, low), blend(highBefore, high)
	}
	if last < 0 {
		return float64(now[0]), math.Inf(-1), math.Inf(1)
	}
	t := &o.Track[last]
	low, high = t.bounds()
	grow := math.Sqrt(h.Hours() / float64(horizons[last]))
	return t.mix(now, c), grow * low, grow * high
}
