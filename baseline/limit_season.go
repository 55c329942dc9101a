package baseline

import (
	"math"
	"slices"

	"github.com/tidemark/tidemark/baseline/season"
)

// Where a season tells what comes next, a climb is a part of a wave and has no pace that lasts: what matters is whether
// the season's own forecast, moved by how far the value is above it and by how that grows, reaches the limit.

const (
	clearSeason = 0.6 // share of the error without a season that the one in force is under when it tells what comes next
	clearGrowth = 2   // usual errors of forecasts as far ahead, that growth above a season is more than
	caution     = 0.6 // usual errors above its forecast that count as reached
	peakDays    = 14  // whose peaks tell how a rhythm grows
)

// rhythmic says that a season tells what comes next.
func rhythmic(m *season.Model) bool {
	k := m.Active()
	return k != season.None && float64(m.Cand[k].Err) < clearSeason*float64(m.Cand[season.None].Err)
}

// above is by how much the last value of each hour was above the profile, the youngest first.
func (tr *trend) above(buf *[trendPoints]float64, hour int64, profile func(t int64) float64, step float64) []float64 {
	n := int(min(tr.Filled, trendPoints-1))
	for i := range n {
		h := hour - 1 - int64(i)
		buf[i] = float64(tr.Value[(h+trendPoints)%trendPoints]) - profile((h+1)*3600e3-int64(1000*step))
	}
	return buf[:n]
}

// usualError is the mean error of forecasts so many hours ahead, between the horizons by a straight line; 0 while none
// was checked.
func (o *outlook) usualError(hours float64) float64 {
	before, from := 0.0, 0.0
	for i, k := range horizons {
		t := &o.Track[i]
		if t.N < 3 {
			break
		}
		if hours <= float64(k) {
			return before + (float64(t.Unit)-before)*(hours-from)/(float64(k)-from)
		}
		before, from = float64(t.Unit), float64(k)
	}
	return before
}

// growing is the Theil-Sen slope per hour of what is above a season, with its quartiles, over the span of hours that shows it
// most clearly against what forecasts so far ahead usually miss; zeros where none does.
func growing(now float64, above []float64, look *outlook) (mid, low, high float64) {
	var buf [(trendPoints + 1) * trendPoints / 2]float64
	clearest := float64(clearGrowth)
	for _, n := range [...]int{4, 8, 16, trendPoints} {
		if n = min(n, len(above)); n < 3 {
			break
		}
		s := buf[:0]
		for i := range n {
			s = append(s, (now-above[i])/float64(i+1))
			for j := range i {
				s = append(s, (above[j]-above[i])/float64(i-j))
			}
		}
		slices.Sort(s)
		m := s[len(s)/2]
		if clear := m * float64(n) / max(look.usualError(float64(n)), 1e-30); clear > clearest {
			clearest, mid, low, high = clear, m, s[len(s)/4], s[3*len(s)/4]
		}
	}
	return mid, low, high
}

// seasonal is the time to a limit above where a season tells what comes next: until its forecast reaches the limit within
// a day, else until the growth of the peaks of days does.
func (s *Series) seasonal(tr *trend, limit float64) (Limit, bool) {
	t, step, look := s.core.Last, s.rates.Step, &s.cold.Look
	profile := func(t int64) float64 { return s.model.Ahead(t, step) }
	now := s.model.Level() + s.core.Short
	var buf [trendPoints]float64
	mid, low, high := growing(now, tr.above(&buf, int64(s.core.Hour), profile, step), look)
	var ahead [24]float64
	for h := range ahead {
		ahead[h] = profile(t+int64(h+1)*3600e3) + now + caution*look.usualError(float64(h+1))
	}
	at := func(slope float64) float64 {
		before := s.core.LastValue
		for h, x := range ahead {
			x += slope * float64(h+1)
			if x >= limit {
				return 3600 * (float64(h) + max(0, (limit-before)/(x-before)))
			}
			before = x
		}
		return math.Inf(1)
	}
	if l := (Limit{Seconds: at(mid), Lower: at(high), Upper: at(low)}); !math.IsInf(l.Seconds, 0) {
		return l, true
	}
	return s.byPeaks(limit)
}

// byPeaks is the time until the highest samples of days have grown to a limit, by the Theil-Sen slope of the last two weeks;
// false where they do not grow.
func (s *Series) byPeaks(limit float64) (Limit, bool) {
	var days [peakDays]season.Peak
	n := s.model.Peaks(days[:])
	if n < 4 {
		return Limit{}, false
	}
	var buf [peakDays * (peakDays - 1) / 2]float64
	slopes := buf[:0]
	for i, old := range days[:n] {
		for _, young := range days[:i] {
			slopes = append(slopes, (young.High-old.High)/float64(young.Day-old.Day))
		}
	}
	slices.Sort(slopes)
	low := slopes[len(slopes)/4]
	if !(low > 0) {
		return Limit{}, false
	}
	room := max(0, limit-days[0].High)
	at := func(perDay float64) float64 { return 86400 * max(1, room/perDay) }
	return foreseen(Limit{Seconds: at(slopes[len(slopes)/2]), Lower: at(slopes[3*len(slopes)/4]), Upper: at(low)})
}
