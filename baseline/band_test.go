package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// gauss is nearly normal noise of deviation 1.
func gauss(i int) float64 {
	sum := 0.0
	for k := range 12 {
		sum += noise(12*i + k)
	}
	return sum
}

// bands are calm series with their true mean and deviation at each sample of five minutes.
var bands = map[string]func(i int) (value, mean, deviation float64){
	"a level":            func(i int) (float64, float64, float64) { return 100 + 5*gauss(i), 100, 5 },
	"a level under zero": func(i int) (float64, float64, float64) { return -100 + 5*gauss(i), -100, 5 },
	"a day": func(i int) (float64, float64, float64) {
		m := 100 + 50*math.Sin(2*math.Pi*float64(i)/288)
		return m + 4*gauss(i), m, 4
	},
	"a week": func(i int) (float64, float64, float64) {
		m := 50 + 40*math.Sin(2*math.Pi*float64(i)/288)*float64(1+b2i(i/288%7 < 5))
		return m + 3*gauss(i), m, 3
	},
	"traffic that is loud by day": func(i int) (float64, float64, float64) {
		m := 50 + 40*math.Sin(2*math.Pi*float64(i)/288)
		return m + math.Sqrt(m)*gauss(i), m, math.Sqrt(m)
	},
	"counts near zero": func(i int) (float64, float64, float64) {
		return math.Max(0, math.Round(1.2+1.1*gauss(i))), 1.2, 1.1
	},
}

// The band is what people call normal: nearly all of a calm series is inside, it is not wider than that
// takes, it knows the side of zero, and no seasonal test alone scores above 1 inside of it.
func TestTheBandIsTheUsualRange(t *testing.T) {
	for name, series := range bands {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			n, outside, wide, centre := 0, 0, 0.0, 0.0
			for i := range 28 * 288 {
				v, mean, deviation := series(i)
				sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), v)
				if i < 14*288 {
					continue
				}
				n++
				outside += b2i(v < sc.Lower || v > sc.Upper)
				wide += (sc.Upper - sc.Lower) / (2 * deviation)
				centre += math.Abs(sc.Expected-mean) / deviation
				require.LessOrEqual(t, sc.Lower, sc.Expected)
				require.GreaterOrEqual(t, sc.Upper, sc.Expected)
				if mean > 0 && name != "a week" {
					require.GreaterOrEqual(t, sc.Lower, 0.0)
				}
			}
			share := float64(outside) / float64(n)
			t.Logf("%.2f %% outside, %.1f deviations to either side, centre off by %.2f", 100*share, wide/float64(n), centre/float64(n))
			require.Less(t, share, 0.01)
			require.Less(t, wide/float64(n), 5.5)
			require.Greater(t, wide/float64(n), 1.0)
			require.Less(t, centre/float64(n), 0.6)
		})
	}
}

func TestASeasonalTestAloneScoresOutsideOfTheBandOnly(t *testing.T) {
	for name, series := range bands {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			scored := 0
			for i := range 21 * 288 {
				v, _, deviation := series(i)
				if i > 10*288 && i%97 == 0 {
					v += deviation * 60 * noise(i+5)
				}
				sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), v)
				for _, e := range s.Evidence() {
					if e.Score > 1 && e.Kind == baseline.Contextual {
						scored++
						require.True(t, sc.Value < sc.Lower || sc.Value > sc.Upper, "%g scores %g within %g to %g", sc.Value, e.Score, sc.Lower, sc.Upper)
					}
				}
			}
			require.Positive(t, scored, "the test saw something")
		})
	}
}
