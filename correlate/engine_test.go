package correlate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
)

var t0 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func engine(names ...string) *correlate.Engine {
	return correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain(names...), Rules: noHold})
}

// outage is what db's fault makes of web → api → db.
func outage(start time.Duration) []*model.Alert {
	return []*model.Alert{
		alert("DatabaseDown", "db", start),
		alert("HighErrorRate", "api", start+20*time.Second), alert("HighLatencyP99", "api", start+25*time.Second),
		alert("HighErrorRate", "web", start+40*time.Second), alert("HighLatencyP99", "web", start+45*time.Second),
	}
}

func resolved(in []*model.Alert, end time.Duration) []*model.Alert {
	var out []*model.Alert
	for _, a := range in {
		c := *a
		c.EndsAt = t0.Add(end)
		out = append(out, &c)
	}
	return out
}

func live(e *correlate.Engine) []correlate.Incident {
	var out []correlate.Incident
	for _, i := range e.Incidents() {
		if i.MergedInto == "" {
			out = append(out, i)
		}
	}
	return out
}

func TestALoneAlertIsItsOwnIncident(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{})
	e.Alerts(t0, []*model.Alert{alert("HighErrorRate", "cart", 0)})
	require.Empty(t, e.Step(t0), "told before the wait was over")
	require.Equal(t, t0.Add(3*time.Second), e.NextStep(t0))
	events := e.Step(t0.Add(3 * time.Second))
	require.Len(t, events, 1)
	require.Equal(t, correlate.EventOpened, events[0].Type)
	i := events[0].Incident
	require.Equal(t, "HighErrorRate on cart", i.Title)
	require.Equal(t, "critical", i.Severity)
	require.Equal(t, "cart", i.Causes[0].Entity.Name)
	require.Len(t, i.Alerts, 1)
	got, ok := e.Incident(i.ID)
	require.True(t, ok)
	require.Equal(t, i, got)
}

func TestAHousekeepingAlertNamesItsOwnEntity(t *testing.T) {
	e := engine("web", "api")
	e.Alerts(t0, []*model.Alert{alert("KubeVersionMismatch", "api", 0)})
	e.Step(t0)
	i := live(e)[0]
	require.Equal(t, "KubeVersionMismatch on api", i.Title)
	require.Equal(t, "api", i.Causes[0].Entity.Name)
	require.NotEmpty(t, i.Causes[0].Evidence[0].Query)
}

func TestAnIncidentLivesFromOpenedToResolved(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	events := e.Step(t0.Add(time.Minute + 30*time.Second))
	require.Equal(t, []string{"opened database db outage affecting api and web"}, sortedTitles(events))
	id := events[0].Incident.ID

	e.Alerts(t0.Add(20*time.Minute), resolved(outage(0), 19*time.Minute))
	require.Empty(t, e.Step(t0.Add(20*time.Minute)), "resolved without the quiet time")
	next := e.NextStep(t0.Add(20 * time.Minute))
	require.Equal(t, t0.Add(24*time.Minute), next)
	events = e.Step(next)
	require.Len(t, events, 1)
	require.Equal(t, correlate.EventResolved, events[0].Type)
	require.Equal(t, id, events[0].Incident.ID)
	require.Equal(t, t0.Add(19*time.Minute), events[0].Incident.End)
	require.Zero(t, e.NextStep(next))

	e.Step(t0.Add(26 * time.Hour))
	require.Empty(t, e.Incidents(), "kept longer than the retention")
}

func TestTwoRootsStayTwoIncidents(t *testing.T) {
	g := chain("web", "api", "db")
	for _, edge := range chain("shop", "stock", "queue").Edges(t0) {
		g.Add(t0, edge)
	}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold})
	e.Alerts(t0, outage(0))
	e.Alerts(t0, []*model.Alert{
		alert("KafkaBrokerDown", "queue", 10*time.Second), alert("HighErrorRate", "stock", 25*time.Second), alert("HighLatencyP99", "stock", 30*time.Second),
		alert("HighErrorRate", "shop", 45*time.Second), alert("HighLatencyP99", "shop", 50*time.Second),
	})
	e.Step(t0.Add(time.Minute))
	require.Len(t, e.Step(t0.Add(2*time.Minute)), 2)
}

