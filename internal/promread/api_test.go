package promread_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

// api serves fixed answers by path, in the form of Prometheus, and keeps what was asked.
type api struct {
	answers map[string]string
	asked   []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked = append(a.asked, r.URL.RequestURI())
	body, ok := a.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(body))
}

func success(data string) string { return `{"status":"success","data":` + data + `}` }

func TestRulesOfPrometheus(t *testing.T) {
	c, _ := client(t, &api{answers: map[string]string{"/api/v1/rules": success(`{"groups":[
		{"name":"disk","file":"disk.yml","interval":30,"rules":[
			{"type":"alerting","name":"DiskFull","query":"avail < 5","duration":300,"keepFiringFor":60,"labels":{"severity":"critical"},
			 "annotations":{"summary":"full"},"alerts":[{"labels":{"a":"b"},"state":"firing","activeAt":"2026-01-01T00:00:00Z","value":"1e+00"}],"health":"ok","evaluationTime":0.01,"lastEvaluation":"2026-01-01T00:00:00Z","state":"firing"},
			{"type":"recording","name":"job:x:rate5m","query":"rate(x[5m])","health":"ok"}]},
		{"name":"empty","rules":[]}]}`)}})
	got, err := c.Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []rulefmt.RuleGroup{
		{Name: "disk", Interval: model.Duration(30 * time.Second), Rules: []rulefmt.Rule{
			{
				Alert: "DiskFull", Expr: "avail < 5", For: model.Duration(5 * time.Minute), KeepFiringFor: model.Duration(time.Minute),
				Labels: map[string]string{"severity": "critical"}, Annotations: map[string]string{"summary": "full"},
			},
			{Record: "job:x:rate5m", Expr: "rate(x[5m])"},
		}},
		{Name: "empty"},
	}, got)
}

