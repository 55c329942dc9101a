package promread_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

// memory is a storage over the series of a test server, with samples as they are: what the
// engine makes of it is the reference.
type memory struct{ srv *server }

func (m memory) Querier(int64, int64) (storage.Querier, error) { return memoryQuerier(m), nil }

type memoryQuerier struct{ srv *server }

func (memoryQuerier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (memoryQuerier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}
func (memoryQuerier) Close() error { return nil }

func (q memoryQuerier) Select(_ context.Context, _ bool, _ *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	var out memorySet
next:
	for _, ts := range q.srv.series {
		for _, m := range ms {
			if !m.Matches(ts.lset.Get(m.Name)) {
				continue next
			}
		}
		ck := chunkenc.NewXORChunk() // One chunk takes 65,535 samples.
		app, err := ck.Appender()
		if err != nil {
			return storage.ErrSeriesSet(err)
		}
		for _, s := range ts.samples {
			app.Append(0, s.t, s.v)
		}
		out.series = append(out.series, &storage.SeriesEntry{Lset: ts.lset, SampleIteratorFn: ck.Iterator})
	}
	return &out
}

type memorySet struct {
	series []storage.Series
	at     int
}

func (s *memorySet) Next() bool                        { s.at++; return s.at <= len(s.series) }
func (s *memorySet) At() storage.Series                { return s.series[s.at-1] }
func (s *memorySet) Err() error                        { return nil }
func (s *memorySet) Warnings() annotations.Annotations { return nil }

// result is labels → time → bits of the value.
type result map[string]map[int64]uint64

func (r result) add(ls string, t int64, v float64) {
	if r[ls] == nil {
		r[ls] = map[int64]uint64{}
	}
	r[ls][t] = math.Float64bits(v)
}

// reference evaluates by Prometheus' engine in one go.
func reference(t *testing.T, srv *server, expr string, from, to time.Time, step time.Duration) result {
	t.Helper()
	eng := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e9, Timeout: time.Minute, EnableNegativeOffset: true, Parser: parser.NewParser(parser.Options{}),
		NoStepSubqueryIntervalFn: func(int64) int64 { return 60_000 },
	})
	q, err := eng.NewRangeQuery(t.Context(), memory{srv}, nil, expr, from, to, step)
	require.NoError(t, err)
	defer q.Close()
	res := q.Exec(t.Context())
	require.NoError(t, res.Err)
	m, err := res.Matrix()
	require.NoError(t, err)
	out := result{}
	for _, s := range m {
		for _, p := range s.Floats {
			out.add(s.Metric.String(), p.T, p.F)
		}
	}
	return out
}

func evaluate(t *testing.T, c *promread.Client, expr string, from, to time.Time, step time.Duration) result {
	t.Helper()
	out := result{}
	last := map[string]int64{}
	require.NoError(t, c.Range(t.Context(), expr, from, to, step, func(ls labels.Labels, ts []int64, vs []float64) error {
		require.Len(t, vs, len(ts))
		for i := range ts {
			key := ls.String()
			if before, ok := last[key]; ok {
				require.Greater(t, ts[i], before, "steps of a series come in order, each once")
			}
			last[key] = ts[i]
			out.add(key, ts[i], vs[i])
		}
		return nil
	}))
	return out
}

// history makes counters and gauges with everything that happens to real ones: jitter, gaps,
// resets, stale markers, NaN, late starts and early ends.
func history(seed uint64, n int) []testSeries {
	r := rand.New(rand.NewPCG(seed, 7))
	var out []testSeries
	for i := range 6 {
		counter := testSeries{lset: labels.FromStrings("__name__", "requests_total", "job", "api", "pod", fmt.Sprint(i))}
		gauge := testSeries{lset: labels.FromStrings("__name__", "temperature", "job", "api", "pod", fmt.Sprint(i))}
		total, at := 0.0, int64(r.IntN(3_600_000))
		for range n {
			at += 15_000
			if i%2 == 1 {
				at += int64(r.IntN(2000)) - 1000
			}
			switch p := r.IntN(200); p {
			case 0:
				total = float64(r.IntN(5)) // A reset.
			case 1:
				at += int64(r.IntN(30)) * 60_000 // A gap.
			case 2:
				counter.samples = append(counter.samples, sample{at, math.Float64frombits(value.StaleNaN)})
				gauge.samples = append(gauge.samples, sample{at, math.Float64frombits(value.StaleNaN)})
				continue
			case 3:
				counter.samples = append(counter.samples, sample{at, math.NaN()})
				gauge.samples = append(gauge.samples, sample{at, math.Inf(1)})
				continue
			}
			total += float64(r.IntN(100))
			counter.samples = append(counter.samples, sample{at, total})
			gauge.samples = append(gauge.samples, sample{at, 20 + r.NormFloat64()})
		}
		out = append(out, counter, gauge)
	}
	return out
}