func TestALateCauseJoinsAndIsNamed(t *testing.T) {
	hold := func(ls model.LabelSet) (time.Duration, bool) {
		if ls["alertname"] == "KubeDeploymentRolloutStuck" {
			return 15 * time.Minute, true
		}
		return 0, true
	}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: hold})
	e.Alerts(t0.Add(time.Minute), outage(0)[1:])
	e.Step(t0.Add(time.Minute))
	opened := e.Step(t0.Add(time.Minute + 3*time.Second))
	require.Len(t, opened, 1)
	e.Alerts(t0.Add(16*time.Minute), []*model.Alert{alert("KubeDeploymentRolloutStuck", "db", 15*time.Minute)})
	events := e.Step(t0.Add(16 * time.Minute))
	require.Len(t, events, 1)
	require.Equal(t, opened[0].Incident.ID, events[0].Incident.ID)
	require.Equal(t, "db", events[0].Incident.Causes[0].Entity.Name)
	if opened[0].Incident.Causes[0].Entity.Name != "db" {
		require.Equal(t, correlate.EventRevised, events[0].Type)
		require.Equal(t, 2, events[0].Incident.Revision)
	}
	require.Len(t, live(e), 1)
}

func TestCopiesOfAnHAPairVanish(t *testing.T) {
	e := engine("web", "api", "db")
	for _, replica := range []model.LabelValue{"a", "b"} {
		for _, a := range outage(0) {
			c := *a
			c.Labels = a.Labels.Clone()
			c.Labels["prometheus_replica"] = replica
			e.Alerts(t0.Add(time.Minute), []*model.Alert{&c})
		}
	}
	e.Step(t0.Add(time.Minute))
	got := live(e)
	require.Len(t, got, 1)
	require.Len(t, got[0].Alerts, 5)
	require.Len(t, got[0].Alerts[0].Fingerprints, 2)
	require.Equal(t, 1, got[0].Alerts[0].Firings)
}

func TestFlappingDoesNotFlapTheIncident(t *testing.T) {
	e := engine("web", "api", "db")
	counts := map[correlate.EventType]int{}
	size := 0
	for at := time.Duration(0); at < time.Hour; at += 20 * time.Second {
		now := t0.Add(at)
		for _, service := range []string{"web", "api", "db"} {
			e.Alerts(now, []*model.Alert{alert("HighErrorRate", service, at)})
			e.Alerts(now.Add(10*time.Second), []*model.Alert{alert("HighErrorRate", service, at, at+10*time.Second)})
		}
		for _, ev := range e.Step(now.Add(10 * time.Second)) {
			counts[ev.Type]++
		}
		snap, err := e.Snapshot()
		require.NoError(t, err)
		if at == 20*time.Minute {
			size = len(snap)
		}
		if at > 20*time.Minute {
			require.InDelta(t, size, len(snap), float64(size)*0.02, "the state grows")
		}
	}
	require.Equal(t, 1, counts[correlate.EventOpened])
	require.Zero(t, counts[correlate.EventResolved])
	require.LessOrEqual(t, counts[correlate.EventUpdated]+counts[correlate.EventRevised], 3, "people are told of every flap")
	require.Len(t, live(e), 1)
}

func TestAMergedIncidentKeepsTheIDThatWasToldFirst(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0, []*model.Alert{alert("HighErrorRate", "web", 0)})
	e.Step(t0)
	first := e.Step(t0.Add(3 * time.Second))
	e.Alerts(t0.Add(5*time.Second), []*model.Alert{alert("HighLatencyP99", "api", 5*time.Second)})
	e.Step(t0.Add(5 * time.Second))
	second := e.Step(t0.Add(8 * time.Second))
	require.Len(t, second, 1, "two alerts are not yet a storm")
	e.Alerts(t0.Add(20*time.Second), []*model.Alert{
		alert("DatabaseDown", "db", 0), alert("HighErrorRate", "api", 10*time.Second), alert("HighLatencyP99", "web", 12*time.Second),
	})
	events := e.Step(t0.Add(20 * time.Second))
	require.Len(t, events, 1)
	require.Equal(t, correlate.EventResolved, events[0].Type)
	require.Equal(t, second[0].Incident.ID, events[0].Incident.ID)
	require.Equal(t, first[0].Incident.ID, events[0].Incident.MergedInto)
	got := live(e)
	require.Len(t, got, 1)
	require.Equal(t, first[0].Incident.ID, got[0].ID)
	require.Equal(t, []string{second[0].Incident.ID}, got[0].Merged)
}

