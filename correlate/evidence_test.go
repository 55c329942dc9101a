package correlate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

// opinions is metrics whose mind changes; it keeps what it was asked.
type opinions struct {
	ranking cause.Ranking
	asked   []correlate.Question
}

func (o *opinions) Ranking(q correlate.Question) (cause.Ranking, bool) {
	o.asked = append(o.asked, q)
	return o.ranking, len(o.ranking.Candidates) > 0
}

func ranking(first string, others ...string) cause.Ranking {
	r := cause.Ranking{Candidates: []cause.Candidate{{Entity: first, Confidence: .95}}}
	for _, e := range others {
		r.Candidates = append(r.Candidates, cause.Candidate{Entity: e, Confidence: .02})
	}
	return r
}

func TestAFirstCauseThatTheMetricsChangeIsTold(t *testing.T) {
	o := &opinions{}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold, Evidence: o})
	e.Alerts(t0.Add(50*time.Second), outage(0)[1:])
	e.Step(t0.Add(50 * time.Second))
	opened := e.Step(t0.Add(90 * time.Second))
	require.Len(t, opened, 1)
	require.Equal(t, "api", opened[0].Incident.Causes[0].Entity.Name, "db is silent")

	o.ranking = ranking("db", "api", "web")
	e.Heard(opened[0].Incident.ID)
	e.Heard("nobody")
	require.Equal(t, t0.Add(91*time.Second), e.NextStep(t0.Add(91*time.Second)), "it is worth a step at once")
	require.Empty(t, e.Step(t0.Add(91*time.Second)), "but told at most once per revision_interval")
	told := e.Step(t0.Add(150 * time.Second))
	require.Len(t, told, 1)
	require.Equal(t, correlate.EventRevised, told[0].Type)
	require.Equal(t, 2, told[0].Incident.Revision)
	require.Equal(t, "db", told[0].Incident.Causes[0].Entity.Name)
}

func TestWhatLooksGuiltyIsRuledOutWithAReason(t *testing.T) {
	r := ranking("db", "api", "web")
	r.RuledOut = []cause.RuledOut{{Entity: "cache", Text: "memory is 9 (normally 3), but the symptom does not depend on it by calls."}}
	r.Path = []cause.Hop{{Entity: "db", State: "disk is 1, normally 0.2", Deviation: 40}, {Entity: "api", State: "normal"}}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold, Evidence: &opinions{ranking: r}})
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	i := live(e)[0]
	require.Equal(t, "db", i.Causes[0].Entity.Name)
	require.Len(t, i.RuledOut, 3)
	for _, x := range i.RuledOut {
		require.NotEqual(t, "db", x.Entity)
		require.NotEmpty(t, x.Text)
	}
	require.Equal(t, r.RuledOut[0], i.RuledOut[2])
	require.Equal(t, "DatabaseDown; disk is 1, normally 0.2", i.Path[0].State)
	require.Equal(t, "HighErrorRate and HighLatencyP99", i.Path[1].State)
}

func TestTheMetricsAreToldOfChangesAtPossibleCauses(t *testing.T) {
	o := &opinions{}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold, Evidence: o})
	e.Change(t0, correlate.Change{Time: t0.Add(-time.Minute), Kind: "deploy", Labels: model.LabelSet{"deployment": "api"}, Query: "count(x)"})
	e.Change(t0, correlate.Change{Time: t0.Add(-time.Minute), Kind: "deploy", Labels: model.LabelSet{"deployment": "mail"}})
	e.Change(t0, correlate.Change{Time: t0.Add(-2 * time.Hour), Kind: "deploy", Labels: model.LabelSet{"deployment": "db"}})
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	live(e)
	q := o.asked[len(o.asked)-1]
	require.Len(t, q.Changes, 1, "neither a stranger's nor one of long ago")
	require.Equal(t, "api", q.Changes[0].Entity.Name)
	require.Equal(t, "count(x)", q.Changes[0].Query)
}