// expressions that must give what Prometheus gives; the first ones are computed from samples as
// they stream by, the rest by the engine.
var expressions = []string{
	`temperature`, `temperature{pod=~"[0-3]"}`, `temperature offset 7m`, `temperature offset -3m`, `(requests_total)`, `{job="api"}`,
	`rate(requests_total[5m])`, `rate(requests_total[1m] offset 10m)`, `rate(requests_total[20s])`, `rate(requests_total[2h])`,
	`increase(requests_total[5m])`, `irate(requests_total[5m])`, `irate(requests_total[40s])`, `rate(temperature[5m])`,
	`sum(rate(requests_total[5m]))`, `sum by (pod) (rate(requests_total[5m])) / on (pod) temperature`,
	`avg_over_time(temperature[10m])`, `max_over_time(rate(requests_total[2m])[30m:1m])`, `quantile(0.9, temperature)`,
	`temperature > 20`, `vector(1)`, `time()`, `rate({job="api",pod="1",__name__=~"requests.*"}[5m])`, `sum(temperature offset 1h) or vector(0)`,
}

func TestRangeGivesWhatPrometheusGives(t *testing.T) {
	for seed := range uint64(2) {
		srv := &server{series: history(seed, 1200), chunksPerFrame: 2}
		for _, expr := range expressions {
			for _, step := range []time.Duration{time.Minute, 17 * time.Second} {
				t.Run(fmt.Sprintf("%s every %s of history %d", expr, step, seed), func(t *testing.T) {
					from, to := time.UnixMilli(0), time.UnixMilli(9*3_600_000)
					want := reference(t, srv, expr, from, to, step)
					require.NotEmpty(t, want)
					for name, change := range map[string]func(*promread.Config){
						"in one slice":   func(*promread.Config) {},
						"in many slices": func(c *promread.Config) { c.ReadSlice = model.Duration(97 * time.Minute) },
					} {
						c, _ := client(t, srv, change)
						got := evaluate(t, c, expr, from, to, step)
						require.Equal(t, want, got, name)
					}
				})
			}
		}
	}
}

func TestHistoryAndLiveSamplesAreTheSame(t *testing.T) {
	srv := &server{series: history(11, 400)}
	c, _ := client(t, srv)
	for _, expr := range []string{`rate(requests_total[5m])`, `temperature`, `sum(rate(requests_total[5m]))`} {
		from, to := time.UnixMilli(1_800_000), time.UnixMilli(5_400_000)
		want := evaluate(t, c, expr, from, to, time.Minute)
		got := result{}
		// A live process wakes at odd times, and asks for what came since.
		for now := from; !now.After(to); now = now.Add(61_300 * time.Millisecond) {
			for ls, points := range evaluate(t, c, expr, now.Add(-61_299*time.Millisecond), now, time.Minute) {
				for at, bits := range points {
					if at >= from.UnixMilli() {
						got.add(ls, at, math.Float64frombits(bits))
					}
				}
			}
		}
		last := to.Add(-time.Minute).UnixMilli()
		for _, r := range []result{want, got} {
			for _, points := range r {
				for at := range points {
					if at > last {
						delete(points, at)
					}
				}
			}
		}
		require.Equal(t, want, got, expr)
	}
}

func TestRangeHalvesWhatDoesNotFitInMemory(t *testing.T) {
	srv := &server{series: history(5, 3000)}
	c, _ := client(t, srv, func(cfg *promread.Config) { cfg.MaxQuerySamples = 10_000 })
	from, to := time.UnixMilli(0), time.UnixMilli(15*3_600_000)
	want := reference(t, srv, `sum(rate(requests_total[5m]))`, from, to, time.Minute)
	require.Equal(t, want, evaluate(t, c, `sum(rate(requests_total[5m]))`, from, to, time.Minute))
	require.Greater(t, len(srv.queries), 2)

	err := c.Range(t.Context(), `sum(rate(requests_total[12h]))`, to, to, time.Minute, func(labels.Labels, []int64, []float64) error { return nil })
	require.Equal(t, promread.TooLarge, promread.ReasonOf(err))
	require.ErrorContains(t, err, "the selectors of the expression match more than 10000 samples; narrow the expression, or raise prometheus.max_query_samples")
}

