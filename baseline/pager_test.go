package baseline_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// paged is an engine whose series never stay in memory.
func paged(t testing.TB, disk baseline.Disk) *baseline.Engine {
	t.Helper()
	e := engine(t)
	if disk == nil {
		f, err := os.Create(t.TempDir() + "/archive")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		disk = f
	}
	e.PageTo(disk, 0)
	return e
}

// histories are series that reach every path that needs what lies on disk.
func histories() map[string]func(feed func(t int64, v float64)) {
	steps := func(step, samples int64, value func(i int) float64) func(func(int64, float64)) {
		return func(feed func(int64, float64)) {
			for i := range samples {
				if v := value(int(i)); v == v {
					feed(monday.UnixMilli()+i*step, v)
				}
			}
		}
	}
	return map[string]func(func(int64, float64)){
		"a daily rhythm":  steps(300e3, 12*288, wave),
		"a weekly rhythm": steps(1200e3, 40*72, func(i int) float64 { return wave(4*i) * float64(1+i/72%7) }),
		"hourly samples":  steps(3600e3, 30*24, func(i int) float64 { return wave(12 * i) }),
		"a sample a day":  steps(86400e3, 60, wave),
		"ten seconds":     steps(10e3, 9000, wave),
		"saw-teeth":       steps(300e3, 6*288, func(i int) float64 { return float64(i%50) + noise(i)/10 }),
		"gaps": steps(300e3, 10*288, func(i int) float64 {
			return map[bool]float64{true: math.NaN(), false: wave(i)}[i%288 > 250 || i%1000 < 40]
		}),
		"spikes and a shift":    steps(60e3, 4*1440, func(i int) float64 { return wave(i) + map[bool]float64{true: 500}[i%977 == 0 || i > 5000] }),
		"constant, then random": steps(60e3, 4*1440, func(i int) float64 { return map[bool]float64{true: noise(i), false: 3}[i > 3000] }),
		"a changed interval": func(feed func(int64, float64)) {
			at, r := monday.UnixMilli(), rand.New(rand.NewPCG(1, 2))
			for i := range 3000 {
				at += map[bool]int64{true: 60e3, false: 1800e3}[i < 2000] + r.Int64N(100)
				feed(at, wave(i))
			}
		},
	}
}

func TestScoresAreTheSameWhetherTheArchiveIsInMemoryOrOnDisk(t *testing.T) {
	for name, history := range histories() {
		t.Run(name, func(t *testing.T) {
			mem, disk := engine(t), paged(t, nil)
			ls := labels.FromStrings("i", "0")
			a, b := mem.Add("w", ls, 0, baseline.SeriesOptions{}), disk.Add("w", ls, 0, baseline.SeriesOptions{})
			other := disk.Add("w", labels.FromStrings("i", "1"), 0, baseline.SeriesOptions{}) // Shares the buffers.
			i := 0
			history(func(at int64, v float64) {
				other.Observe(at, v*v+1)
				require.Equal(t, text(a.Observe(at, v)), text(b.Observe(at, v)), "sample %d", i)
				if i++; i%701 == 0 {
					require.Equal(t, text(a.Absent(at+3600e3)), text(b.Absent(at+3600e3)))
					require.Equal(t, a.Forecast(6*time.Hour), b.Forecast(6*time.Hour))
					require.Equal(t, a.Profile(), b.Profile())
					require.Equal(t, a.Explain().Text, b.Explain().Text)
				}
			})
			x, ok := a.TimeToLimit(1000)
			y, okDisk := b.TimeToLimit(1000)
			require.Equal(t, ok, okDisk)
			require.Equal(t, x, y)
			disk.Remove(other)
			var fromMem, fromDisk bytes.Buffer
			require.NoError(t, mem.Save(&fromMem))
			require.NoError(t, disk.Save(&fromDisk))
			require.True(t, bytes.Equal(fromMem.Bytes(), fromDisk.Bytes()), "the saved states differ")
			require.Zero(t, disk.PageFailures())
		})
	}
}

// text makes scores with NaN comparable.
func text(s baseline.Score) string {
	b := strconv.AppendInt(nil, s.Time, 10)
	for _, x := range []float64{s.Value, s.Expected, s.Lower, s.Upper, s.Raw, s.Alarm} {
		b = strconv.AppendFloat(append(b, ' '), x, 'g', -1, 64)
	}
	return string(b) + " " + string(s.Kind) + " " + s.Detector + " " + s.State.String()
}

// badDisk fails from some call on.
type badDisk struct {
	baseline.Disk
	read, write bool
}

var errDisk = errors.New("input/output error")

func (d *badDisk) ReadAt(p []byte, off int64) (int, error) {
	if d.read {
		clear(p)
		return 0, errDisk
	}
	return d.Disk.ReadAt(p, off)
}

func (d *badDisk) WriteAt(p []byte, off int64) (int, error) {
	if d.write {
		return 0, errDisk
	}
	return d.Disk.WriteAt(p, off)
}

func TestABadDiskCostsAtMostTheSeason(t *testing.T) {
	for name, c := range map[string]struct {
		bad  badDisk
		days int // remembered at the end
	}{
		"nothing can be written: the archive stays in memory": {badDisk{write: true}, 5},
		"nothing can be read: the season is learned anew":     {badDisk{read: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(t.TempDir() + "/archive")
			require.NoError(t, err)
			defer f.Close()
			c.bad.Disk = f
			e := paged(t, &c.bad)
			s := e.Add("w", labels.FromStrings("i", "0"), 0, baseline.SeriesOptions{})
			feed(s, monday, 6*288, 5*time.Minute, wave)
			require.Positive(t, e.PageFailures())
			require.Equal(t, c.days, s.Explain().Days)
			require.False(t, math.IsNaN(s.Last().Expected))
		})
	}
}

func TestManySeriesShareTheDiskAtOnce(t *testing.T) {
	e := paged(t, nil)
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() {
			for round := range 3 {
				s := e.Add("w", labels.FromStrings("i", strconv.Itoa(k)), 0, baseline.SeriesOptions{})
				feed(s, monday, 600, 5*time.Minute, func(i int) float64 { return wave(i) + float64(k) })
				if round < 2 {
					e.Remove(s) // Its record is another's now.
				}
			}
		})
	}
	wg.Wait()
	plain := engine(t)
	for k := range 8 {
		feed(plain.Add("w", labels.FromStrings("i", strconv.Itoa(k)), 0, baseline.SeriesOptions{}), monday, 600, 5*time.Minute, func(i int) float64 { return wave(i) + float64(k) })
	}
	var a, b bytes.Buffer
	require.NoError(t, e.Save(&a))
	require.NoError(t, plain.Save(&b))
	require.True(t, bytes.Equal(b.Bytes(), a.Bytes()), "the saved states differ")
}