func TestACrashLosesNothing(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0.Add(30*time.Second), outage(0)[:3])
	e.Step(t0.Add(30 * time.Second))
	e.Step(t0.Add(34 * time.Second))
	snap, err := e.Snapshot()
	require.NoError(t, err)
	e.Alerts(t0.Add(time.Minute), outage(0)[3:])
	e.Step(t0.Add(time.Minute))
	want := live(e)

	back := engine("web", "api", "db")
	require.NoError(t, back.Restore(snap))
	back.Alerts(t0.Add(2*time.Minute), outage(0)) // All of it comes again.
	back.Step(t0.Add(2 * time.Minute))
	got := live(back)
	require.Len(t, got, 1)
	require.Equal(t, want[0].ID, got[0].ID)
	require.Equal(t, want[0].Opened, got[0].Opened)
	require.Equal(t, outcome(e), outcome(back))

	again, err := back.Snapshot()
	require.NoError(t, err)
	require.NoError(t, engine().Restore(again))
	require.ErrorContains(t, back.Restore([]byte("{")), "read the state of correlation")
	require.ErrorContains(t, back.Restore([]byte(`{"version":7}`)), "version 7, this program reads version 1")
	require.ErrorContains(t, back.Restore([]byte(`{"version":1,"records":[{"labels":{"a":"b"}}]}`)), "record 0 is incomplete")
	require.Equal(t, outcome(e), outcome(back), "a bad snapshot changed the state")
}

func FuzzRestore(f *testing.F) {
	e := engine("web", "api", "db")
	e.Alerts(t0, outage(0))
	e.Step(t0)
	snap, err := e.Snapshot()
	require.NoError(f, err)
	f.Add(snap)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := engine("web", "api", "db")
		if e.Restore(data) == nil {
			e.Step(t0.Add(time.Minute))
			e.Incidents()
		}
	})
}

func TestAlertsWithoutTopologyAreGroupedByTheirLabels(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Rules: noHold})
	for i := range 8 {
		a := alert("HighErrorRate", fmt.Sprintf("svc-%d", i), time.Duration(i)*5*time.Second)
		a.Labels["rack"] = "r7"
		b := alert("HighErrorRate", fmt.Sprintf("other-%d", i), time.Duration(i)*3*time.Hour)
		b.Labels["rack"] = model.LabelValue(fmt.Sprintf("r%d", 20+i))
		e.Alerts(t0.Add(48*time.Hour), []*model.Alert{a, b})
	}
	e.Step(t0.Add(48 * time.Hour))
	var sizes []int
	for _, i := range live(e) {
		sizes = append(sizes, len(i.Alerts))
		if len(i.Alerts) > 1 {
			require.Equal(t, "r7", i.Causes[0].Entity.Name)
		}
	}
	require.ElementsMatch(t, []int{8, 1, 1, 1, 1, 1, 1, 1, 1}, sizes)
}

func TestAChangeAtTheRootIsEvidence(t *testing.T) {
	run := func(change bool) correlate.Cause {
		e := engine("web", "api", "db")
		if change {
			e.Change(t0, correlate.Change{Time: t0.Add(-2 * time.Minute), Entity: correlate.Entity{Name: "api"}, Kind: "deploy", Text: "version 2 to 3"})
		}
		e.Alerts(t0.Add(time.Minute), outage(0)[1:])
		e.Step(t0.Add(time.Minute))
		i := live(e)[0]
		for _, c := range i.Causes {
			if c.Entity.Name == "api" {
				return c
			}
		}
		return correlate.Cause{}
	}
	without, with := run(false), run(true)
	require.Greater(t, with.Confidence, without.Confidence)
	found := false
	for _, ev := range with.Evidence {
		found = found || ev.Kind == "change" && ev.For
	}
	require.True(t, found)
}

