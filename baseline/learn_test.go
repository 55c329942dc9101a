package baseline

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
)

// fourWeeks is four weeks of a daily and weekly rhythm, with gaps, values that are none, samples that come
// twice, and some spikes.
func fourWeeks(step time.Duration) (t []int64, v []float64) {
	r := rand.New(rand.NewPCG(8, 9))
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	day := int64(24 * time.Hour / step)
	for i := range 28 * day {
		x := 100 + 40*math.Sin(2*math.Pi*float64(i)/float64(day)) + 4*r.NormFloat64()
		x -= []float64{0, 20, 5, 35, 10, 60, 80}[i/day%7]
		switch {
		case i%day == day/3:
			x = math.NaN()
		case i%(7*day) < day/14:
			continue
		case i%(3*day) == day/2:
			x += 60
		}
		t, v = append(t, begin+i*step.Milliseconds()+r.Int64N(7)-3), append(v, x)
		if i%1000 == 999 {
			t, v = append(t, t[len(t)-1]), append(v, 1e9)
		}
	}
	return t, v
}

func observing(t *testing.T, d time.Duration) *Engine {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Observe = model.Duration(d)
	e, err := NewEngine(cfg, nil)
	require.NoError(t, err)
	return e
}

// taught learns a history that ends with its last sample, so many samples at a time.
func taught(e *Engine, step time.Duration, t []int64, v []float64, atOnce int) *Series {
	s := e.Add("w", labels.FromStrings("i", "0"), step, SeriesOptions{})
	from := e.ObserveFrom(time.UnixMilli(t[len(t)-1]), false)
	for i := 0; i < len(t); i += atOnce {
		end := min(len(t), i+atOnce)
		s.Learn(t[i:end], v[i:end], from, nil)
	}
	return s
}

func TestSkimmedHistoryTeachesWhatObservedHistoryTeaches(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute} {
		for name, resident := range map[string]int{"in memory": 1, "on disk": 0} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				at, values := fourWeeks(step)
				e := observing(t, 12*time.Hour)
				f, err := os.Create(t.TempDir() + "/archive")
				require.NoError(t, err)
				defer f.Close()
				e.PageTo(f, resident)
				a, b := taught(observing(t, 0), step, at, values, len(at)), taught(e, step, at, values, len(at)/4)
				require.Zero(t, a.core.Filed)
				require.Greater(t, float64(b.core.Filed), 0.9*a.core.N, "most was skimmed")
				require.Equal(t, a.core.N, b.core.N)
				a.page()
				b.page()
				require.Equal(t, a.model.Filled, b.model.Filled)
				for i, code := range a.cold.Codes() { // Sums are added up in another order.
					other := b.cold.Codes()[i]
					require.LessOrEqual(t, max(code, other)-min(code, other), uint8(1))
				}
				require.InDelta(t, a.model.Most, b.model.Most, 1e-3)
				require.Equal(t, a.model.Active(), b.model.Active())
				near := func(name string, x, y, share float64) { require.InEpsilon(t, x, y, share, name) }
				near("spread", float64(a.scale.Mean), float64(b.scale.Mean), 0.03)
				near("slow spread", a.core.SlowAbs, b.core.SlowAbs, 0.03)
				near("local spread", a.core.LocalAbs, b.core.LocalAbs, 0.03)
				for k := season.None; k <= season.Weekly; k++ {
					near("error of "+k.String(), float64(a.model.Cand[k].Err), float64(b.model.Cand[k].Err), 0.12)
				}
				for slot := range a.model.Slots() {
					near("spread of a slot", a.spreadAt(slot), b.spreadAt(slot), 0.3)
				}
				for i := range detect.All() {
					name := detect.All()[i].Name
					require.InDelta(t, a.cells.Statistic(i, 0), b.cells.Statistic(i, 0), 0.2, name)
					require.InDelta(t, a.cells.Statistic(i, 4), b.cells.Statistic(i, 4), 0.3, name)
				}
				require.InDelta(t, a.pool.Mean, b.pool.Mean, 0.1)
				require.InEpsilon(t, a.pool.At(a.budget(), &a.rates.Params), b.pool.At(b.budget(), &b.rates.Params), 0.05)
				// What comes then is expected alike, and what is wrong is seen by both.
				next, day := at[len(at)-1], int64(24*time.Hour/step)
				for i := range day {
					v := 100 + 40*math.Sin(2*math.Pi*float64(i)/float64(day))
					x, y := a.Observe(next+(i+1)*step.Milliseconds(), v), b.Observe(next+(i+1)*step.Milliseconds(), v)
					require.InDelta(t, x.Expected, y.Expected, 3)
					require.InDelta(t, x.Upper, y.Upper, 6)
				}
				x, y := a.Observe(next+(day+1)*step.Milliseconds(), 400), b.Observe(next+(day+1)*step.Milliseconds(), 400)
				require.Greater(t, x.Raw, 1.0)
				require.InEpsilon(t, x.Raw, y.Raw, 0.1)
			})
		}
	}
}

