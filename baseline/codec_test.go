package baseline_test

import (
	"bytes"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

func engine(t testing.TB) *baseline.Engine {
	t.Helper()
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	return e
}

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func wave(i int) float64 {
	return 100 + 50*math.Sin(2*math.Pi*float64(i)/288) + 4*noise(i)
}

func saved(t testing.TB, n, samples int) (*baseline.Engine, []byte) {
	e := engine(t)
	for k := range n {
		s := e.Add("w", labels.FromStrings("i", strconv.Itoa(k)), 5*time.Minute, baseline.SeriesOptions{})
		feed(s, monday, samples, 5*time.Minute, wave)
	}
	var b bytes.Buffer
	require.NoError(t, e.Save(&b))
	return e, b.Bytes()
}

func TestStateGoesOnWhereItStopped(t *testing.T) {
	a, state := saved(t, 2, 4*288)
	b := engine(t)
	require.NoError(t, b.Load(bytes.NewReader(state)))
	ls := labels.FromStrings("i", "1")
	x, y := a.Add("w", ls, 0, baseline.SeriesOptions{}), b.Add("w", ls, 0, baseline.SeriesOptions{})
	for i := 4 * 288; i < 6*288; i++ {
		at := monday.Add(time.Duration(i) * 5 * time.Minute).UnixMilli()
		v := wave(i)
		if i%100 == 0 {
			v *= 2
		}
		require.Equal(t, x.Observe(at, v), y.Observe(at, v), "sample %d", i)
	}
	require.Equal(t, x.Forecast(time.Hour), y.Forecast(time.Hour))
}

func TestDamagedStateLosesOnlyWhatIsDamaged(t *testing.T) {
	_, state := saved(t, 3, 300)
	const head, end = 10, 13 // the end is a record of one byte
	record := (len(state) - head - end) / 3
	require.Len(t, state, head+3*record+end)
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		loaded int
		parts  []baseline.Part
	}{
		"a flipped bit in the second series":  {func(b []byte) []byte { b[head+record+100] ^= 4; return b }, 2, []baseline.Part{{Offset: int64(head + record), Length: int64(record)}}},
		"the end cut off":                     {func(b []byte) []byte { return b[:len(b)-end-7] }, 2, []baseline.Part{{Offset: int64(head + 2*record), Length: int64(record - 7)}}},
		"a series cut off, as if never there": {func(b []byte) []byte { return b[:head+2*record] }, 2, []baseline.Part{{Offset: int64(head + 2*record)}}},
		"rubbish between two series": {func(b []byte) []byte {
			return append(append(append([]byte(nil), b[:head+record]...), "rubbish"...), b[head+record:]...)
		}, 3, []baseline.Part{{Offset: int64(head + record), Length: 7}}},
		"a length of 4 GiB": {func(b []byte) []byte { b[head+record+7] = 0xff; return b }, 2, []baseline.Part{{Offset: int64(head + record), Length: int64(record)}}},
	} {
		t.Run(name, func(t *testing.T) {
			err := engine(t).Load(bytes.NewReader(c.damage(bytes.Clone(state))))
			var skip *baseline.SkippedError
			require.ErrorAs(t, err, &skip)
			require.Equal(t, c.loaded, skip.Loaded)
			require.Equal(t, 1, skip.Skipped)
			require.Equal(t, c.parts, skip.Parts)
		})
	}
	require.ErrorIs(t, engine(t).Load(bytes.NewReader([]byte("something else"))), baseline.ErrStateFormat)
}

func FuzzLoad(f *testing.F) {
	_, state := saved(f, 1, 300)
	f.Add(state)
	f.Add(state[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		e := engine(t)
		_ = e.Load(bytes.NewReader(b))
		s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
		feed(s, monday.Add(48*time.Hour), 20, time.Minute, wave)
		s.Explain()
		s.Forecast(time.Hour)
		s.TimeToLimit(1000)
		s.Profile()
	})
}
