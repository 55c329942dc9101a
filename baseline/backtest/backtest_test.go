package backtest_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
)

func recording(seed, rows int) string {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range rows {
		v := 100 + 30*math.Sin(2*math.Pi*float64(i)/288) + 3*math.Sin(float64(i*i%(89+seed)))
		if i%1500 == 1200 {
			v *= 4
		}
		b.WriteString(strconv.Itoa(1700000000+300*i) + "," + strconv.FormatFloat(v, 'g', 8, 64) + "\n")
	}
	return b.String()
}

func run(t *testing.T, workers int, files map[string]string) map[string]string {
	t.Helper()
	in, out := t.TempDir(), t.TempDir()
	for name, text := range files {
		path := filepath.Join(in, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	sum, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: out, Config: baseline.DefaultConfig(), Workers: workers})
	require.NoError(t, err)
	require.Len(t, sum.Series, len(files))
	got := map[string]string{}
	for name := range files {
		text, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		got[name] = string(text)
	}
	var page strings.Builder
	require.NoError(t, sum.Print(&page))
	require.Contains(t, page.String(), "alarms (")
	require.NoError(t, sum.WriteHTML(&page))
	return got
}

func TestResultsDoNotDependOnTheNumberOfWorkers(t *testing.T) {
	files := map[string]string{"a/one.csv": recording(1, 3000), "a/two.csv": recording(2, 3000), "b/three.csv": recording(3, 2000)}
	require.Equal(t, run(t, 1, files), run(t, 2, files))
}

func TestARowDependsOnEarlierRowsAlone(t *testing.T) {
	whole := run(t, 1, map[string]string{"x.csv": recording(1, 4000)})["x.csv"]
	part := run(t, 1, map[string]string{"x.csv": recording(1, 2500)})["x.csv"]
	require.Equal(t, part, whole[:len(part)])
	require.True(t, strings.HasPrefix(whole, backtest.Header))
	require.Equal(t, 4001, strings.Count(whole, "\n"))
}

func TestBadFilesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"time,value\n1,2\n":         "the header must name timestamp and value, found time, value",
		"timestamp,value\nnoon,2\n": `row 2: timestamp "noon" is not in unix seconds`,
		"timestamp,value\n1,many\n": `row 2: value "many" is neither a number nor gap`,
		"":                          "read header: EOF",
	} {
		_, err := backtest.Read(strings.NewReader(text))
		require.EqualError(t, err, want)
	}
	rows, err := backtest.Read(strings.NewReader("timestamp,value\n1,\n2,NaN\n3,1e999\n"))
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.True(t, math.IsNaN(rows[0].Value))
}

func FuzzRead(f *testing.F) {
	f.Add("timestamp,value\n1,2\n")
	f.Add("timestamp,value\n1,\n\"x")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := backtest.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
		require.NoError(t, err)
		backtest.Score(e, "x", rows, func(_ backtest.Row, s baseline.Score) {
			require.False(t, math.IsNaN(s.Raw) || math.IsNaN(s.Alarm))
		})
	})
}

func TestFilesOfAFolderAreSiblings(t *testing.T) {
	const n = 5 * 288
	files := map[string]string{}
	for k := range 6 {
		var b strings.Builder
		b.WriteString("timestamp,value\n")
		for i := range n {
			v := 100 + 60*math.Sin(float64(i)/37) + 40*math.Sin(float64(i)/11) + float64(5*k) + 0.3*math.Sin(float64((i*7919+k*13)%97))
			if k == 2 && i >= n-40 {
				v = 100
			}
			b.WriteString(strconv.Itoa(1700000000+300*i) + "," + strconv.FormatFloat(v, 'g', 8, 64) + "\n")
		}
		files["job/"+strconv.Itoa(k)+".csv"] = b.String()
	}
	files["other/0.csv"] = files["job/2.csv"]
	outlier := func(siblings bool) (n int) {
		in := t.TempDir()
		for name, text := range files {
			path := filepath.Join(in, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		sum, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: t.TempDir(), Config: baseline.DefaultConfig(), Workers: 2, Siblings: siblings})
		require.NoError(t, err)
		require.Len(t, sum.Series, len(files))
		for _, s := range sum.Series {
			require.NotEmpty(t, s.File)
			for _, e := range s.Episodes {
				if e.Detector == "peer_outlier" {
					require.Equal(t, filepath.Join("job", "2.csv"), s.File)
					n++
				}
			}
		}
		return n
	}
	require.Zero(t, outlier(false))
	require.Positive(t, outlier(true))
}

