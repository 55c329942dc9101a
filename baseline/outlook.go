package baseline

import (
	"math"
	"time"
)

// horizons are the distances at which forecasts are checked against what came, in hours. Between
// them the interval is interpolated.
var horizons = [...]int64{1, 6, 24, 168}

// The experts whose forecasts are mixed: the profile plus the level of the last half day; the
// profile plus a residual that fades towards the level of the last days; and the residual of now
// kept as it is, which a day or a week ahead is the value of the same time, moved as the profile
// moves; and the median of the last five days at that time.
const experts = 4

// opinion is each expert's forecast of one value.
type opinion [experts]float32

// past is where the series stands against its profile, by three memories.
type past struct{ level, slow, now float64 }

func (p past) opinions(profile, recent float64) opinion {
	return opinion{float32(profile + p.level), float32(profile + 0.6*p.now + 0.4*p.slow), float32(profile + p.now), float32(recent)}
}

// rings are where the open forecasts of each horizon start in outlook.Open, and how many there
// are: those of an hour ahead every hour, of six hours and a day every three, of a week every day.
var rings = [...]struct{ from, n, every int64 }{{0, 1, 1}, {1, 2, 3}, {3, 8, 3}, {11, 7, 24}}

const openForecasts = 18

// outlook keeps the forecasts that are open and learns from them, when it is known what came,
// which expert to trust at which horizon and how wide the interval must be.
type outlook struct {
	Slow  float32              // level over the last days
	Due   [openForecasts]int32 // hour that each open forecast is for
	Open  [openForecasts]opinion
	Track [len(horizons)]track
}

// track is the record of one horizon.
type track struct {
	Err       [experts]float32 // mean absolute error
	Low, High float32          // quantiles of the error of the mixture, in units of the least Err
	N         float32
}

// learn takes the first sample of an hour: its time, the hour of the sample before (0 none), its value, level above the profile, residual
// smoothed over the last samples, and the profile at later times.
func (o *outlook) learn(t, before int64, v, level, now float64, ahead func(int64) (profile, recent float64)) {
	hour := t / 3600e3
	if before == 0 {
		o.Slow = float32(level)
	}
	o.Slow += float32(1-math.Exp2(-float64(min(hour-before, 1000))/72)) * (float32(level) - o.Slow)
	p := past{level, float64(o.Slow), level + now}
	for i, h := range horizons {
		r := rings[i]
		if hour%r.every != 0 {
			continue
		}
		k := r.from + hour/r.every%r.n
		if o.Due[k] == int32(hour) {
			o.Track[i].learn(o.Open[k], v)
		}
		o.Due[k], o.Open[k] = int32(hour+h), p.opinions(ahead(t+h*3600e3))
	}
}

// weights are the shares of the experts: the smaller the error the larger, to the sixth power, so
// that a clearly worse one is out and equal ones are averaged.
func (k *track) weights() (w [experts]float64) {
	least := float64(min(k.Err[0], k.Err[1], k.Err[2], k.Err[3])) + 1e-30
	sum := 0.0
	for i, e := range k.Err {
		w[i] = math.Pow(least/(float64(e)+1e-30), 6)
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
	w := max(1/k.N, 0.005)
	for i := range experts {
		k.Err[i] += w * (float32(math.Abs(v-float64(p[i]))) - k.Err[i])
	}
	if u := k.unit(); u > 0 {
		k.cover(e / u)
	}
}

// unit is the error of the best expert, in which the interval is measured.
func (k *track) unit() float64 { return float64(min(k.Err[0], k.Err[1], k.Err[2], k.Err[3])) }

// cover moves the two quantile estimates by sign steps (Robbins and Monro 1951): in the long run
// the stated share of errors lies beneath each, whatever their law.
func (k *track) cover(e float64) {
	const tail = (1 - Coverage) / 2
	if k.Low == k.High {
		k.Low, k.High = -2.2, 2.2
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
	return k.unit() * float64(k.Low), k.unit() * float64(k.High)
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
