package baseline

import (
	"math"
	"slices"
)

// climb is the highest and lowest value since the last saw-tooth ended, and when they were, in unix
// seconds; LowAt is 0 for the first climb, which began before the series was seen.
type climb struct {
	High, Low     float32
	HighAt, LowAt uint32
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

// tooth files a climb that has ended at t, in unix milliseconds.
func (tr *trend) tooth(c *climb, t int64) {
	i := tr.Teeth % teeth
	tr.Peak[i], tr.Foot[i], tr.Hours[i] = c.High, c.Low, 0
	if c.LowAt != 0 {
		tr.Hours[i] = float32(c.hours(1000 * int64(c.HighAt)))
		if fall := float32(t/1000-int64(c.HighAt)) / 3600; fall > slowFall*tr.Hours[i] {
			tr.Hours[i] = -tr.Hours[i]
		}
	}
	tr.Teeth++
}

// habit is what the remembered teeth have in common: the median and the standard deviation of where
// they end, how much they climb, and how many hours that takes.
type habit struct {
	n, waves           int // waves take their time to fall as well
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

// wavy says that most of them are waves: what climbs and falls with the time of day is no saw-tooth.
func (h *habit) wavy() bool { return h.waves > 0 && 2*h.waves >= h.n }

func (tr *trend) habit() (h habit) {
	var peak, climb, hours [teeth]float32
	n, largest := int(min(teeth, tr.Teeth)), float32(0)
	for i := range n {
		largest = max(largest, tr.Peak[i]-tr.Foot[i])
	}
	for i := range n {
		up := tr.Peak[i] - tr.Foot[i]
		if up < largest/4 || tr.Hours[i] == 0 && tr.Teeth > 1 {
			continue // a ripple, or it began before the series was seen
		}
		peak[h.n], climb[h.n], hours[h.n] = tr.Peak[i], up, abs(tr.Hours[i])
		if tr.Hours[i] < 0 {
			h.waves++
		}
		h.n++
	}
	h.peak, h.climb, h.hours = usually(peak[:h.n]), usually(climb[:h.n]), usually(hours[:h.n])
	return h
}

// outlasts says whether the present climb should go on to the limit instead of ending below it as those
// before. It should end by whatever they agree on better, how far they climb (what is rotated by the clock) or
// where they end (a garbage collector that runs at a threshold), and by its own pace once most of a regular time
// table is over. It is unlike them when it is beyond the highest of them, and farther from the usual end than
// these are from each other, or well ahead of a regular time table; then it goes on for as long as the longest of
// them took.
func (c *climb) outlasts(h habit, v, noise, pace, age float64, rising bool, limit float64) bool {
	up, low := h.climb.mid, float64(c.Low)
	few := 1 + 1/float64(h.n) // less is known of few
	least := few * endLeast * up
	end, most, dev := h.peak.mid, h.peak.most, h.peak.dev
	switch {
	case h.n == 1:
		end = max(end, low+up)
		most = end
	case h.climb.dev <= h.peak.dev:
		end, most, dev = low+up, low+h.climb.most, h.climb.dev
	}
	left := max(0, (1+endLeast)*h.hours.most-age)
	regular := h.n > 1 && age > h.hours.mid/4 && h.hours.dev < endLeast*h.hours.mid
	if regular {
		timed := v + 3600*pace*max(0, h.hours.mid-age)
		rising = rising && timed >= end
		if age > timedFrom*h.hours.mid {
			end, rising = min(end, timed), false
		}
	}
	if rising {
		end += 2 * dev
	}
	if end >= limit && v-low > 2*endLeast*up { // What waits at its foot may wait for long.
		return true
	}
	far, near := margins(h.hours.mid)
	beyond := v > min(max(most+max(least, 3*few*noise), end+far*few*dev), limit-near*(limit-most))
	ahead := regular && v-low-up*min(1, age/h.hours.mid) > max(least, 2*h.climb.dev*age/h.hours.mid)
	return beyond && left == 0 || (beyond || ahead) && v+3600*pace*left >= limit
}

// margins are how many deviations from the usual end a climb is unlike the others, and how near to the limit, as a share
// of the room that those leave, it is so anyway. What is allowed is so many false warnings in so much time,
// not so many among the teeth: slow ones are given less room than quick ones.
func margins(hours float64) (far, near float64) {
	slow := min(1, max(0, math.Log2(hours/12)/2)) // 0 up to half a day, 1 from two days on
	return 4 - 2.5*slow, 0.35 + 0.5*slow
}

const (
	endLeast  = 0.05 // share of a climb, or of its time, that hardly matters
	slowFall  = 0.25 // share of the time of a climb from which on the fall to half is no fall of a saw-tooth
	timedFrom = 0.75 // share of a regular time table after which a climb's own pace tells best where it ends
	otherKind = 3    // largest climbs remembered, beyond which the present one is none of their kind
)

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

// recent is the slope of the climb over the last six hours per second, by least squares: unlike a median of slopes it
// sees the steps of what grows by steps. It is 0 while there are fewer than three values.
func (tr *trend) recent(hour, t int64, v, age, step float64) float64 {
	const hours = 6
	n, sx, sy, sxx, sxy := 1.0, 0.0, 0.0, 0.0, 0.0 // The value of now is where both are 0.
	for h := hour - 1; h >= hour-hours && hour-h <= tr.Filled; h-- {
		x := float64((h+1)*3600-t/1000) - step
		if -x > 3600*age {
			break
		}
		y := float64(tr.Value[(h+trendPoints)%trendPoints]) - v
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if n < 3 {
		return 0
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
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
