package backtest_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
		"timestamp,value\n1,many\n": `row 2: value "many" is not a number`,
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
