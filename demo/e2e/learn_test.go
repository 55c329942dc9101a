package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// past is a few series with the rhythm of day and week: two gauges and a counter that is reset. In
// its last hour there is a spike, a shift and, when asked for, a gap.
type past struct {
	end    time.Time
	gap    bool
	random *rand.Rand
	total  float64
}

// Series implements history.Source.
func (*past) Series() []map[string]string {
	return []map[string]string{
		{"__name__": "test_load", "job": "past", "instance": "a:1"},
		{"__name__": "test_queue", "job": "past", "instance": "a:1"},
		{"__name__": "test_requests_total", "job": "past", "instance": "a:1"},
	}
}

// Step implements history.Source.
func (p *past) Step(t time.Time, dt time.Duration) []float64 {
	day := math.Sin(2 * math.Pi * float64(t.Unix()%86400) / 86400)
	load, queue := 50+20*day+p.random.NormFloat64(), 5+day+0.3*p.random.NormFloat64()
	if t.Weekday() == time.Sunday {
		load -= 15
	}
	p.total += dt.Seconds() * max(load, 0)
	left := p.end.Sub(t)
	switch {
	case left < 20*time.Minute && left > 15*time.Minute:
		queue *= 4
	case p.gap && left < 40*time.Minute && left > 30*time.Minute:
		load = math.NaN()
	case left < 10*time.Minute:
		load += 40
	}
	if left.Truncate(dt) == 25*time.Minute {
		p.total = 0
	}
	return []float64{load, queue, p.total}
}

const (
	pastStep   = time.Minute
	pastLength = 7 * 24 * time.Hour
)

// gauges and counters are the watches over the past.
func gauges() map[string]string {
	return map[string]string{"load": `test_load`, "queue": `test_queue`, "ratio": `test_queue / test_load`}
}

func counters() map[string]string {
	all := gauges()
	all["requests"] = `sum(rate(test_requests_total[5m]))`
	all["increase"] = `increase(test_requests_total[10m])`
	return all
}

// writePast puts the past into Prometheus' storage and returns where it ends.
func writePast(t *testing.T, b *stack.Bare, gap bool) time.Time {
	t.Helper()
	end := time.Now().Truncate(pastStep)
	src := &past{end: end, gap: gap, random: rand.New(rand.NewPCG(3, 4))}
	_, err := history.Write(t.Context(), b.Prometheus.DataDir(), src, history.Options{
		From: end.Add(-pastLength), To: end, Step: pastStep, Block: pastLength,
	})
	require.NoError(t, err)
	return end
}

// watchPast lets Tidemark learn all of the past.
func watchPast(exprs map[string]string) func(map[string]any) {
	return func(c map[string]any) {
		delete(c, "alertmanagers")
		watchOnly(c, pastStep, exprs)
		c["baseline"] = map[string]any{"history": "8d"}
	}
}

// windows are how far the values of a watch look back, as tidetool backtest is told.
var windows = map[string]string{"requests": "5m", "increase": "10m"}

// sameAsBacktest checks that every point a live Tidemark kept is the row that tidetool backtest
// writes for the same data. A baseline is made of every sample before, so one that was skipped, or
// taken twice, would show.
func sameAsBacktest(t *testing.T, b *stack.Bare, exprs map[string]string, end time.Time) {
	t.Helper()
	anomalous, torn := 0, 0
	for name, expr := range exprs {
		in, out := t.TempDir(), t.TempDir()
		live, err := b.Tidemark.ScoredPoints(t.Context(), name)
		require.NoError(t, err)
		// A step whose window reaches over a hole in the scrapes has a row, but was not scored.
		unscored := map[int64]bool{}
		for _, p := range live {
			unscored[p.Time().Unix()] = p.Value == nil
		}
		rows, err := b.Prometheus.QueryRange(t.Context(), expr, end.Add(-pastLength), end, pastStep)
		require.NoError(t, err)
		require.Greater(t, len(rows), int(pastLength/pastStep)*9/10, expr)
		text := bytes.NewBufferString("timestamp,value\n")
		for _, r := range rows {
			v := strconv.FormatFloat(r.Value, 'g', -1, 64)
			if unscored[r.At.Unix()] {
				v = "gap"
				torn++
			}
			fmt.Fprintf(text, "%d,%s\n", r.At.Unix(), v)
		}
		require.NoError(t, os.WriteFile(filepath.Join(in, name+".csv"), text.Bytes(), 0o600))
		// What was history to the live run is history here: skimmed, but for its end, that begins with a full hour. An hour may have
		// ended between the writing of the past and its learning.
		var want map[int64][]string
		for _, until := range []time.Time{end, end.Add(time.Hour)} {
			_, err = stack.RunTool(t.Context(), filepath.Join(bin, "tidetool"), "backtest", "--in", in, "--out", out,
				"--window", cmp.Or(windows[name], "0s"), "--history", fmt.Sprintf("%dm", int(until.Sub(rows[0].At).Minutes())))
			require.NoError(t, err)
			want = rowsOf(t, filepath.Join(out, name+".csv"))
			if slices.ContainsFunc(live, func(p stack.ScoredPoint) bool {
				row, ok := want[p.Time().Unix()]
				return ok && p.Expected != nil && row[3] == short(p.Expected)
			}) {
				break
			}
		}
		compared := 0
		for _, p := range live {
			if p.Time().After(end.Add(-pastStep)) {
				continue
			}
			row, ok := want[p.Time().Unix()]
			if p.Value == nil { // A step without a sample, which a file can't have, or with one that was not scored.
				require.True(t, !ok || row[1] == "gap", "%s at %s", name, p.Time())
				continue
			}
			require.True(t, ok, "%s at %s has no row", name, p.Time())
			require.Equal(t, strconv.FormatFloat(*p.Value, 'g', -1, 64), row[1], "value of %s at %s", name, p.Time())
			require.Equal(t, []string{short(p.Expected), short(p.Lower), short(p.Upper)}, row[3:6], "band of %s at %s", name, p.Time())
			require.Equal(t, short(p.Score), row[6], "raw score of %s at %s", name, p.Time())
			compared++
			if p.Score != nil && *p.Score > 1 {
				anomalous++
			}
		}
		require.Greater(t, compared, 150, "points of %s", name)
	}
	t.Logf("%d anomalous rows, %d not scored after a gap", anomalous, torn)
	require.Positive(t, anomalous, "no row is anomalous: the comparison would miss half of what is scored")
}

