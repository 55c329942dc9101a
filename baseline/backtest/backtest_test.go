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
	"github.com/tidemark/tidemark/baseline/peers"
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

func TestThePageSaysWhyAndShowsThePeers(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	name := "a<b>&.csv"
	require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte(recording(1, 4000)), 0o644))
	sum, err := backtest.Run(context.Background(), backtest.Options{In: in, Out: out, Config: baseline.DefaultConfig(), Workers: 1, Explain: true})
	require.NoError(t, err)
	for _, m := range peers.All() {
		p, err := backtest.RunPeer(context.Background(), in, filepath.Join(out, m.Name), m)
		require.NoError(t, err)
		require.Len(t, p.At[name], p.Alarms)
		sum.Peers = append(sum.Peers, p)
	}
	require.Positive(t, sum.Alarms())
	require.InDelta(t, 0.7, sum.Allowed, 1e-9)
	var text, html strings.Builder
	require.NoError(t, sum.Print(&text))
	require.Regexp(t, `\d+ alarms \([0-9.]+ a week and series, the budget allows 0\.70 false ones\)`, text.String())
	require.Regexp(t, `x its usual .*score`, text.String())
	require.NoError(t, sum.WriteHTML(&html))
	for _, m := range peers.All() {
		require.Regexp(t, m.Name+` +[0-9.]+\n`, text.String())
		require.Contains(t, html.String(), ">"+m.Name+"</text>")
	}
	require.Contains(t, html.String(), "a&lt;b&gt;&amp;.csv")
	require.NotContains(t, html.String(), "a<b>")
	require.Equal(t, sum.Alarms(), strings.Count(html.String(), "<circle "), "every alarm is drawn")
	require.Equal(t, sum.Alarms(), strings.Count(html.String(), "<li>"), "and listed with its reason")
	require.NotContains(t, html.String(), "NaN")
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
