package baseline_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// minutes are n samples a minute apart, with jitter, a hole, values that are none, runs of repeats and some spikes.
func minutes(n int) (t []int64, v []float64) {
	for i := range n {
		x := 100 + 40*math.Sin(2*math.Pi*float64(i)/1440) + 4*noise(i)
		switch {
		case i%1000 == 700:
			x *= 2
		case i%900 == 500:
			x = math.NaN()
		case i%2000 > 1500 && i%2000 < 1530:
			x = 80
		case i%3000 > 2000 && i%3000 < 2011:
			continue
		}
		t, v = append(t, monday.UnixMilli()+int64(i)*60e3+int64(i*i%7)-3), append(v, x)
	}
	return t, v
}

func TestItDoesNotMatterHowTheSamplesOfABeatAreHandedOver(t *testing.T) {
	const learned = 4*1440 + 3
	at, v := minutes(6 * 1440)
	hand := map[string]func(*baseline.Series){
		"one by one": func(s *baseline.Series) {
			for i := range at[:learned] {
				s.Observe(at[i], v[i])
			}
		},
		"all at once": func(s *baseline.Series) { s.ObserveAll(at[:learned], v[:learned], nil) },
		"in parts that are no beats, each told": func(s *baseline.Series) {
			for i := 0; i < learned; i += 7 {
				end := min(i+7, learned)
				s.ObserveAll(at[i:end], v[i:end], func(baseline.Score) {})
			}
		},
	}
	var want []baseline.Score
	for _, name := range []string{"one by one", "all at once", "in parts that are no beats, each told"} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
			hand[name](s)
			var got []baseline.Score
			for i := learned; i < len(at); i++ {
				got = append(got, s.Observe(at[i], zeroed(v[i])))
			}
			if want == nil {
				want = got
			}
			require.Equal(t, want, got)
		})
	}
}

// zeroed makes numbers that are none comparable.
func zeroed(x float64) float64 {
	if x != x {
		return 0
	}
	return x
}

func TestARestartInTheMiddleOfABeatChangesNothing(t *testing.T) {
	at, v := minutes(4 * 1440)
	for _, learned := range []int{1, 30, 1440, 3*1440 + 1, 3*1440 + 2, 3*1440 + 4} {
		a := engine(t)
		x := a.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
		x.ObserveAll(at[:learned], v[:learned], nil)
		var state bytes.Buffer
		require.NoError(t, a.Save(&state))
		b := engine(t)
		require.NoError(t, b.Load(&state))
		y := b.Add("w", labels.FromStrings("i", "0"), 0, baseline.SeriesOptions{})
		for i := learned; i < min(len(at), learned+1000); i++ {
			require.Equal(t, x.Observe(at[i], zeroed(v[i])), y.Observe(at[i], zeroed(v[i])), "sample %d after %d", i, learned)
		}
		require.Equal(t, x.Explain().Text, y.Explain().Text)
	}
}

func TestWhatIsWrongIsSeenInTheMiddleOfABeat(t *testing.T) {
	for within := range 5 {
		s := engine(t).Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
		feed(s, monday, 5*1440, time.Minute, wave)
		at := monday.Add(5 * 24 * time.Hour)
		for i := range within {
			require.LessOrEqual(t, s.Observe(at.Add(time.Duration(i)*time.Minute).UnixMilli(), wave(5*1440+i)).Alarm, 1.0)
		}
		require.Greater(t, s.Observe(at.Add(time.Duration(within)*time.Minute).UnixMilli(), 400).Alarm, 1.0, "sample %d of its beat", within)
	}
}
