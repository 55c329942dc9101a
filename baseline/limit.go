package baseline

import (
	"math"
	"slices"
	"time"
)

// Limit is the time until a forecast crosses a declared limit.
type Limit struct{ Seconds, Lower, Upper float64 }

const (
	trendPoints  = 24 // hours of hourly values
	teeth        = 8  // peaks of saw-teeth remembered
	limitHorizon = 30 * 24 * time.Hour
)

// trend remembers the last hours and the last saw-teeth: a value that climbs and is reset, as log
// rotation and garbage collection do.
type trend struct {
	Value  [trendPoints]float32 // last value of each hour before the current one
	Filled int64                // hours, the current one included
	Peak   [teeth]float32       // where the last climbs ended
	Foot   [teeth]float32       // and began
	Hours  [teeth]float32       // and how long they took, 0 when unknown
	Teeth  int64
}

// climb is the highest and lowest value since the last saw-tooth ended, and when they were, in unix
// seconds; LowAt is 0 for the first climb, which began before the series was seen.
type climb struct {
	High, Low     float32
	HighAt, LowAt uint32
}

// turn begins an hour; last is the value that the one before ended with. before 0: there was none.
func (tr *trend) turn(before, hour int64, last float64) {
	if before == 0 {
		tr.Filled = 1
		return
	}
	tr.Value[before%trendPoints] = float32(last)
	for h := max(before+1, hour-trendPoints); h < hour; h++ {
		tr.Value[h%trendPoints] = float32(last)
	}
	tr.Filled = min(trendPoints, tr.Filled+min(trendPoints, hour-before))
}

// median is that of the last value of each hour of the last day, and of v. It is sought from a guess on, that of the hour
// before for instance, from value to value: sorting costs ten times as much.
func (tr *trend) median(hour int64, v, guess float64) float64 {
	var all [trendPoints + 1]float32
	n := int(min(tr.Filled, trendPoints))
	for i := range n {
		all[i] = tr.Value[(hour-1-int64(i)+2*trendPoints)%trendPoints]
	}
	all[n] = float32(v)
	x, rank, at := all[:n+1], (n+1)/2, float32(guess)
	if at != at {
		at = x[n]
	}
	for {
		less, equal := 0, 0
		under, over := float32(math.Inf(-1)), float32(math.Inf(1))
		for _, y := range x {
			switch {
			case y < at:
				less++
				under = max(under, y)
			case y > at:
				over = min(over, y)
			default:
				equal++
			}
		}
		switch {
		case rank < less:
			at = under
		case rank >= less+equal:
			at = over
		default:
			return float64(at)
		}
	}
}

// learn takes a sample and says whether it ends a tooth: a fall by more than half of the climb, and by
// more than noise.
func (c *climb) learn(t int64, v, spread float64) bool {
	x := float32(v)
	if x >= c.High {
		c.High, c.HighAt = x, uint32(t/1000)
	}
	up := c.High - c.Low
	if float64(up) > 6*spread && c.High-x > up/2 {
		return true
	}
	if x < c.Low {
		at := uint32(t / 1000)
		*c = climb{High: x, Low: x, HighAt: at, LowAt: at}
	}
	return false
}

// begin starts a climb at a sample.
func (c *climb) begin(t int64, v float64) {
	at := uint32(t / 1000)
	*c = climb{float32(v), float32(v), at, at}
}

// hours is how long the climb has taken until t, in unix milliseconds.
func (c *climb) hours(t int64) float64 { return float64(t/1000-int64(c.LowAt)) / 3600 }

// tooth files a climb that has ended.
func (tr *trend) tooth(c *climb) {
	i := tr.Teeth % teeth
	tr.Peak[i], tr.Foot[i], tr.Hours[i] = c.High, c.Low, 0
	if c.LowAt != 0 {
		tr.Hours[i] = float32(c.hours(1000 * int64(c.HighAt)))
	}
	tr.Teeth++
}

