package scoring

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/backtest"
)

// series has a sample every five minutes for eight days, scored from the second on, and two windows
// of an hour.
func series() *Series {
	rows := make([]backtest.Row, 8*288)
	for i := range rows {
		rows[i] = backtest.Row{Time: float64(300 * i), Value: math.Sin(2 * math.Pi * float64(i) / 48)}
	}
	return newSeries("s", rows, 300, 86400, []Window{{300000, 303600}, {500100, 503700}}, []Window{{600000, 609000}}, []string{"dip", "zero"})
}

func TestEpisodes(t *testing.T) {
	for name, c := range map[string]struct {
		at                []int // rows that score 2
		detected, falsely int
	}{
		"nothing":                              {nil, 0, 0},
		"inside a window":                      {[]int{1005}, 1, 0},
		"two steps after a window":             {[]int{1014}, 1, 0},
		"half an hour after a window":          {[]int{1018}, 0, 0},
		"two steps before a window":            {[]int{998}, 0, 0},
		"three steps before a window":          {[]int{997}, 0, 1},
		"two samples apart by three steps":     {[]int{700, 703}, 0, 1},
		"two samples apart by four steps":      {[]int{700, 704}, 0, 2},
		"seven hours on end, counted twice":    {span(700, 784), 0, 2},
		"before the start of scoring":          {[]int{100}, 0, 0},
		"in an ignored stretch":                {[]int{2010}, 0, 0},
		"both windows and an alarm in between": {[]int{1000, 1300, 1670}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := series()
			x := make([]float64, len(s.Rows))
			for _, i := range c.at {
				x[i] = 2
			}
			f := s.scored(x)
			detected, falsely := f.episodes(1, nil)
			require.Equal(t, []int{c.detected, c.falsely}, []int{detected, falsely})
		})
	}
}

func span(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

func TestJudge(t *testing.T) {
	s := series()
	require.InDelta(t, (7*86400.0-300-2*3900-9300)/604800, s.Weeks, 1e-3, "less the windows and what is ignored")
	perfect, inverse := make([]float64, len(s.Rows)), make([]float64, len(s.Rows))
	for i, r := range s.Rows {
		perfect[i], inverse[i] = 0.5, 2
		if within(s.windows, r.Time) {
			perfect[i], inverse[i] = 2, 0.5
		}
	}
	for name, set := range map[string]Set{"nab": {Name: "nab", Series: []*Series{s}}, "other": {Name: "other", Series: []*Series{s}}} {
		r := set.Judge(Scores{perfect})
		require.Equal(t, []float64{1, 0, 1, 1, 1, 1}, []float64{r.Recall, r.FalseRate, r.Precision, r.F1, r.R1, r.R02})
		require.Equal(t, map[string]float64{"dip": 1, "zero": 1}, r.Kinds)
		require.Greater(t, r.VUS, 0.6)
		if name == "nab" {
			require.InDelta(t, 100, r.NAB, 2, "the first row of each window is flagged, no other")
		}
		w := set.Judge(Scores{inverse})
		require.Less(t, w.VUS, 0.2)
		require.Zero(t, w.R1)
	}
	nothing := (&Set{Name: "nab", Series: []*Series{s}}).Judge(Scores{make([]float64, len(s.Rows))})
	require.Zero(t, nothing.NAB)
	require.Zero(t, nothing.Recall)
}

func TestPeriodIsThatOfTheValues(t *testing.T) {
	require.Equal(t, 48, series().period())
	require.Equal(t, 125, period(make([]float64, 1000)), "a constant has none")
}

func TestWrittenIsWhatABacktestWrites(t *testing.T) {
	require.Equal(t, 0.0, Written(math.NaN()))
	require.Equal(t, 0.1234568, Written(0.12345678))
	require.Equal(t, 1e300, Written(math.Inf(1)))
}

func TestLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for name, text := range map[string]string{
		"labels.json": `{"a": [[600, 900]]}`,
		"meta.json":   `{"a": {"eval_from": 300, "step": 300}}`,
		"a.csv":       "timestamp,value\n0,1\n300,2\n600,3\n900,4\n1200,5\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	sets, err := Load(filepath.Dir(dir), "set")
	require.NoError(t, err)
	s := sets[0].Series[0]
	require.Len(t, s.Rows, 5)
	require.Equal(t, []bool{false, true, true, false}, s.label)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "meta.json"), []byte("{"), 0o600))
	_, err = Load(filepath.Dir(dir), "set")
	require.ErrorContains(t, err, "set: read meta.json")
}
