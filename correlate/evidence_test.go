package correlate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
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
