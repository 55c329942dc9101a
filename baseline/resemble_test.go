package baseline_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// kinds are ways in which the series of one metric differ: alike but in noise and level.
var kinds = map[string]func(k, i int) float64{
	"bursts": func(k, i int) float64 {
		return float64(50+7*k) + 3*noise(31*i+k) + 40*math.Max(0, math.Abs(noise(17*i+911*k))-0.47)*100*math.Abs(noise(i+k))
	},
	"calm with a day": func(k, i int) float64 {
		return float64(100+9*k) + 40*math.Sin(2*math.Pi*float64(i)/288) + 4*noise(13*i+77*k)
	},
	"heavy tails": func(k, i int) float64 {
		return float64(10+k) + noise(29*i+k)/(0.08+math.Abs(noise(3*i+101*k)))
	},
	"counts": func(k, i int) float64 {
		return math.Floor(math.Max(0, 4*noise(23*i+k)+float64(b2i(noise(i*7+k) > 0.49))*6))
	},
}

// newcomers counts the false alarms of new series in their first days, and the spikes among so many that
// are found on the third.
func newcomers(t *testing.T, value func(k, i int) float64, pooled bool) (alarms, found, spikes int) {
	const known, fresh, days = 8, 24, 4
	e := engine(t)
	all := make([]*baseline.Series, known)
	for k := range all {
		all[k] = e.Add("w", labels.FromStrings("i", fmt.Sprint(k)), 5*time.Minute, baseline.SeriesOptions{})
		feed(all[k], monday, 14*288, 5*time.Minute, func(i int) float64 { return value(k, i) })
	}
	for k := known; k < known+fresh; k++ {
		s := e.Add("w", labels.FromStrings("i", fmt.Sprint(k)), 5*time.Minute, baseline.SeriesOptions{})
		if pooled {
			require.True(t, s.Resemble(all))
		}
		for i := 14 * 288; i < (14+days)*288; i++ {
			v := value(k, i)
			hit := i%288 == 100 && i >= 16*288
			if hit {
				v += 25 * (math.Abs(value(k, i-1)-value(k, i-2)) + math.Abs(value(k, i-3)-value(k, i-4)) + 0.2*v)
				spikes++
			}
			sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), v)
			if hit {
				found += b2i(sc.Raw > 1)
			} else if i < 16*288 {
				alarms += b2i(sc.Alarm > 1)
			}
		}
	}
	return alarms, found, spikes
}

func TestANewSeriesBeginsWithWhatItsLikeHaveInCommon(t *testing.T) {
	var alone, together, foundAlone, foundTogether int
	for name, value := range kinds {
		a, fa, n := newcomers(t, value, false)
		b, fb, _ := newcomers(t, value, true)
		t.Logf("%s: false alarms of 24 series in two days %d alone, %d together; spikes found %d and %d of %d", name, a, b, fa, fb, n)
		alone, together, foundAlone, foundTogether = alone+a, together+b, foundAlone+fa, foundTogether+fb
	}
	require.Greater(t, foundTogether, foundAlone)
	require.LessOrEqual(t, float64(together), 1.05*float64(alone))
}

func TestOnlyANewSeriesResembles(t *testing.T) {
	e := engine(t)
	add := func(i string, samples int) *baseline.Series {
		s := e.Add("w", labels.FromStrings("i", i), 5*time.Minute, baseline.SeriesOptions{})
		feed(s, monday, samples, 5*time.Minute, wave)
		return s
	}
	ready, young, fresh := add("ready", 14*288), add("young", 20), add("fresh", 0)
	require.False(t, fresh.Resemble(nil))
	require.False(t, fresh.Resemble([]*baseline.Series{fresh, young}), "nobody is ready")
	require.False(t, young.Resemble([]*baseline.Series{ready}), "it has begun")
	other := e.Add("w", labels.FromStrings("i", "other"), time.Minute, baseline.SeriesOptions{})
	require.False(t, other.Resemble([]*baseline.Series{ready}), "blocks of another length")
	require.True(t, fresh.Resemble([]*baseline.Series{young, ready}))
}
