package export_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/export"
)

// fixed is a Source of given series.
type fixed []export.Series

func (f fixed) Len() int { return len(f) }

func (f fixed) Each(fn func(*export.Series)) {
	for i := range f {
		fn(&f[i])
	}
}

func series(watch string, v float64, kv ...string) export.Series {
	ls := export.SeriesLabels(labels.FromStrings(kv...), watch)
	return export.Series{
		Block: export.Block(ls), Labels: ls, Watch: watch, Time: 1000,
		Observed: v, Expected: 2, Lower: 1, Upper: 3, Score: 0.5, Alarm: 0.25, BudgetRatio: math.NaN(),
	}
}

func page(t *testing.T, cfg export.Config, src export.Source) string {
	t.Helper()
	var sb strings.Builder
	require.NoError(t, export.New(cfg, src).WriteText(&sb))
	return sb.String()
}

func TestPageCarriesLabelsWatchAndValues(t *testing.T) {
	s := series("errors", 2.5, "__name__", "http_requests_total", "job", "api", "watch", "own", "path", "a\"b\\c\nd")
	s.Active = []export.Active{{Kind: "point", Detector: "local_up"}}
	s.Forecasts = []export.Forecast{{Horizon: "1h", Expected: 4, Lower: 3, Upper: 5}}
	s.Limits = []export.Limit{{Name: "0.95", Seconds: 3600, Lower: 1800, Upper: math.NaN()}}
	out := page(t, export.DefaultConfig(), fixed{s})
	for _, want := range []string{
		`tidemark_observed{exported_watch="own",job="api",path="a\"b\\c\nd",watch="errors"} 2.5`,
		`tidemark_anomaly_active{exported_watch="own",job="api",path="a\"b\\c\nd",watch="errors",kind="point",detector="local_up"} 1`,
		`tidemark_forecast_upper{exported_watch="own",job="api",path="a\"b\\c\nd",watch="errors",horizon="1h"} 5`,
		`tidemark_limit_seconds_lower{exported_watch="own",job="api",path="a\"b\\c\nd",watch="errors",limit="0.95"} 1800`,
	} {
		require.Contains(t, out, want+"\n")
	}
	require.NotContains(t, out, "NaN", "what does not exist is left out")
	require.NotContains(t, out, "tidemark_limit_seconds_upper")
}

func TestPageIsWhatPrometheusParsesAndPromlintAccepts(t *testing.T) {
	s := series("errors", math.Inf(1), "job", "api", "a.dotted", "x")
	s.Active = []export.Active{{Kind: "point", Detector: "local_up"}}
	s.Forecasts = []export.Forecast{{Horizon: "1h", Expected: 4, Lower: 3, Upper: 5}}
	out := page(t, export.DefaultConfig(), fixed{s, series("errors", 1, "job", "web")})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(out))
	require.NoError(t, err)
	require.Len(t, parsed["tidemark_observed"].Metric, 2)
	problems, err := promlint.New(strings.NewReader(out)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestSparseWritesInterestingSeriesOnly(t *testing.T) {
	calm, odd := series("w", 1, "job", "calm"), series("w", 9, "job", "odd")
	odd.Interesting = true
	cfg := export.DefaultConfig()
	cfg.Mode = export.ModeSparse
	out := page(t, cfg, fixed{calm, odd})
	require.Contains(t, out, `job="odd"`)
	require.NotContains(t, out, `job="calm"`)
}

func TestAutoTurnsSparseAboveTheLimit(t *testing.T) {
	many := make(fixed, export.AutoLimit+1)
	for i := range many {
		many[i] = series("w", 1, "job", "calm")
	}
	out := page(t, export.DefaultConfig(), many)
	require.NotContains(t, out, "tidemark_observed")
	require.Contains(t, out, `tidemark_watch_series{watch="w"} 2001`, "the whole is always written")
	require.Contains(t, page(t, export.DefaultConfig(), many[:export.AutoLimit]), "tidemark_observed")
}

func TestPinnedSeriesAreWrittenInSparseMode(t *testing.T) {
	var cfg export.Config
	require.NoError(t, yaml.Unmarshal([]byte(`{mode: sparse, pinned: ['{job="shop",watch="w"}']}`), &cfg))
	out := page(t, cfg, fixed{series("w", 1, "job", "calm"), series("w", 1, "job", "shop"), series("v", 1, "job", "shop")})
	require.Contains(t, out, `tidemark_observed{job="shop",watch="w"}`)
	require.NotContains(t, out, `job="calm"`)
	require.NotContains(t, out, `job="shop",watch="v"`)
}

func TestAggregatesAreOfAllSeriesOfAWatch(t *testing.T) {
	calm, odd := series("w", 1, "job", "calm"), series("w", 9, "job", "odd")
	odd.Score, odd.Active = 2.5, []export.Active{{Kind: "point"}}
	learning := series("w", 1, "job", "new")
	learning.Score = math.NaN()
	out := page(t, export.Config{Mode: export.ModeSparse, MaxSeries: 10}, fixed{calm, odd, learning, series("v", 1)})
	for _, want := range []string{
		`tidemark_watch_series{watch="v"} 1`, `tidemark_watch_series{watch="w"} 3`, `tidemark_watch_anomalous_series{watch="w"} 1`,
		`tidemark_watch_anomaly_score_max{watch="w"} 2.5`, `tidemark_watch_anomaly_score_avg{watch="w"} 1.5`,
	} {
		require.Contains(t, out, want+"\n")
	}
}

func TestAboveTheLimitAnomalousSeriesAreWrittenFirst(t *testing.T) {
	many := fixed{series("w", 1, "job", "a"), series("w", 1, "job", "b"), series("w", 1, "job", "c"), series("w", 9, "job", "odd")}
	many[3].Interesting = true
	e := export.New(export.Config{Mode: export.ModeFull, MaxSeries: 2}, many)
	var sb strings.Builder
	require.NoError(t, e.WriteText(&sb))
	require.Contains(t, sb.String(), `tidemark_observed{job="a",watch="w"}`)
	require.Contains(t, sb.String(), `tidemark_observed{job="odd",watch="w"}`)
	require.Equal(t, 2, strings.Count(sb.String(), "tidemark_observed{"))
	require.InDelta(t, 2, testutil.ToFloat64(e), 0, "what is left out is counted")
}

func TestAskingForSeriesGivesExactlyThem(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "own", Help: "Ours."}))
	odd := series("w", 9, "job", "odd")
	odd.Interesting = true
	h := export.New(export.Config{Mode: export.ModeSparse, MaxSeries: 10}, fixed{series("w", 1, "job", "calm"), odd}).Handler(reg, promslog.NewNopLogger())
	ask := func(match string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics?match[]="+url.QueryEscape(match), nil))
		return rec
	}
	out := ask(`{job="calm"}`).Body.String()
	require.Contains(t, out, `tidemark_observed{job="calm",watch="w"} 1`)
	require.NotContains(t, out, `job="odd"`)
	require.NotContains(t, out, "own")
	rec := ask(`{job=`)
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.Contains(t, rec.Body.String(), `match[]: "{job=" is no selector such as {service="checkout"}`)
}

