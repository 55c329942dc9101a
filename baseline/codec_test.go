package baseline_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	large "github.com/tidemark/tidemark/internal/benchmarks/fleet"
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

// recordsOf are where the records of a saved state begin, the end of the last one included.
func recordsOf(state []byte) (at []int) {
	for i := 10; i < len(state); i += 12 + int(binary.LittleEndian.Uint32(state[i+4:])) {
		at = append(at, i)
	}
	return append(at, len(state))
}

func TestDamagedStateLosesOnlyWhatIsDamaged(t *testing.T) {
	_, state := saved(t, 40, 300)
	at := recordsOf(state)
	require.Len(t, at, 3+1+1, "blocks of 16, 16 and 8 series, and the end")
	part := func(from, to int) []baseline.Part {
		return []baseline.Part{{Offset: int64(from), Length: int64(to - from)}}
	}
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		loaded int
		parts  []baseline.Part
	}{
		"a flipped bit in the second block":  {func(b []byte) []byte { b[at[1]+100] ^= 4; return b }, 24, part(at[1], at[2])},
		"the end cut off":                    {func(b []byte) []byte { return b[:at[3]-7] }, 32, part(at[2], at[3]-7)},
		"a block cut off, as if never there": {func(b []byte) []byte { return b[:at[2]] }, 32, part(at[2], at[2])},
		"rubbish between two blocks": {func(b []byte) []byte {
			return slices.Insert(b, at[1], []byte("rubbish")...)
		}, 40, part(at[1], at[1]+7)},
		"a length of 4 GiB": {func(b []byte) []byte { b[at[1]+7] = 0xff; return b }, 24, part(at[1], at[2])},
		"a block that is no Zstandard frame, its checksum right": {func(b []byte) []byte {
			b[at[1]+20] ^= 4
			binary.LittleEndian.PutUint32(b[at[1]+8:], crc32.Checksum(b[at[1]+12:at[2]], crc32.MakeTable(crc32.Castagnoli)))
			return b
		}, 24, part(at[1], at[2])},
	} {
		t.Run(name, func(t *testing.T) {
			err := engine(t).Load(bytes.NewReader(c.damage(bytes.Clone(state))))
			var skip *baseline.SkippedError
			require.ErrorAs(t, err, &skip)
			require.Equal(t, 1, skip.Skipped)
			require.Equal(t, c.parts, skip.Parts)
			if name[:7] != "a block" || c.parts[0].Length == 0 {
				require.Equal(t, c.loaded, skip.Loaded)
			} else {
				require.GreaterOrEqual(t, skip.Loaded, c.loaded, "what of a block was whole is kept")
			}
		})
	}
	require.ErrorIs(t, engine(t).Load(bytes.NewReader([]byte("something else"))), baseline.ErrStateFormat)
	err := engine(t).Load(bytes.NewReader(append([]byte("tidebase\x08\x00"), state[10:]...)))
	require.ErrorIs(t, err, baseline.ErrStateFormat)
	require.ErrorContains(t, err, "version 8")
}

func TestAFleetTakesLessThanFourKilobytesASeries(t *testing.T) {
	e := engine(t)
	const n = 16
	for i := range n {
		s := e.Add("w", large.Labels(i), 0, baseline.SeriesOptions{})
		feed(s, monday, 28*288, 5*time.Minute, func(k int) float64 { return math.Round(wave(k) + 6*noise(k+i*7919)) })
	}
	var b bytes.Buffer
	require.NoError(t, e.Save(&b))
	require.Less(t, b.Len()/n, 4096)
	again := engine(t)
	require.NoError(t, again.Load(bytes.NewReader(b.Bytes())))
	var same bytes.Buffer
	require.NoError(t, again.Save(&same))
	require.True(t, bytes.Equal(b.Bytes(), same.Bytes()), "what is loaded is what was saved")
}

// unblocked is a saved state with what its block holds as it is, for a fuzzer to change; blocked makes a state of that.
func unblocked(t testing.TB, state []byte) []byte {
	at := recordsOf(state)
	dec, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer dec.Close()
	raw, err := dec.DecodeAll(state[at[0]+13:at[1]], nil)
	require.NoError(t, err)
	return raw
}

func blocked(t testing.TB, raw []byte) []byte {
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	b := append([]byte("tidebase\x0c\x00\xfeSER"), make([]byte, 8)...)
	b = enc.EncodeAll(raw, append(b, 0))
	binary.LittleEndian.PutUint32(b[14:], uint32(len(b)-22))
	binary.LittleEndian.PutUint32(b[18:], crc32.Checksum(b[22:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func FuzzLoad(f *testing.F) {
	_, state := saved(f, 1, 300)
	raw := unblocked(f, state)
	var skip *baseline.SkippedError
	require.ErrorAs(f, engine(f).Load(bytes.NewReader(blocked(f, raw))), &skip)
	require.Equal(f, 1, skip.Loaded, "only the end is missing")
	f.Add(state)
	f.Add(state[:40])
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		e := engine(t)
		_ = e.Load(bytes.NewReader(b))
		_ = e.Load(bytes.NewReader(blocked(t, b)))
		s := e.Add("w", labels.FromStrings("i", "0"), time.Minute, baseline.SeriesOptions{})
		feed(s, monday.Add(48*time.Hour), 20, time.Minute, wave)
		s.Explain()
		s.Forecast(time.Hour)
		s.TimeToLimit(1000)
		s.Profile()
	})
}
