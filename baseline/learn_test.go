package baseline

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

// fourWeeks is four weeks of a daily and weekly rhythm at five minutes, with gaps and values that are none.
func fourWeeks() (t []int64, v []float64) {
	r := rand.New(rand.NewPCG(8, 9))
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	for i := range int64(28 * 288) {
		x := 100 + 40*math.Sin(2*math.Pi*float64(i)/288) + 4*r.NormFloat64()
		if i/288%7 >= 5 {
			x -= 30
		}
		switch {
		case i%288 == 100:
			x = math.NaN()
		case i%2000 < 20:
			continue
		}
		t, v = append(t, begin+i*300e3), append(v, x)
	}
	return t, v
}

func TestFiledDaysAreRememberedAsIfObserved(t *testing.T) {
	at, values := fourWeeks()
	cfg := DefaultConfig()
	cfg.Observe = model.Duration(7 * 24 * time.Hour)
	for name, resident := range map[string]int{"in memory": 1, "on disk": 0} {
		t.Run(name, func(t *testing.T) {
			e, err := NewEngine(cfg, nil)
			require.NoError(t, err)
			f, err := os.Create(t.TempDir() + "/archive")
			require.NoError(t, err)
			defer f.Close()
			e.PageTo(f, resident)
			whole, err := NewEngine(DefaultConfig(), nil)
			require.NoError(t, err)
			a := whole.Add("w", labels.FromStrings("i", "0"), 5*time.Minute, SeriesOptions{})
			b := e.Add("w", labels.FromStrings("i", "0"), 5*time.Minute, SeriesOptions{})
			end := time.UnixMilli(at[len(at)-1])
			require.Equal(t, int64(math.MinInt64), whole.FiledBefore(end))
			for week := range 4 { // As history is read.
				part := func(i int) int { return min(len(at), i*len(at)/4) }
				t, v := at[part(week):part(week+1)], values[part(week):part(week+1)]
				a.Learn(t, v, whole.FiledBefore(end), nil)
				b.Learn(t, v, e.FiledBefore(end), nil)
			}
			require.Greater(t, a.core.N, 3*b.core.N, "most was filed")
			a.page()
			b.page()
			require.Equal(t, a.model.Filled, b.model.Filled)
			same := 0
			for i, code := range a.cold.Codes() {
				if other := b.cold.Codes()[i]; max(code, other)-min(code, other) <= 1 { // Sums are added up in another order.
					same++
				}
			}
			require.Equal(t, len(a.cold.Codes()), same)
			require.InDelta(t, a.model.Most, b.model.Most, 1e-3)
			require.Equal(t, a.model.Active(), b.model.Active())
			// What comes then is expected alike, and what is wrong is seen by both.
			next := at[len(at)-1]
			for i := range int64(288) {
				x, y := a.Observe(next+(i+1)*300e3, 100+40*math.Sin(2*math.Pi*float64(i)/288)), b.Observe(next+(i+1)*300e3, 100+40*math.Sin(2*math.Pi*float64(i)/288))
				require.InDelta(t, x.Expected, y.Expected, 6)
				require.LessOrEqual(t, math.Max(x.Raw, y.Raw), 1.0)
			}
			x, y := a.Observe(next+289*300e3, 400), b.Observe(next+289*300e3, 400)
			require.Greater(t, x.Raw, 1.0)
			require.Greater(t, y.Raw, 1.0)
		})
	}
}

func TestASeriesThatHasObservedFilesNoMore(t *testing.T) {
	e, err := NewEngine(DefaultConfig(), nil)
	require.NoError(t, err)
	at, values := fourWeeks()
	s := e.Add("w", labels.FromStrings("i", "0"), 5*time.Minute, SeriesOptions{})
	s.ObserveAll(at[:100], values[:100], nil)
	n := s.core.N
	s.Learn(at[100:200], values[100:200], math.MaxInt64, nil)
	require.Greater(t, s.core.N, n)
	require.Zero(t, s.core.Filed)
}