// rowsOf reads a result of tidetool backtest, by time.
func rowsOf(t *testing.T, file string) map[int64][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"timestamp", "value", "score", "expected", "lower", "upper", "raw"}, lines[0])
	rows := map[int64][]string{}
	for _, l := range lines[1:] {
		at, err := strconv.ParseInt(l[0], 10, 64)
		require.NoError(t, err)
		rows[at] = l
	}
	return rows
}

// short writes a number as tidetool backtest does; nothing when there is none.
func short(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 7, 64)
}

func TestBacktestScoresWhatTheLiveRunScoredRowForRow(t *testing.T) {
	t.Parallel()
	b := newBare(t, stack.BareOptions{EditTidemark: watchPast(counters())})
	end := writePast(t, b, true)
	start(t, b.Prometheus, b.Tidemark)
	sameAsBacktest(t, b, counters(), end)
}

// breaking is a proxy before Prometheus that kills it in the middle of a remote read's answer.
type breaking struct {
	prometheus *stack.Prometheus
	proxy      *httputil.ReverseProxy

	mu     sync.Mutex
	large  int // Pieces of answers that hold samples.
	failed int // Calls that found Prometheus gone.
}

// fatal is the large piece of an answer that Prometheus dies of: some watches are learned then, one
// is under way.
const fatal, largeBytes = 3, 4096

func (br *breaking) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(br)
	t.Cleanup(server.Close)
	return server.URL
}

// guard stands before p.
func (br *breaking) guard(t *testing.T, p *stack.Prometheus) {
	t.Helper()
	target, err := url.Parse(p.URL)
	require.NoError(t, err)
	br.prometheus = p
	br.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			br.mu.Lock()
			br.failed++
			br.mu.Unlock()
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}

func (br *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/api/v1/read") {
		w = &answer{ResponseWriter: w, br: br}
	}
	br.proxy.ServeHTTP(w, r)
}

func (br *breaking) gone() bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	return br.failed > 0
}

// answer passes on what Prometheus writes, half of the fatal piece included.
type answer struct {
	http.ResponseWriter
	br *breaking
}

func (a *answer) Write(p []byte) (int, error) {
	a.br.mu.Lock()
	if len(p) >= largeBytes {
		a.br.large++
	}
	die := len(p) >= largeBytes && a.br.large == fatal
	a.br.mu.Unlock()
	if !die {
		return a.ResponseWriter.Write(p)
	}
	_, _ = a.ResponseWriter.Write(p[:len(p)/2])
	_ = http.NewResponseController(a.ResponseWriter).Flush()
	_ = a.br.prometheus.Kill()
	panic(http.ErrAbortHandler)
}

func TestPrometheusKilledInTheMiddleOfARead(t *testing.T) {
	t.Parallel()
	br := &breaking{}
	address := br.serve(t)
	b := newBare(t, stack.BareOptions{EditTidemark: func(c map[string]any) {
		watchPast(counters())(c)
		c["prometheus"].(map[string]any)["url"] = address
	}})
	br.guard(t, b.Prometheus)
	end := writePast(t, b, true)
	start(t, b.Prometheus)
	require.NoError(t, b.Tidemark.Start())
	eventually(t, soon, "Tidemark finds Prometheus gone", func(context.Context) (bool, error) { return br.gone(), nil })
	st, err := b.Tidemark.Status(t.Context())
	require.NoError(t, err)
	require.False(t, st.Ready, "Prometheus goes while Tidemark learns")

	start(t, b.Prometheus)
	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	require.NoError(t, b.Tidemark.WaitReady(ctx))
	sameAsBacktest(t, b, counters(), end)
}

func TestLearnsTheSameFromAnOldPrometheus(t *testing.T) {
	t.Parallel()
	path := oldPrometheus(t)
	b := newBare(t, stack.BareOptions{
		Prometheus:   path,
		EditTidemark: watchPast(counters()),
		// Before 2.51 alerts could not be relabelled for each Alertmanager.
		EditPrometheus: func(c map[string]any) { delete(c, "alerting") },
	})
	end := writePast(t, b, false)
	start(t, b.Prometheus, b.Tidemark)
	// Before 3.0 a range included its left end: what the server itself makes of a counter, or of a gap,
	// is not what is computed here.
	sameAsBacktest(t, b, gauges(), end)
}