func TestTheIDDoesNotDependOnWhichOfTheFirstAlertsIsHeardOfFirst(t *testing.T) {
	ids := map[string]bool{}
	for n := range 3 {
		e := engine("web", "api", "db")
		for i := range 3 { // One each 200 ms, before anything is told.
			at := t0.Add(time.Minute + time.Duration(i)*200*time.Millisecond)
			e.Alerts(at, outage(0)[(n+i)%3:][:1])
			e.Step(at)
		}
		told := e.Step(t0.Add(2 * time.Minute))
		require.Len(t, told, 1)
		ids[told[0].Incident.ID] = true
		e.Alerts(t0.Add(3*time.Minute), []*model.Alert{alert("DiskFull", "db", -10*time.Second)})
		e.Step(t0.Add(4 * time.Minute))
		require.True(t, slices.ContainsFunc(live(e), func(i correlate.Incident) bool { return i.ID == told[0].Incident.ID }), "an ID that was told stays")
	}
	require.Len(t, ids, 1)
}

// TestANodeThatOnlyTheMetricsSeeIsACause: two services on one node are slow, and no rule watches the node.
func TestANodeThatOnlyTheMetricsSeeIsACause(t *testing.T) {
	world := func() *topology.Graph {
		g := chain("web", "cart")
		for _, s := range []string{"cart", "catalog"} {
			service, instance := topology.Entity{Kind: topology.KindService, Name: s}, topology.Entity{Kind: topology.KindInstance, Name: s + "-1"}
			g.Add(t0, topology.Edge{From: service, To: instance, Kind: topology.Owns, Source: "test"})
			g.Add(t0, topology.Edge{From: instance, To: topology.Entity{Kind: topology.KindNode, Name: "node-3"}, Kind: topology.Host, Source: "test"})
		}
		return g
	}
	first := func(r cause.Ranking) correlate.Incident {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: world(), Rules: noHold, Evidence: metrics{r}})
		e.Alerts(t0, []*model.Alert{alert("HighLatencyP95", "cart", 0), alert("HighLatencyP95", "catalog", time.Second), alert("HighLatencyP95", "web", 5*time.Second)})
		e.Step(t0)
		return live(e)[0]
	}
	used := cause.Evidence{Kind: "resource", For: true, Entity: "node-3", Text: "CPU of node-3 is used up"}
	found := first(cause.Ranking{DecidedBy: "resource", End: t0, Candidates: []cause.Candidate{{Entity: "node-3", Confidence: 0.8, Evidence: []cause.Evidence{used}}, {Entity: "cart", Confidence: 0.1}}})
	require.Equal(t, "node-3", found.Causes[0].Entity.Name)
	require.GreaterOrEqual(t, found.Causes[0].Confidence, 0.7)

	guess := first(cause.Ranking{DecidedBy: "excess", End: t0, Candidates: []cause.Candidate{{Entity: "node-3", Confidence: 0.8, Evidence: []cause.Evidence{{Kind: "excess", For: true, Entity: "node-3"}}}, {Entity: "cart", Confidence: 0.1}}})
	require.Less(t, guess.Causes[0].Confidence, 0.7, "without its resource a node that is silent stays a guess")
}

func TestTheMetricsAreAskedOfASilentNodeThoughManyServicesArePossible(t *testing.T) {
	entity := func(k topology.Kind, name string) topology.Entity { return topology.Entity{Kind: k, Name: name} }
	g := chain("web", "cart")
	add := func(from, to topology.Entity, k topology.EdgeKind) {
		g.Add(t0, topology.Edge{From: from, To: to, Kind: k, Source: "test"})
	}
	for i := range 14 {
		add(entity(topology.KindService, "cart"), entity(topology.KindService, fmt.Sprintf("backend-%02d", i)), topology.Call)
	}
	for _, s := range []string{"cart", "catalog"} {
		add(entity(topology.KindService, s), entity(topology.KindInstance, s+"-1"), topology.Owns)
		add(entity(topology.KindInstance, s+"-1"), entity(topology.KindNode, "node-3"), topology.Host)
	}
	o := &opinions{}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold, Evidence: o})
	e.Alerts(t0, []*model.Alert{alert("HighLatencyP95", "cart", 0), alert("HighErrorRate", "cart", 0), alert("HighLatencyP95", "web", 5*time.Second)})
	e.Step(t0)
	require.Len(t, live(e), 1)
	require.LessOrEqual(t, len(live(e)[0].Causes), 10)
	asked := o.asked[len(o.asked)-1].Entities
	require.True(t, slices.ContainsFunc(asked, func(x correlate.Entity) bool { return x.Name == "node-3" }), "%v", asked)
}