// slope is the Theil-Sen slope (the median of all pairwise slopes) of the last hours, per second,
// with the quartiles; false while there are fewer than three hours.
func (tr *trend) slope(hour int64, hours int) (mid, low, high float64, ok bool) {
	n := min(int(tr.Filled), hours)
	if n < 3 {
		return 0, 0, 0, false
	}
	s := make([]float64, 0, n*(n-1)/2)
	for i := 1; i < n; i++ {
		for j := range i {
			a := tr.Value[(hour-int64(i))%trendPoints]
			b := tr.Value[(hour-int64(j))%trendPoints]
			s = append(s, float64(b-a)/(3600*float64(i-j)))
		}
	}
	slices.Sort(s)
	return s[len(s)/2], s[len(s)/4], s[3*len(s)/4], true
}

// habit is what the remembered teeth have in common: the median and the standard deviation of where
// they end, how much they climb, and how many hours that takes.
type habit struct {
	n                  int
	peak, climb, hours usual
}

// usual is a median, a standard deviation and the largest value.
type usual struct{ mid, dev, most float64 }

// shewhart are the expected ranges of n standard normal values, by which a range becomes a standard
// deviation (the constant d2 of control charts, Shewhart 1931).
var shewhart = [teeth + 1]float64{2: 1.128, 3: 1.693, 4: 2.059, 5: 2.326, 6: 2.534, 7: 2.704, 8: 2.847}

// usually leaves out the value farthest from the median where there are five or more: a reset may
// have been missed.
func usually(x []float32) (s usual) {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	if n == 0 {
		return s
	}
	mid := float64(x[n/2]+x[(n-1)/2]) / 2
	if n >= 5 {
		if mid-float64(x[0]) > float64(x[n-1])-mid {
			x = x[1:]
		} else {
			x = x[:n-1]
		}
		n--
	}
	if n == 1 {
		return usual{mid, 0, mid}
	}
	return usual{mid, float64(x[n-1]-x[0]) / shewhart[n], float64(x[n-1])}
}

func (tr *trend) habit() (h habit) {
	var peak, climb, hours [teeth]float32
	for i := range int(min(teeth, tr.Teeth)) {
		if tr.Hours[i] == 0 && tr.Teeth > 1 {
			continue // began before the series was seen
		}
		peak[h.n], climb[h.n], hours[h.n] = tr.Peak[i], tr.Peak[i]-tr.Foot[i], tr.Hours[i]
		h.n++
	}
	h.peak, h.climb, h.hours = usually(peak[:h.n]), usually(climb[:h.n]), usually(hours[:h.n])
	return h
}

// outlasts says whether the present climb should go on to the limit instead of ending below it as those
// before. It should end by whatever they agree on better, how far they climb (what is rotated by the clock) or
// where they end (a garbage collector that runs at a threshold). It is unlike them when it is beyond the
// highest of them by as much again as that is above the usual end, or well ahead of a regular time table;
// then it goes on for as long as the longest of them took.
func (c *climb) outlasts(h habit, v, noise, pace, age float64, rising bool, limit float64) bool {
	up, low := h.climb.mid, float64(c.Low)
	few := 1 + 1/float64(h.n) // less is known of few
	least := few * endLeast * up
	end, most := h.peak.mid, h.peak.most
	switch {
	case h.n == 1:
		end = max(end, low+up)
		most = end
	case h.climb.dev <= h.peak.dev:
		end, most = low+up, low+h.climb.most
	}
	if rising {
		end += 2 * h.climb.dev
	}
	if end >= limit {
		return true
	}
	left := max(0, h.hours.most-age)
	beyond := v > min(most+max(least, 3*few*noise, (most-end)/2), most+(limit-most)*0.75)
	ahead := h.n > 1 && age > h.hours.mid/4 && h.hours.dev < endLeast*h.hours.mid &&
		v-low-up*min(1, age/h.hours.mid) > max(least, 2*h.climb.dev*age/h.hours.mid)
	return beyond && left == 0 || (beyond || ahead) && v+3600*pace*left >= limit
}

const endLeast = 0.05 // share of a climb, or of its time, that hardly matters

// raised says whether the foot of the present climb is above all before by half as much again as the highest
// of them is above the middle one.
func (tr *trend) raised(c *climb) bool {
	n := int(min(teeth, tr.Teeth))
	if n < 3 {
		return false
	}
	foot := tr.Foot
	slices.Sort(foot[:n])
	return c.Low > foot[n-1]+(foot[n-1]-foot[n/2])/2
}