func TestAnomaliesTakePartWithoutAlerts(t *testing.T) {
	cfg := correlate.DefaultConfig()
	cfg.AnomalyIncidents = 3
	e := correlate.NewEngine(cfg, correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold})
	anomaly := func(service, watch string, at time.Duration) {
		e.Anomaly(t0.Add(at), correlate.Anomaly{
			Watch: watch, Labels: model.LabelSet{"service": model.LabelValue(service)}, Kind: "point", Score: 3, Since: t0.Add(at), Active: true,
			Query: watch + `{service="` + service + `"}`, Value: 9, Expected: 1, Upper: 2,
		})
	}
	anomaly("db", "disk_io_time", 0)
	e.Step(t0)
	require.Empty(t, e.Step(t0.Add(time.Minute)), "one anomaly alone tells nobody")
	for i, s := range []string{"api", "web"} {
		for j, w := range []string{"latency", "error_rate", "request_duration"} {
			anomaly(s, w, time.Duration(10+20*i+j)*time.Second)
		}
	}
	e.Step(t0.Add(time.Minute))
	events := e.Step(t0.Add(2 * time.Minute))
	require.Len(t, events, 1)
	i := events[0].Incident
	require.Len(t, i.Anomalies, 7)
	require.Equal(t, "db", i.Causes[0].Entity.Name)
	require.Equal(t, "disk", i.Causes[0].Resource)
	require.Equal(t, `disk_io_time{service="db"}`, i.Causes[0].Evidence[0].Query)
}

type metrics struct{ ranking cause.Ranking }

func (m metrics) Ranking(correlate.Question) (cause.Ranking, bool) {
	return m.ranking, len(m.ranking.Candidates) > 0
}

func TestMetricsAndAlertsAreFused(t *testing.T) {
	ev := metrics{cause.Ranking{Candidates: []cause.Candidate{{Entity: "db", Confidence: 0.9, Evidence: []cause.Evidence{{Kind: "resource", For: true, Text: "disk busy"}}}, {Entity: "api", Confidence: 0.05}}}}
	run := func(deps correlate.Deps) correlate.Incident {
		deps.Topology, deps.Rules = chain("web", "api", "db"), noHold
		e := correlate.NewEngine(correlate.DefaultConfig(), deps)
		e.Alerts(t0.Add(time.Minute), outage(0)[1:])
		e.Step(t0.Add(time.Minute))
		return live(e)[0]
	}
	alone, fused := run(correlate.Deps{}), run(correlate.Deps{Evidence: ev})
	require.Equal(t, "api", alone.Causes[0].Entity.Name, "db is silent")
	require.Equal(t, "db", fused.Causes[0].Entity.Name)
	require.Equal(t, "resource", fused.Causes[0].Evidence[len(fused.Causes[0].Evidence)-1].Kind)
	sum := 0.0
	for _, c := range fused.Causes {
		sum += c.Confidence
	}
	require.InDelta(t, 0.93, sum, 0.02, "what is left is that it is none of these")
	nothing := cause.Ranking{NoClearCause: true, Candidates: []cause.Candidate{{Entity: "web", Confidence: 0.34}, {Entity: "api", Confidence: 0.33}, {Entity: "db", Confidence: 0.33}}}
	require.Equal(t, alone.Causes, run(correlate.Deps{Evidence: metrics{nothing}}).Causes, "a ranking of nothing changes nothing")
}