func TestRangeRefusesWhatCannotBeWatched(t *testing.T) {
	c, _ := client(t, &server{})
	for _, tc := range []struct{ name, expr, want string }{
		{"a range vector", `up[5m]`, `evaluate "up[5m]": "up[5m]" yields a range vector: a watch needs an instant vector or a scalar, for example rate(...) of a range`},
		{"a string", `"x"`, `evaluate "\"x\"": "\"x\"" yields a string: a watch needs an instant vector or a scalar, for example rate(...) of a range`},
		{"the @ modifier", `up @ 5`, `evaluate "up @ 5": the @ modifier ties a value to another moment: a watch can't use it`},
		{"half an expression", `sum(rate(up[5m])`, `evaluate "sum(rate(up[5m])": 1:17: parse error: unclosed left parenthesis`},
		{"a wrong function", `rat(up[5m])`, `evaluate "rat(up[5m])": 1:1: parse error: unknown function with name "rat"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.EqualError(t, c.Range(t.Context(), tc.expr, time.UnixMilli(0), time.UnixMilli(1), time.Second, nil), tc.want)
		})
	}
}

func TestRangeReturnsTheErrorOfItsFunction(t *testing.T) {
	srv := &server{series: history(5, 300)}
	c, _ := client(t, srv)
	mine := &promread.Error{Reason: promread.TooLarge, Op: "mine", Msg: "full"}
	for _, expr := range []string{`temperature`, `sum(temperature)`} {
		err := c.Range(t.Context(), expr, time.UnixMilli(0), time.UnixMilli(4_000_000), time.Minute, func(labels.Labels, []int64, []float64) error { return mine })
		require.Same(t, mine, err)
	}
}

func TestRangeAsksOnlyForWhatAStepNeeds(t *testing.T) {
	srv := &server{series: history(5, 300)}
	c, _ := client(t, srv)
	at := time.UnixMilli(7_260_000)
	for _, tc := range []struct {
		expr     string
		from, to int64
	}{
		{`temperature`, 7_260_000 - 300_000 + 1, 7_260_000},
		{`rate(requests_total[2m])`, 7_260_000 - 120_000 + 1, 7_260_000},
		{`rate(requests_total[2m] offset 1m)`, 7_260_000 - 180_000 + 1, 7_200_000},
		{`sum(rate(requests_total[2m]))`, 7_260_000 - 120_000 + 1, 7_260_000},
	} {
		srv.queries = nil
		evaluate(t, c, tc.expr, at.Add(-30*time.Second), at.Add(30*time.Second), time.Minute)
		require.Len(t, srv.queries, 1, tc.expr)
		require.Equal(t, []int64{tc.from, tc.to}, []int64{srv.queries[0].StartTimestampMs, srv.queries[0].EndTimestampMs}, tc.expr)
	}
}

// BenchmarkRange evaluates a day of 100 counters with a sample every 15 s at one-minute steps: rate
// as the samples stream by, and a sum of rates by the engine. The server's answer is made before.
func BenchmarkRange(b *testing.B) {
	srv := &server{chunksPerFrame: 1000}
	const perSeries = 24 * 3600 / 15
	for i := range 100 {
		srv.series = append(srv.series, regular(labels.FromStrings("__name__", "requests_total", "pod", fmt.Sprint(i)), 0, 15_000, ramp(perSeries)...))
	}
	var body []byte
	for _, ts := range srv.series {
		body = append(body, frame(chunkedMessages(ts, 0, math.MaxInt64, 1000, chunkenc.EncXOR)[0])...)
	}
	c, _ := client(b, send(streamed, "", body))
	for _, expr := range []string{`rate(requests_total[5m])`, `requests_total`, `sum(rate(requests_total[5m]))`} {
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				steps := 0
				err := c.Range(b.Context(), expr, time.UnixMilli(0), time.UnixMilli(24*3600*1000-1), time.Minute, func(_ labels.Labels, ts []int64, _ []float64) error {
					steps += len(ts)
					return nil
				})
				require.NoError(b, err)
				require.Greater(b, steps, 1400)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(100*perSeries), "ns/sample")
		})
	}
}