func TestFiledDaysAreRememberedAsIfObserved(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute, time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			at, values := fourWeeks(step)
			e := observing(t, 7*24*time.Hour)
			e.cfg.Skim = 0
			a, b := taught(observing(t, 0), step, at, values, len(at)), taught(e, step, at, values, 1000)
			require.Greater(t, a.core.N, 3*b.core.N, "most was filed")
			require.InDelta(t, a.core.N, b.core.N+float64(b.core.Filed), 3)
			a.page()
			b.page()
			require.Equal(t, a.model.Filled, b.model.Filled)
			for i, code := range a.cold.Codes() {
				other := b.cold.Codes()[i]
				require.LessOrEqual(t, max(code, other)-min(code, other), uint8(1))
			}
			require.InDelta(t, a.model.Most, b.model.Most, 1e-3)
			x, _ := a.cells.Records()
			y, _ := b.cells.Records()
			require.InDelta(t, x, y, 15, "the records are those of all days")
		})
	}
}

// bytesOf is all that is saved of a series.
func bytesOf(t *testing.T, s *Series) []byte {
	t.Helper()
	b, err := s.encode(nil)
	require.NoError(t, err)
	return b
}

func TestItDoesNotMatterHowHistoryIsHandedOver(t *testing.T) {
	for _, step := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute} {
		at, v := fourWeeks(step)
		if step < time.Minute {
			at, v = at[:5*8640], v[:5*8640]
		}
		observing := func(t *testing.T, d time.Duration) *Engine {
			e := observing(t, d)
			if step == 5*time.Minute { // Some days are filed.
				e.cfg.Skim = model.Duration(16 * 24 * time.Hour)
			}
			return e
		}
		want := bytesOf(t, taught(observing(t, 12*time.Hour), step, at, v, len(at)))
		for name, atOnce := range map[string]int{"one by one": 1, "seven": 7, "a day": int(24 * time.Hour / step), "a thousand": 1000} {
			t.Run(step.String()+", "+name, func(t *testing.T) {
				require.True(t, bytes.Equal(want, bytesOf(t, taught(observing(t, 12*time.Hour), step, at, v, atOnce))))
			})
		}
	}
}

func TestLearningGoesOnAfterARestart(t *testing.T) {
	const step = time.Minute
	at, v := fourWeeks(step)
	e := observing(t, 12*time.Hour)
	from := e.ObserveFrom(time.UnixMilli(at[len(at)-1]), false)
	whole := taught(e, step, at, v, len(at))
	cut := 0
	for at[cut] < time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC).UnixMilli()-1000 { // The live process reads up to the end of a slot.
		cut++
	}
	before := observing(t, 12*time.Hour)
	before.Add("w", labels.FromStrings("i", "0"), step, SeriesOptions{}).Learn(at[:cut], v[:cut], from, nil)
	var state bytes.Buffer
	require.NoError(t, before.Save(&state))
	after := observing(t, 12*time.Hour)
	require.NoError(t, after.Load(&state))
	s := after.Add("w", labels.FromStrings("i", "0"), step, SeriesOptions{})
	require.Equal(t, at[cut-1], s.Last().Time, "who reads on knows where to begin")
	s.Learn(at[cut:], v[cut:], from, nil)
	require.True(t, bytes.Equal(bytesOf(t, whole), bytesOf(t, s)))
}

func TestASampleThatComesLiveEndsTheTimeOfOldHistory(t *testing.T) {
	at, v := fourWeeks(time.Minute)
	e := observing(t, 12*time.Hour)
	s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, SeriesOptions{})
	from := e.ObserveFrom(time.UnixMilli(at[len(at)-1]), false)
	s.Learn(at[:5000], v[:5000], from, nil)
	n := s.core.N
	require.NotNil(t, s.open(), "a run is not complete")
	require.Equal(t, n, float64(s.core.Filed))
	s.Observe(at[5000], v[5000])
	require.Nil(t, s.open())
	require.Greater(t, s.core.N, n+1, "the run was learned first")
	filed := s.core.Filed
	s.Learn(at[5001:6000], v[5001:6000], from, nil)
	require.Equal(t, filed, s.core.Filed, "what comes after is observed")
}

// How wrong a candidate is, is told by as many samples as when observing: with the last of each slot alone, chance would choose.
func TestSkimmingChoosesTheSeasonThatObservingChooses(t *testing.T) {
	during := func(from, to int) func(int) float64 {
		return func(minute int) float64 {
			if minute >= from && minute < to {
				return 0.5
			}
			return 0
		}
	}
	for name, job := range map[string]func(minute int) float64{
		"bursts without a rhythm":                   during(0, 0),
		"a job of a minute in the middle of a slot": during(23*60+22, 23*60+23),
		"a job at the end of a slot":                during(7*60+17, 7*60+20),
		"a job of an hour":                          during(7*60, 8*60),
		"a wave":                                    func(minute int) float64 { return 0.05 * math.Sin(2*math.Pi*float64(minute)/1440) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 5))
			var at []int64
			var v []float64
			for i := range 14 * 1440 {
				at = append(at, time.Date(2026, 3, 2, 0, i, 0, 0, time.UTC).UnixMilli())
				v = append(v, 0.1+job(i%1440)+0.01*r.NormFloat64())
				if r.IntN(25) == 0 {
					v[i] += 0.1 * r.ExpFloat64()
				}
			}
			a, b := taught(observing(t, 0), time.Minute, at, v, len(at)), taught(observing(t, 12*time.Hour), time.Minute, at, v, len(at))
			require.Equal(t, a.model.Chosen, b.model.Chosen)
			for k := season.None; k <= season.Weekly; k++ {
				require.InEpsilon(t, a.model.Cand[k].Err, b.model.Cand[k].Err, 0.1, k.String())
			}
		})
	}
}