func TestMemoryIsBounded(t *testing.T) {
	cfg := correlate.DefaultConfig()
	cfg.MaxAlerts = 100
	e := correlate.NewEngine(cfg, correlate.Deps{Rules: noHold})
	for i := range 1000 {
		e.Alerts(t0.Add(time.Duration(i)*time.Second), []*model.Alert{alert("A", fmt.Sprint("s", i), time.Duration(i)*time.Second)})
	}
	e.Step(t0.Add(time.Hour))
	total := 0
	for _, i := range live(e) {
		total += len(i.Alerts)
	}
	require.LessOrEqual(t, total, 100)
	require.EqualValues(t, 1000-total, e.Forgotten())
}

func TestStrangeInputIsHarmless(t *testing.T) {
	e := engine("a", "b", "a", "a")
	e.Alerts(t0, []*model.Alert{
		nil,
		{},
		{Labels: model.LabelSet{"alertname": "x"}},
		{Labels: model.LabelSet{"prometheus_replica": "a"}, StartsAt: t0},
		{Labels: model.LabelSet{"alertname": "NoPlace"}, StartsAt: t0},
		{Labels: model.LabelSet{"alertname": "Ends before it starts", "service": "a b\xff"}, StartsAt: t0, EndsAt: t0.Add(-time.Hour)},
		{Labels: model.LabelSet{"alertname": "Future", "instance": "[::1]:9100"}, StartsAt: t0.Add(240 * time.Hour)},
		{Labels: model.LabelSet{"namespace": "x", "upstream": "y"}, StartsAt: t0},
	})
	e.Change(t0, correlate.Change{})
	e.Anomaly(t0, correlate.Anomaly{})
	e.Step(t0)
	e.Step(t0.Add(time.Minute))
	require.Len(t, live(e), 4)
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*correlate.Config)
		want   string
	}{
		{"wait too long", func(c *correlate.Config) { c.Wait = model.Duration(time.Hour) }, "correlate.wait is 1h: want a duration between 0s and 1m"},
		{"too few alerts", func(c *correlate.Config) { c.MaxAlerts = 1 }, "correlate.max_alerts is 1: want at least 100"},
		{"no severity", func(c *correlate.Config) { c.SeverityLabel = "" }, "correlate.severity_label is empty"},
		{"alertname as replica", func(c *correlate.Config) { c.ReplicaLabels = []string{"alertname"} }, `correlate.replica_labels has "alertname"`},
		{"empty label", func(c *correlate.Config) { c.TierLabels = []string{""} }, `correlate.tier_labels[0] is ""`},
		{"negative anomalies", func(c *correlate.Config) { c.AnomalyIncidents = -1 }, "correlate.anomaly_incidents is -1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := correlate.DefaultConfig()
			require.NoError(t, c.Validate())
			tc.change(&c)
			require.ErrorContains(t, c.Validate(), tc.want)
		})
	}
}

func TestDNSIsNamedThoughNobodyKnowsIt(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("a", "b", "c", "d", "e", "f", "g", "h"), Rules: noHold})
	for i, s := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		at := time.Duration(10+i*3) * time.Second
		e.Alerts(t0.Add(time.Minute), []*model.Alert{alert("DNSLookupFailures", s, at-5*time.Second), alert("HighErrorRate", s, at)})
	}
	e.Step(t0.Add(time.Minute))
	got := live(e)
	require.Len(t, got, 1)
	require.Equal(t, "dns", got[0].Causes[0].Entity.Name)
}

func FuzzReadRecording(f *testing.F) {
	f.Add(`{"receivedAt":"2026-03-02T12:00:30Z","status":"firing","startsAt":"2026-03-02T12:00:00Z","labels":{"alertname":"A"}}`)
	f.Add("{\n")
	f.Fuzz(func(t *testing.T, in string) {
		recorded, err := correlate.ReadRecording(strings.NewReader(in))
		if err != nil {
			return
		}
		for i := 1; i < len(recorded); i++ {
			require.False(t, recorded[i].ReceivedAt.Before(recorded[i-1].ReceivedAt), "not in order of arrival")
		}
	})
}

