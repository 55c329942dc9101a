package correlate_test

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

// claimsOf are all that an incident claims: of its causes, of each step of the path, of what was ruled out.
func claimsOf(i *correlate.Incident) []cause.Evidence {
	var out []cause.Evidence
	for _, c := range i.Causes {
		out = append(out, c.Evidence...)
	}
	for _, h := range i.Path {
		out = append(out, h.Evidence...)
	}
	for _, r := range i.RuledOut {
		out = append(out, r.Evidence...)
	}
	return out
}

// rerun answers a claim whose query is a path of Tidemark's API, as its handlers do.
func rerun(t *testing.T, e *correlate.Engine, query string) float64 {
	t.Helper()
	u, err := url.Parse(query)
	require.NoError(t, err)
	q := u.Query()
	if id, ok := strings.CutSuffix(strings.TrimPrefix(u.Path, correlate.OwnPath+"incidents/"), "/coverage"); ok {
		sec, err := strconv.ParseFloat(q.Get("start"), 64)
		require.NoError(t, err)
		c, ok := e.Coverage(id, q.Get("cause"), time.UnixMilli(int64(sec*1000)))
		require.True(t, ok, query)
		require.Len(t, c.Explained, c.Value)
		return float64(c.Value)
	}
	require.Equal(t, correlate.OwnPath+"changes", u.Path)
	at, err := time.Parse(time.RFC3339Nano, q.Get("from"))
	require.NoError(t, err)
	require.Equal(t, q.Get("from"), q.Get("to"))
	return float64(len(e.Changes(correlate.ChangeFilter{From: at, To: at, Kind: q.Get("kind"), Text: q.Get("text"), Entity: q.Get("entity")})))
}

// TestEveryKindOfClaimOfAlertsCarriesItsQueryAndValue walks incidents of every kind; a kind that was not seen fails, too.
func TestEveryKindOfClaimOfAlertsCarriesItsQueryAndValue(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db", "disk-array"), Rules: noHold})
	for _, at := range []time.Duration{-time.Minute, -time.Minute - time.Millisecond} {
		e.Change(t0, correlate.Change{Time: t0.Add(at), Kind: "deploy", Labels: model.LabelSet{"service": "api"}, Text: "api v2 & more", Source: "ci"})
	}
	e.Anomaly(t0, correlate.Anomaly{Watch: "cpu", Kind: "point", Since: t0, At: t0.Add(5 * time.Second), Active: true, Labels: model.LabelSet{"service": "api"}, Query: `cpu{service="api"}`, Value: 0.9})
	e.Alerts(t0, []*model.Alert{
		alert("HighErrorRate", "web", 0), alert("HighErrorRate", "api", 10*time.Second), alert("HighLatencyP99", "api", 12*time.Second), alert("DatabaseDown", "db", 4*time.Minute),
		alert("Watchdog", "elsewhere", time.Minute), alert("CertificateExpiring", "mail", time.Hour),
	})
	e.Step(t0.Add(2 * time.Hour))
	kinds := map[string]int{}
	for _, i := range live(e) {
		require.NotEmpty(t, i.Causes)
		for _, c := range claimsOf(&i) {
			kinds[c.Kind]++
			require.NotEmpty(t, c.Query, "%s: %s", c.Kind, c.Text)
			require.False(t, math.IsNaN(c.Value) || math.IsInf(c.Value, 0), c.Text)
			require.False(t, c.Time.IsZero(), c.Text)
			if strings.HasPrefix(c.Query, correlate.OwnPath) {
				require.InDelta(t, c.Value, rerun(t, e, c.Query), 0, "%s: %s", c.Text, c.Query)
				continue
			}
			_, err := parser.NewParser(parser.Options{}).ParseExpr(c.Query)
			require.NoError(t, err, c.Text)
		}
	}
	for _, kind := range []string{"alert", "anomaly", "change", "coverage", "onset", "silent"} {
		require.Positive(t, kinds[kind], kind)
		delete(kinds, kind)
	}
	require.Empty(t, kinds, "kinds that this test does not know")
}

func TestQueriesOfSilenceAndOfALateStart(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0, []*model.Alert{alert("HighErrorRate", "web", 0), alert("HighErrorRate", "api", 10*time.Second), alert("DatabaseDown", "db", 4*time.Minute)})
	e.Step(t0.Add(5 * time.Minute))
	late := claim(t, live(e)[0], "db", "onset")
	require.Equal(t, "its own alerts began 4 min after the first", late.Text)
	require.InDelta(t, 240, late.Value, 0)
	require.Equal(t, `min(max_over_time(ALERTS_FOR_STATE{alertname="DatabaseDown",service="db",severity="critical"}[2s] @ `+unix(4*time.Minute+time.Second)+`)) - `+
		`min(max_over_time(ALERTS_FOR_STATE{alertname="HighErrorRate",service="web",severity="critical"}[4m2s] @ `+unix(4*time.Minute+time.Second)+`))`, late.Query)

	e = engine("web", "api", "db")
	e.Alerts(t0, outage(0)[1:])
	e.Step(t0.Add(5 * time.Minute))
	silent := claim(t, live(e)[0], "db", "silent")
	require.Equal(t, "db has no alert of its own", silent.Text)
	require.Zero(t, silent.Value)
	require.Equal(t, `count(max_over_time(ALERTS{alertstate="firing",service="db"}[27s] @ `+unix(46*time.Second)+`))`, silent.Query)
}

func claim(t *testing.T, i correlate.Incident, entity, kind string) cause.Evidence {
	t.Helper()
	for _, c := range i.Causes {
		for _, e := range c.Evidence {
			if c.Entity.Name == entity && e.Kind == kind {
				return e
			}
		}
	}
	t.Fatalf("no claim of kind %s about %s", kind, entity)
	return cause.Evidence{}
}

func TestCoverageIsOfIncidentsInMemoryAndOfPossibleCauses(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0, outage(0))
	e.Step(t0.Add(5 * time.Minute))
	i := live(e)[0]
	c, ok := e.Coverage(i.ID, topology.Entity{Kind: topology.KindService, Name: "db"}.String(), i.Causes[0].Start)
	require.True(t, ok)
	require.Equal(t, len(i.Alerts), c.Value)
	require.Empty(t, c.Others)
	c, ok = e.Coverage(i.ID, "service db", i.Start.Add(-3*time.Hour))
	require.True(t, ok)
	require.Zero(t, c.Value, "hours before, trouble at db would not show here")
	require.Len(t, c.Others, len(i.Alerts))
	_, ok = e.Coverage(i.ID, "service nobody", i.Start)
	require.False(t, ok)
	_, ok = e.Coverage("none", "service db", i.Start)
	require.False(t, ok)
}

func unix(after time.Duration) string { return strconv.FormatInt(t0.Add(after).Unix(), 10) }

func TestAlertsAreLookedUpWithoutWhatPrometheusAddsWhenItSends(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{
		Topology: chain("web", "api", "db"), Rules: noHold,
		External: func() model.LabelSet { return model.LabelSet{"cluster": "eu", "severity": "page"} },
	})
	as := outage(0)
	for _, a := range as {
		a.Labels["cluster"] = "eu"
	}
	e.Alerts(t0, as)
	e.Step(t0.Add(5 * time.Minute))
	require.Equal(t, `ALERTS_FOR_STATE{alertname="DatabaseDown",service="db",severity="critical"}`, claim(t, live(e)[0], "db", "alert").Query)
	require.Equal(t, model.LabelValue("eu"), live(e)[0].Alerts[0].Labels["cluster"], "the alert itself keeps its labels")
}