func TestADatabaseAndItsMachineOfTheSameNameAreOneCause(t *testing.T) {
	g := chain("web", "db")
	instance := topology.Entity{Kind: topology.KindInstance, Name: "db"}
	g.Add(t0, topology.Edge{From: topology.Entity{Kind: topology.KindService, Name: "db"}, To: instance, Kind: topology.Owns, Source: "test"})
	g.Add(t0, topology.Edge{From: instance, To: topology.Entity{Kind: topology.KindNode, Name: "db"}, Kind: topology.Host, Source: "test"})
	r := cause.Ranking{DecidedBy: "resource", End: t0, Candidates: []cause.Candidate{{Entity: "db", Confidence: 0.8, Evidence: []cause.Evidence{{Kind: "resource", For: true, Entity: "db", Text: "the disk is busy"}}}}}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold, Evidence: metrics{r}})
	e.Alerts(t0, []*model.Alert{alert("DiskSlow", "db", 0), alert("HighErrorRate", "web", 5*time.Second)})
	e.Step(t0)
	named := 0
	for _, c := range live(e)[0].Causes {
		if c.Entity.Name == "db" {
			named++
			require.Greater(t, c.Confidence, 0.9)
		}
	}
	require.Equal(t, 1, named)
}

func TestACallThatIsStrangeIsAboutWhoIsCalled(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold})
	e.Anomaly(t0, correlate.Anomaly{Watch: "edge_duration", Kind: "point", Since: t0, Active: true, Labels: model.LabelSet{"client": "api", "server": "db"}})
	e.Alerts(t0, []*model.Alert{alert("HighLatencyP95", "api", 0), alert("HighLatencyP95", "web", time.Second)})
	e.Step(t0)
	require.Len(t, live(e), 1)
	db := slices.IndexFunc(live(e)[0].Causes, func(c correlate.Cause) bool { return c.Entity.Name == "db" })
	require.GreaterOrEqual(t, db, 0)
	require.Equal(t, "anomaly", live(e)[0].Causes[db].Evidence[0].Kind)
}

// TestFewerCustomersAreNoTroubleOfTheDatabase: traffic that changes from the front to the back began at the front.
func TestFewerCustomersAreNoTroubleOfTheDatabase(t *testing.T) {
	cfg := correlate.DefaultConfig()
	cfg.AnomalyIncidents = 3
	e := correlate.NewEngine(cfg, correlate.Deps{Topology: chain("lb", "web", "api", "db"), Rules: noHold})
	for _, s := range []string{"lb", "web", "api", "db"} {
		for _, watch := range []string{"http_requests_total:rate", "http_request_duration_seconds_count:rate", "edge_rate"} {
			e.Anomaly(t0, correlate.Anomaly{Watch: watch, Kind: "contextual", Since: t0, At: t0, Active: true, Labels: model.LabelSet{"service": model.LabelValue(s)}})
		}
	}
	e.Step(t0.Add(2 * time.Minute))
	require.Len(t, live(e), 1)
	i := live(e)[0]
	require.Equal(t, "lb", i.Causes[0].Entity.Name)
	require.Equal(t, "lb traffic change affecting api, db and web", i.Title)
	require.Contains(t, i.Summary, "12 anomalies on ")
	require.False(t, i.NoClearCause)
}

