package correlate_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/stormtest"
	"github.com/tidemark/tidemark/correlate/topology"
)

func chain(names ...string) *topology.Graph {
	g := topology.NewGraph(topology.Options{})
	for i := 1; i < len(names); i++ {
		g.Add(t0, topology.Edge{
			From: topology.Entity{Kind: topology.KindService, Name: names[i-1]}, To: topology.Entity{Kind: topology.KindService, Name: names[i]},
			Kind: topology.Call, Source: "test",
		})
	}
	return g
}

func alert(name, service string, start time.Duration, end ...time.Duration) *model.Alert {
	a := &model.Alert{
		Labels:   model.LabelSet{"alertname": model.LabelValue(name), "service": model.LabelValue(service), "severity": "critical"},
		StartsAt: t0.Add(start),
	}
	if len(end) > 0 {
		a.EndsAt = t0.Add(end[0])
	}
	return a
}

func noHold(model.LabelSet) (time.Duration, bool) { return 0, true }

// outcome is what must not depend on the order: members, causes and confidence of every incident.
func outcome(e *correlate.Engine) []string {
	var out []string
	for _, i := range e.Incidents() {
		if i.MergedInto != "" {
			continue
		}
		s := ""
		for _, m := range i.Alerts {
			s += fmt.Sprintf("%s %s %v %v %v;", m.Fingerprint, m.Fingerprints, m.StartsAt.Unix(), m.EndsAt.Unix(), m.Status)
		}
		for _, c := range i.Causes {
			s += fmt.Sprintf("%s %.3f %v;", c.Entity.Name, c.Confidence, c.Start.Unix())
		}
		out = append(out, s+i.Title+i.State)
	}
	slices.Sort(out)
	return out
}

func permutations(n int, visit func([]int)) {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	var walk func(int)
	walk = func(k int) {
		if k == n {
			visit(p)
			return
		}
		for i := k; i < n; i++ {
			p[k], p[i] = p[i], p[k]
			walk(k + 1)
			p[k], p[i] = p[i], p[k]
		}
	}
	walk(0)
}

func TestEveryOrderOfSixMessagesEndsTheSame(t *testing.T) {
	messages := []*model.Alert{
		alert("DatabaseDown", "db", 0),
		alert("HighErrorRate", "api", 20*time.Second),
		alert("HighErrorRate", "web", 40*time.Second),
		alert("HighErrorRate", "api", 20*time.Second, 4*time.Minute),
		alert("HighErrorRate", "api", 5*time.Minute),
		alert("DatabaseDown", "db", 0, 6*time.Minute),
	}
	graph := chain("web", "api", "db")
	var want []string
	permutations(len(messages), func(order []int) {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: graph, Rules: noHold})
		now := t0.Add(10 * time.Minute)
		for _, i := range order {
			e.Alerts(now, messages[i:i+1])
			e.Step(now)
			now = now.Add(time.Second)
		}
		e.Step(t0.Add(11 * time.Minute))
		got := outcome(e)
		if want == nil {
			want = got
			require.Len(t, want, 1)
		}
		require.Equal(t, want, got, "order %v", order)
	})
}

func TestRandomStormsEndTheSameInAnyOrderAndRepeated(t *testing.T) {
	for seed := range uint64(6) {
		s := stormtest.Generate(seed+50, stormtest.Options{})
		graph := s.Graph()
		end := s.Events[len(s.Events)-1].ReceivedAt
		feed := func(events []correlate.Recorded, batch int) []string {
			e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: graph})
			for chunk := range slices.Chunk(events, batch) {
				var alerts []*model.Alert
				for _, x := range chunk {
					a := &model.Alert{Labels: x.Labels, StartsAt: x.StartsAt}
					if x.Status == correlate.StateResolved {
						a.EndsAt = x.EndsAt
					}
					alerts = append(alerts, a)
				}
				e.Alerts(end, alerts)
				e.Step(end)
			}
			e.Step(end)
			return outcome(e)
		}
		want := feed(s.Events, len(s.Events))
		r := rand.New(rand.NewPCG(seed, 3))
		for range 3 {
			events := slices.Clone(s.Events)
			for range 50 {
				events = append(events, events[r.IntN(len(events))])
			}
			r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			require.Equal(t, want, feed(events, 40), "seed %d", seed)
		}
	}
}

func TestTheSameMessagesGiveTheSameIDs(t *testing.T) {
	run := func() []string {
		s := stormtest.Generate(9, stormtest.Options{})
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: s.Graph()})
		require.NoError(t, correlate.Replay(t.Context(), e, s.Events))
		var ids []string
		for _, i := range e.Incidents() {
			ids = append(ids, fmt.Sprint(i.ID, i.Revision, i.Opened, i.Merged, i.SplitFrom))
		}
		return ids
	}
	first := run()
	require.NotEmpty(t, first)
	require.Equal(t, first, run())
}

func TestEveryAlertIsInExactlyOneIncident(t *testing.T) {
	for seed := range uint64(4) {
		s := stormtest.Generate(seed+70, stormtest.Options{})
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{Topology: s.Graph()})
		require.NoError(t, correlate.Replay(t.Context(), e, s.Events))
		seen := map[string]int{}
		for _, i := range e.Incidents() {
			if i.MergedInto != "" {
				continue
			}
			for _, m := range i.Alerts {
				fps := m.Fingerprints
				if fps == nil {
					fps = []string{m.Fingerprint}
				}
				for _, f := range fps {
					seen[f+m.StartsAt.String()]++
				}
			}
		}
		require.GreaterOrEqual(t, len(seen), len(s.Truth))
		for f, n := range seen {
			require.Equal(t, 1, n, f)
		}
	}
}

func sortedTitles(events []correlate.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, string(e.Type)+" "+e.Incident.Title)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}