func TestRowsOfSiblingsMustBeInOrder(t *testing.T) {
	in := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(in, "a.csv"), []byte("timestamp,value\n60,1\n60,2\n"), 0o644))
	_, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: t.TempDir(), Config: baseline.DefaultConfig(), Siblings: true})
	require.EqualError(t, err, "backtest a.csv: row 3 is not later than the one before; siblings need rows in order of time")
}

func TestRowsAfterAHoleAreNotScored(t *testing.T) {
	const gap, n = 1500, 1520
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range n {
		at, v := 60*i, strconv.Itoa(100+i%7)
		if i >= gap {
			at += 3600
		}
		switch {
		case i >= gap && i < gap+5:
			v = strconv.Itoa(20 * (i - gap)) // What rate makes of it.
		case i == gap+15:
			v = "gap"
		}
		b.WriteString(strconv.Itoa(1700000000+at) + "," + v + "\n")
	}
	for window, want := range map[time.Duration]bool{0: true, 5 * time.Minute: false} {
		in, out := t.TempDir(), t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(in, "x.csv"), []byte(b.String()), 0o644))
		sum, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: out, Config: baseline.DefaultConfig(), Window: window})
		require.NoError(t, err)
		require.Equal(t, want, sum.Series[0].Alarms > 0)
		text, err := os.ReadFile(filepath.Join(out, "x.csv"))
		require.NoError(t, err)
		require.Contains(t, string(text), ",gap,0,,,,0\n")
	}
}

func TestHistoryIsLearnedAsALiveProcessLearnsIt(t *testing.T) {
	const day, days = 1440, 10
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	at, v := make([]int64, days*day), make([]float64, days*day)
	for i := range at {
		at[i], v[i] = begin.Add(time.Duration(i)*time.Minute).UnixMilli(), 100+50*math.Sin(2*math.Pi*float64(i)/day)+float64(i*7919%13)
		b.WriteString(strconv.FormatInt(at[i]/1000, 10) + "," + strconv.FormatFloat(v[i], 'g', -1, 64) + "\n")
	}
	for _, siblings := range []bool{false, true} {
		in, out := t.TempDir(), t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(in, "x.csv"), []byte(b.String()), 0o644))
		_, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: out, Config: baseline.DefaultConfig(), History: 9 * 24 * time.Hour, Siblings: siblings})
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(out, "x.csv"))
		require.NoError(t, err)
		rows := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
		require.Len(t, rows, len(at))

		e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
		require.NoError(t, err)
		s := e.Add("w", labels.FromStrings("i", "0"), 0, baseline.SeriesOptions{})
		from := e.ObserveFrom(begin.Add(9*24*time.Hour), siblings)
		old := int(time.UnixMilli(from).Sub(begin) / time.Minute)
		require.Equal(t, map[bool]int{false: 9*day - day/2, true: 2 * day}[siblings], old)
		s.Learn(at[:old], v[:old], from, nil)
		for i, row := range rows {
			r := backtest.Row{Time: float64(at[i]) / 1000, Value: v[i]}
			if i < old {
				require.True(t, strings.HasSuffix(row, ",0,,,,0"), row)
				continue
			}
			require.Equal(t, strings.TrimSpace(string(backtest.Append(nil, r, s.Observe(at[i], v[i])))), row)
		}
	}
}