func TestTimeLostBetweenTwoServicesNamesTheWayBetweenThem(t *testing.T) {
	g := chain("web", "orders", "payment")
	ev := metrics{cause.Ranking{DecidedBy: "edge_gap", Candidates: []cause.Candidate{
		{Entity: "payment", Confidence: 0.9, Evidence: []cause.Evidence{{Kind: "edge_gap", For: true, Entity: "payment", Peer: "orders", Text: "the time is spent between them"}}},
		{Entity: "orders", Confidence: 0.05},
	}}}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: g, Rules: noHold, Evidence: ev})
	e.Alerts(t0.Add(time.Minute), []*model.Alert{alert("HighLatencyP95", "orders", 0), alert("SlowRequests", "orders", 0), alert("HighLatencyP95", "web", 5*time.Second)})
	e.Step(t0.Add(time.Minute))
	first := live(e)[0].Causes[0]
	require.Equal(t, "orders", first.Entity.Name)
	require.Equal(t, "network to payment", first.Resource)
	require.Greater(t, first.Confidence, 0.7, "payment, which answers as fast as ever, is no rival")
	require.False(t, live(e)[0].NoClearCause)
	require.Equal(t, "the time is spent between them", first.Evidence[0].Text, "what decided comes first")
	require.Contains(t, first.Text, "the network between orders and payment; explains")
	require.Equal(t, "network between orders and payment slow, affecting web", live(e)[0].Title)
	require.Equal(t, "Check delay, packet loss and errors on the network between orders and payment.", live(e)[0].Action)
}

func TestTheFirstPostWaitsAWhileForASettledCause(t *testing.T) {
	for name, c := range map[string]struct {
		evidence correlate.Evidence
		told     time.Duration
	}{
		"the metrics are sure":                              {metrics{cause.Ranking{End: t0, Candidates: []cause.Candidate{{Entity: "web", Confidence: 0.9}, {Entity: "api", Confidence: 0.05}}}}, 3 * time.Second},
		"the metrics are sure of the time before the alert": {metrics{cause.Ranking{End: t0.Add(-10 * time.Second), Candidates: []cause.Candidate{{Entity: "web", Confidence: 0.9}}}}, 30 * time.Second},
		"the metrics do not know":                           {metrics{cause.Ranking{End: t0, Candidates: []cause.Candidate{{Entity: "db", Confidence: 0.3}, {Entity: "api", Confidence: 0.3}, {Entity: "cache", Confidence: 0.3}}}}, 30 * time.Second},
		"the metrics say something else":                    {metrics{cause.Ranking{End: t0, Candidates: []cause.Candidate{{Entity: "api", Confidence: 0.8}, {Entity: "web", Confidence: 0.1}}}}, 30 * time.Second},
		"the metrics have not answered":                     {silent{}, 30 * time.Second},
		"there are no metrics to be waited for":             {nil, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db", "cache"), Rules: noHold, Evidence: c.evidence})
			e.Alerts(t0, []*model.Alert{alert("HighLatencyP95", "web", 0)})
			now, steps := t0, 0
			for len(e.Step(now)) == 0 {
				require.Less(t, steps, 40, "never told")
				next := e.NextStep(now)
				require.True(t, next.After(now), "asked for a step without a pause")
				now, steps = next, steps+1
			}
			require.Equal(t, c.told, now.Sub(t0))
		})
	}
}

func TestAnAlertThatEndsBeforeItsCauseIsSettledIsToldAllTheSame(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: chain("web", "api", "db"), Rules: noHold, Evidence: silent{}})
	short := []*model.Alert{alert("HighLatencyP95", "web", 0)}
	e.Alerts(t0, short)
	require.Empty(t, e.Step(t0))
	require.Empty(t, e.Step(t0.Add(5*time.Second)), "the metrics have not answered")
	e.Alerts(t0.Add(6*time.Second), resolved(short, 6*time.Second))
	require.Equal(t, t0.Add(6*time.Second), e.NextStep(t0.Add(6*time.Second)))
	events := e.Step(t0.Add(6 * time.Second))
	require.Len(t, events, 1)
	require.Equal(t, correlate.EventOpened, events[0].Type)
}

// silent is evidence that never has an answer.
type silent struct{}

func (silent) Ranking(correlate.Question) (cause.Ranking, bool) { return cause.Ranking{}, false }