// TestALittleLatencyByChanceDoesNotHideThatCustomersStayedAway: nor does what the search for lost time found then.
func TestALittleLatencyByChanceDoesNotHideThatCustomersStayedAway(t *testing.T) {
	cfg := correlate.DefaultConfig()
	cfg.AnomalyIncidents = 3
	r := cause.Ranking{DecidedBy: "excess", End: t0, Candidates: []cause.Candidate{{Entity: "api", Confidence: 0.7, Evidence: []cause.Evidence{{Kind: "excess", For: true, Entity: "api"}}}}}
	e := correlate.NewEngine(cfg, correlate.Deps{Topology: chain("lb", "web", "api", "db"), Rules: noHold, Evidence: metrics{r}})
	for _, s := range []string{"lb", "web", "api", "db"} {
		for _, watch := range []string{"http_requests_total:rate", "edge_rate", "backend_requests_total:rate"} {
			e.Anomaly(t0, correlate.Anomaly{Watch: watch, Kind: "contextual", Since: t0, At: t0, Active: true, Labels: model.LabelSet{"service": model.LabelValue(s)}})
		}
	}
	e.Anomaly(t0, correlate.Anomaly{Watch: "HighLatencyP95", Kind: "point", Since: t0.Add(-30 * time.Second), At: t0, Active: true, Labels: model.LabelSet{"service": "api"}})
	e.Step(t0.Add(2 * time.Minute))
	require.Len(t, live(e), 1)
	require.Equal(t, "lb", live(e)[0].Causes[0].Entity.Name)
	require.False(t, live(e)[0].NoClearCause)
}

func TestAnAnomalyThatHadPassedHasNothingToDoWithTheStorm(t *testing.T) {
	e := engine("web", "api", "db")
	strange := func(service string, ended bool) correlate.Anomaly {
		a := correlate.Anomaly{Watch: "latency", Kind: "point", Since: t0.Add(-8 * time.Minute), At: t0, Active: !ended, Labels: model.LabelSet{"service": model.LabelValue(service)}}
		if ended {
			a.Until = t0.Add(-7 * time.Minute)
		}
		return a
	}
	e.Anomaly(t0.Add(-7*time.Minute), strange("web", true))
	e.Anomaly(t0, strange("api", false))
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	all := slices.DeleteFunc(live(e), func(i correlate.Incident) bool { return len(i.Alerts) == 0 })
	require.Len(t, all, 1)
	require.Len(t, all[0].Anomalies, 1)
	require.EqualValues(t, "api", all[0].Anomalies[0].Labels["service"], "it lasts")
	require.Equal(t, t0, all[0].FirstAlert, "the first alert is an alert")
}

func TestARestartIsNoReasonToTellOfAnotherCause(t *testing.T) {
	r := cause.Ranking{DecidedBy: "resource", End: t0, Candidates: []cause.Candidate{{Entity: "db", Confidence: 0.9, Evidence: []cause.Evidence{{Kind: "resource", For: true, Entity: "db", Text: "the disk is busy"}}}}}
	deps := func(ev correlate.Evidence) correlate.Deps {
		return correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold, Evidence: ev}
	}
	before := correlate.NewEngine(correlate.DefaultConfig(), deps(metrics{r}))
	before.Alerts(t0, []*model.Alert{alert("HighLatencyP95", "web", 0), alert("HighErrorRate", "web", 0), alert("HighLatencyP95", "api", time.Second)})
	before.Step(t0.Add(time.Second))
	before.Heard(live(before)[0].ID)
	require.Len(t, before.Step(t0.Add(40*time.Second)), 1)
	require.Equal(t, "db", live(before)[0].Causes[0].Entity.Name)
	saved, err := before.Snapshot()
	require.NoError(t, err)

	after := correlate.NewEngine(correlate.DefaultConfig(), deps(silent{}))
	require.NoError(t, after.Restore(saved))
	restarted := t0.Add(3 * time.Minute)
	require.Empty(t, after.Step(restarted), "the metrics were not heard yet")
	require.Empty(t, after.Step(restarted.Add(50*time.Second)))
	told := after.Step(restarted.Add(61 * time.Second))
	require.Len(t, told, 1, "they keep silent: the alerts alone are told")
	require.Equal(t, correlate.EventRevised, told[0].Type)
}