func TestVmanomalyNamesStandBesideOurs(t *testing.T) {
	cfg := export.DefaultConfig()
	cfg.Names = export.NamesVmanomaly
	out := page(t, cfg, fixed{series("errors", 2.5, "job", "api")})
	for _, want := range []string{
		`anomaly_score{job="api",watch="errors",for="errors"} 0.5`, `y{job="api",watch="errors",for="errors"} 2.5`,
		`yhat{job="api",watch="errors",for="errors"} 2`, `yhat_lower{job="api",watch="errors",for="errors"} 1`,
		`yhat_upper{job="api",watch="errors",for="errors"} 3`, `tidemark_observed{job="api",watch="errors"} 2.5`,
	} {
		require.Contains(t, out, want+"\n")
	}
}

func TestSamplesAreThoseOfThePage(t *testing.T) {
	n := 0
	export.New(export.DefaultConfig(), fixed{series("errors", 2.5, "job", "api")}).Samples(func(ls labels.Labels, ms int64, v float64) {
		n++
		require.EqualValues(t, 1000, ms)
		if ls.Get(model.MetricNameLabel) == "tidemark_observed" {
			require.Equal(t, `{__name__="tidemark_observed", job="api", watch="errors"}`, ls.String())
			require.InDelta(t, 2.5, v, 0)
		}
	})
	require.Equal(t, 6+4, n, "and those of the watch")
}

func TestHandlerServesOwnMetricsFirstAndGzip(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "own", Help: "Ours."}))
	h := export.New(export.DefaultConfig(), fixed{series("errors", 2.5, "job", "api")}).Handler(reg, promslog.NewNopLogger())
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	req.Header.Set("Accept-Encoding", "gzip")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	require.Equal(t, http.StatusOK, rec.Code)
	zr, err := gzip.NewReader(rec.Body)
	require.NoError(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(zr)
	require.NoError(t, err)
	require.Contains(t, parsed, "own")
	require.Contains(t, parsed, "tidemark_expected")
}

func TestWrongSettingsSayWhatWouldBeRight(t *testing.T) {
	for in, want := range map[string]string{
		"names: datadog": `export.names is "datadog": want "tidemark" or "vmanomaly"`,
		"max_series: 0":  "export.max_series must be above zero: leave it out for the default",
		"mode: loud":     `export.mode is "loud": want "auto", "full" or "sparse"`,
	} {
		var cfg export.Config
		require.EqualError(t, yaml.Unmarshal([]byte(in), &cfg), want)
	}
}

func BenchmarkWriteText(b *testing.B) {
	many := make(fixed, 1000)
	for i := range many {
		many[i] = series("w", float64(i), "job", "calm", "instance", "10.0.0.1:9100", "cluster", "prod")
	}
	e := export.New(export.DefaultConfig(), many)
	b.ReportAllocs()
	for b.Loop() {
		if err := e.WriteText(discard{}); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