func TestExternalLabelsOfPrometheus(t *testing.T) {
	config := func(yaml string) map[string]string {
		return map[string]string{"/api/v1/status/config": success(`{"yaml":` + strconv.Quote(yaml) + `}`)}
	}
	for _, tc := range []struct {
		name    string
		answers map[string]string
		set     map[string]string
		want    labels.Labels
	}{
		{"as its configuration has them", config("global:\n  scrape_interval: 15s\n  external_labels:\n    cluster: eu\n    replica: a\nscrape_configs: []\n"), nil, labels.FromStrings("cluster", "eu", "replica", "a")},
		{"none", config("global: {}\n"), nil, labels.EmptyLabels()},
		{"a server that does not show its configuration has none", nil, nil, labels.EmptyLabels()},
		{"what is set counts", config("global: {external_labels: {cluster: eu}}"), map[string]string{"cluster": "us"}, labels.FromStrings("cluster", "us")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := client(t, &api{answers: tc.answers}, func(cfg *promread.Config) { cfg.ExternalLabels = tc.set })
			got, err := c.ExternalLabels(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	c, _ := client(t, &api{answers: config("global: [")})
	_, err := c.ExternalLabels(t.Context())
	require.ErrorContains(t, err, "understand the configuration that Prometheus shows")
}

func TestInstantQueries(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	for _, tc := range []struct {
		name, data string
		want       model.Vector
	}{
		{
			"a vector", `{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1700000000.123,"1.5"]}]}`,
			model.Vector{{Metric: model.Metric{"__name__": "up", "job": "a"}, Value: 1.5, Timestamp: 1_700_000_000_123}},
		},
		{
			"a scalar", `{"resultType":"scalar","result":[1700000000.123,"+Inf"]}`,
			model.Vector{{Metric: model.Metric{}, Value: model.SampleValue(posInf()), Timestamp: 1_700_000_000_123}},
		},
		{"nothing", `{"resultType":"vector","result":[]}`, model.Vector{}},
		{"a histogram", `{"resultType":"vector","result":[{"metric":{},"histogram":[1700000000.123,{"count":"1","sum":"2","buckets":[]}]}]}`, model.Vector{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &api{answers: map[string]string{"/api/v1/query": success(tc.data)}}
			c, _ := client(t, a)
			got, err := c.Query(t.Context(), `up{job="a"}`, at)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			require.Equal(t, []string{"/api/v1/query?query=up%7Bjob%3D%22a%22%7D&time=1700000000.123"}, a.asked)
		})
	}
}

func TestSeriesLabelsTargetsAndVersion(t *testing.T) {
	a := &api{answers: map[string]string{
		"/api/v1/series":                success(`[{"__name__":"up","job":"a"},{"__name__":"up","job":"b"}]`),
		"/api/v1/label/__name__/values": success(`["go_info","up"]`),
		"/api/v1/status/buildinfo":      success(`{"version":"3.13.5","revision":"abc","branch":"HEAD","goVersion":"go1.26"}`),
		"/api/v1/targets":               success(`{"activeTargets":[{"labels":{"job":"a"},"scrapeUrl":"http://a/metrics","health":"down","lastError":"refused","lastScrape":"2026-01-01T00:00:00Z","scrapeInterval":"15s"},{"labels":{},"health":"up","lastScrape":"2026-01-01T00:00:00Z"}],"droppedTargets":[]}`),
	}}
	c, _ := client(t, a)
	from, to := time.Unix(1000, 0), time.Unix(2000, 0)

	series, err := c.Series(t.Context(), `up`, from, to, 1)
	require.NoError(t, err)
	require.Equal(t, []labels.Labels{labels.FromStrings("__name__", "up", "job", "a")}, series)

	values, err := c.LabelValues(t.Context(), "__name__", `{job="a"}`, from, to)
	require.NoError(t, err)
	require.Equal(t, []string{"go_info", "up"}, values)

	build, err := c.BuildInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, promread.BuildInfo{Version: "3.13.5", Revision: "abc"}, build)

	targets, err := c.Targets(t.Context())
	require.NoError(t, err)
	require.Len(t, targets, 2)
	require.Equal(t, promread.Target{
		Labels: labels.FromStrings("job", "a"), URL: "http://a/metrics", Health: "down", LastError: "refused",
		LastScrape: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Interval: 15 * time.Second,
	}, targets[0])
	require.Zero(t, targets[1].Interval)

	require.Equal(t, []string{
		"/api/v1/series?end=2000.000&limit=1&match%5B%5D=up&start=1000.000",
		"/api/v1/label/__name__/values?end=2000.000&match%5B%5D=%7Bjob%3D%22a%22%7D&start=1000.000",
		"/api/v1/status/buildinfo", "/api/v1/targets?state=active",
	}, a.asked)
}

func TestFailedAPICallsSayWhatWouldBeRight(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		reason promread.Reason
		want   string
	}{
		{"an HTML page", send("text/html", "", []byte("<title>Login</title>")), promread.NotPrometheus, `build_info URL/api/v1/status/buildinfo: the answer is an HTML page with the title "Login"; set prometheus.url to Prometheus itself, not to a page in front of it (a login, Grafana, another port)`},
		{"404", status(404, ""), promread.NotFound, `build_info URL/api/v1/status/buildinfo: the answer is 404 Not Found; check prometheus.url: this server has no Prometheus API there`},
		{"half a JSON", send("application/json", "", []byte(`{"status":"succ`)), promread.NotPrometheus, `build_info URL/api/v1/status/buildinfo: the answer is not the JSON of Prometheus' API: unexpected end of JSON input; set prometheus.url to Prometheus itself`},
		{"other JSON", send("application/json", "", []byte(`{"ok":true}`)), promread.Refused, `build_info URL/api/v1/status/buildinfo: the answer has no status "success": set prometheus.url to Prometheus itself`},
		{"an error", send("application/json", "", []byte(`{"status":"error","errorType":"bad_data","error":"1:2: parse error"}`)), promread.Refused, `build_info URL/api/v1/status/buildinfo: the answer is error bad_data: 1:2: parse error`},
		{"an error with its status", status(422, `{"status":"error","errorType":"execution","error":"too many samples"}`), promread.Refused, `build_info URL/api/v1/status/buildinfo: the answer is 422 Unprocessable Entity ("execution: too many samples")`},
		{"another shape", send("application/json", "", []byte(success(`[1]`))), promread.NotPrometheus, `build_info URL/api/v1/status/buildinfo: the answer has data of another shape: json: cannot unmarshal array into Go value of type promread.BuildInfo; set prometheus.url to Prometheus itself`},
		{"too much", send("application/json", "", []byte(success(`"`+strings.Repeat("x", 1<<20)+`"`))), promread.TooLarge, `build_info URL/api/v1/status/buildinfo: the answer is over the limit of 1048576 bytes; raise prometheus.max_body_bytes`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var address string
			c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				address = "http://" + r.Host
				tc.answer(w, r)
			}), func(cfg *promread.Config) { cfg.MaxBodyBytes = 1 << 20 })
			_, err := c.BuildInfo(t.Context())
			require.EqualError(t, err, strings.Replace(tc.want, "URL", address, 1))
			require.Equal(t, tc.reason, promread.ReasonOf(err))
		})
	}
}

func TestAPathBelowTheAddressIsKept(t *testing.T) {
	a := &api{answers: map[string]string{"/prometheus/api/v1/status/buildinfo": success(`{"version":"2.42.0"}`)}}
	c, _ := client(t, a, func(cfg *promread.Config) { cfg.URL.Path = "/prometheus/" })
	_, err := c.BuildInfo(t.Context())
	require.NoError(t, err)
}