// growth is by how much the foot of a tooth is above that of the one before: the median of the slopes between
// any two of those remembered and the present one, with the quartiles; zeros while there are fewer than five.
func (tr *trend) growth(c *climb) (mid, low, high float64) {
	n := int(min(teeth, tr.Teeth))
	if n < 4 {
		return 0, 0, 0
	}
	var foot [teeth + 1]float64
	for i := range n {
		foot[i] = float64(tr.Foot[(tr.Teeth-int64(n-i))%teeth])
	}
	foot[n] = float64(c.Low)
	var slopes [(teeth + 1) * teeth / 2]float64
	k := 0
	for i := 1; i <= n; i++ {
		for j := range i {
			slopes[k] = (foot[i] - foot[j]) / float64(i-j)
			k++
		}
	}
	slices.Sort(slopes[:k])
	return slopes[k/2], slopes[k/4], slopes[3*k/4]
}

// pace is the slope of the present climb per second, with its quartiles: the usual one while the climb
// is young.
func (c *climb) pace(h habit, tr *trend, hour, t int64, v float64) (mid, low, high float64) {
	age := c.hours(t)
	if age < h.hours.mid/4 {
		mid = h.climb.mid / h.hours.mid / 3600
		return mid, mid / 2, 2 * mid
	}
	if age >= 3 {
		if mid, low, high, ok := tr.slope(hour, int(min(age, trendPoints))); ok {
			return mid, low, high
		}
	}
	mid = (v - float64(c.Low)) / max(age, 0.1) / 3600
	return mid, mid / 2, 2 * mid
}

// later is the time until a saw-tooth whose present climb ends below the limit has grown so far that one
// reaches it; false when the teeth do not grow, or end after no usual time.
func (c *climb) later(h habit, tr *trend, age, limit float64) (Limit, bool) {
	mid, low, high := tr.growth(c)
	if low <= 0 || h.hours.mid <= 0 {
		return Limit{}, false
	}
	room := limit - float64(c.Low) - h.climb.mid
	at := func(growth float64) float64 {
		return 3600 * (max(0, h.hours.mid-age) + h.hours.mid*max(1, math.Ceil(room/growth)))
	}
	return foreseen(Limit{Seconds: at(mid), Lower: at(high), Upper: at(low)})
}

// foreseen leaves out what is beyond the horizon.
func foreseen(l Limit) (Limit, bool) {
	if !(l.Seconds <= limitHorizon.Seconds()) {
		return Limit{}, false
	}
	return l, true
}

// TimeToLimit is the time until the series crosses limit from its present side, judged by the trend of
// the last day, or of the present climb where the series is a saw-tooth, or of the feet of its teeth where that
// climb should end below the limit; zero beyond it, in the direction that is bad. It is false when the trend
// leads away or the crossing is more than 30 days off.
func (s *Series) TimeToLimit(limit float64) (Limit, bool) {
	s.lock()
	defer s.unlock()
	if s.blank() || math.IsNaN(limit) || math.IsInf(limit, 0) {
		return Limit{}, false
	}
	tr, v := s.page().Trend, s.core.LastValue      // A copy: asking changes nothing.
	tr.Value[s.core.Hour%trendPoints] = float32(v) // The current hour's, as far as it goes.
	switch d := s.opts.Direction; {
	case d == Up && v >= limit, d == Down && v <= limit:
		return Limit{}, s.core.N > 0 // crossed already
	}
	c, t, hour := &s.core.Climb, s.core.Last, int64(s.core.Hour)
	var mid, low, high float64
	ok := true
	if h := tr.habit(); v < limit && h.n > 0 {
		mid, low, high = c.pace(h, &tr, hour, t, v)
		_, grows, _ := tr.growth(c)
		age, noise := c.hours(t), max(s.core.LocalAbs, s.floor())
		if !c.outlasts(h, v, noise, mid, age, grows > 0 || tr.raised(c), limit) {
			return c.later(h, &tr, age, limit)
		}
	} else if mid, low, high, ok = tr.slope(hour, trendPoints); v >= limit { // a limit below: mirror
		mid, low, high = -mid, -high, -low
	}
	if !ok || !(mid > 0) {
		return Limit{}, false
	}
	dist := math.Abs(limit - v)
	l := Limit{Seconds: dist / mid, Lower: dist / high, Upper: math.Inf(1)}
	if low > 0 {
		l.Upper = dist / low
	}
	return foreseen(l)
}
