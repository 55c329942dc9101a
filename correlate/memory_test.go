package correlate_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
)

// shelf is a KV in memory.
type shelf struct {
	data map[string][]byte
	err  error
}

func (s *shelf) Put(k string, v []byte) error {
	if s.err == nil {
		s.data[k] = v
	}
	return s.err
}

func (s *shelf) Delete(k string) error { delete(s.data, k); return s.err }

func (s *shelf) Each(visit func(string, []byte) error) error {
	for k, v := range s.data {
		if err := visit(k, v); err != nil {
			return err
		}
	}
	return s.err
}

func past(id, cause, resource string, day int, alerts ...string) correlate.Incident {
	i := correlate.Incident{
		ID: id, Title: cause + " degradation affecting web", Start: t0.AddDate(0, 0, day),
		Causes: []correlate.Cause{{Entity: correlate.Entity{Kind: "service", Name: cause}, Resource: resource, Confidence: 0.9}},
	}
	for n, a := range alerts {
		i.Alerts = append(i.Alerts, correlate.Member{Labels: model.LabelSet{"alertname": model.LabelValue(a)}, Entity: correlate.Entity{Name: fmt.Sprint("web-", n)}})
	}
	return i
}

func TestTheMostAlikePastIncidentComesFirst(t *testing.T) {
	kv := &shelf{data: map[string][]byte{}}
	m, err := correlate.OpenMemory(kv, 0)
	require.NoError(t, err)
	require.NoError(t, m.Remember(past("disk", "db-primary", "disk", 1, "DiskSaturated", "HighErrorRate")))
	require.NoError(t, m.Remember(past("cpu", "db-primary", "cpu", 2, "CPUSaturated", "HighErrorRate")))
	require.NoError(t, m.Remember(past("cert", "gateway", "certificate", 3, "CertificateExpired")))
	now := past("now", "db-primary", "disk", 9, "DiskSaturated", "HighErrorRate", "HighLatency")

	got := m.Similar(now, 2)
	require.Equal(t, "disk", got[0].ID)
	require.Greater(t, got[0].Score, 0.6)
	require.Equal(t, "cpu", got[1].ID)

	require.NoError(t, m.Judge("disk", correlate.VerdictReject, "disk/sda", "ann", t0))
	require.NoError(t, m.Judge("cpu", correlate.VerdictConfirm, "", "ben", t0))
	require.NoError(t, m.Fixed("disk", "runbook failover"))
	require.ErrorContains(t, m.Judge("disk", "maybe", "", "", t0), `verdict "maybe": want confirm or reject`)
	require.ErrorContains(t, m.Judge("nobody", correlate.VerdictConfirm, "", "", t0), `incident "nobody" is not remembered`)
	require.NoError(t, m.Remember(past("disk", "db-primary", "disk", 1, "DiskSaturated", "HighErrorRate")), "what people said stays")

	kv.data["broken"] = []byte("{")
	again, err := correlate.OpenMemory(kv, 0)
	require.NoError(t, err)
	got = again.Similar(now, 0)
	require.Equal(t, "disk/sda", got[0].Confirmed)
	require.Equal(t, "runbook failover", got[0].Fixed)
	require.Equal(t, "service/db-primary", got[1].Confirmed)
}

func TestPastIncidentsAreSearched(t *testing.T) {
	m, err := correlate.OpenMemory(&shelf{data: map[string][]byte{}}, 0)
	require.NoError(t, err)
	require.NoError(t, m.Remember(past("a", "db-primary", "disk", 1, "DiskSaturated")))
	require.NoError(t, m.Remember(past("b", "db-primary", "cpu", 2, "CPUSaturated")))
	ids := func(q string) []string {
		var out []string
		for _, p := range m.Search(q, 0) {
			out = append(out, p.ID)
		}
		return out
	}
	require.Equal(t, []string{"b", "a"}, ids("db primary"), "newest first")
	require.Equal(t, []string{"a"}, ids("primary DISK"))
	require.Empty(t, ids("payment"))
	require.Empty(t, ids("  "))
}

func TestWhatPeopleDoAboutAPageIsRemembered(t *testing.T) {
	m, err := correlate.OpenMemory(&shelf{data: map[string][]byte{}}, 0)
	require.NoError(t, err)
	brief := func(id string, minutes int) correlate.Incident {
		i := past(id, "db", "disk", 1, "DiskSaturated")
		i.State, i.Opened = correlate.StateResolved, i.Start.Add(3*time.Second)
		i.End = i.Opened.Add(time.Duration(minutes) * time.Minute)
		return i
	}
	ended := func(id string) string {
		p, ok := m.Past(id)
		require.True(t, ok)
		return p.Ended()
	}
	for _, i := range []correlate.Incident{brief("quick", 2), brief("long", 20), brief("silenced", 2), brief("fixed", 2)} {
		require.NoError(t, m.Remember(i))
	}
	require.NoError(t, m.Silenced("silenced", "ann", "nightly backup"))
	require.NoError(t, m.Fixed("fixed", "runbook failover"))
	require.NoError(t, m.Remember(brief("silenced", 2)), "a later look does not forget")
	require.Equal(t, "ended by itself within minutes", ended("quick"))
	require.Empty(t, ended("long"))
	require.Equal(t, "silenced by ann: nightly backup", ended("silenced"))
	require.Equal(t, "runbook failover", ended("fixed"))
	require.Equal(t, "silenced", m.Search("nightly backup", 0)[0].ID)
	require.Error(t, m.Silenced("nobody", "ann", ""))
}

func TestTheIncidentOfAnAlertIsKnown(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	require.Equal(t, live(e)[0].ID, e.IncidentOf(outage(0)[2].Labels))
	require.Empty(t, e.IncidentOf(model.LabelSet{"alertname": "Stranger"}))
}

func TestMemoryIsBoundedAndHonest(t *testing.T) {
	kv := &shelf{data: map[string][]byte{}}
	m, err := correlate.OpenMemory(kv, 2)
	require.NoError(t, err)
	for d := range 5 {
		require.NoError(t, m.Remember(past(fmt.Sprint(d), "db", "disk", d, "A")))
	}
	require.Len(t, kv.data, 2)
	_, ok := m.Past("4")
	require.True(t, ok)
	_, ok = m.Past("0")
	require.False(t, ok)

	merged := past("m", "db", "disk", 9, "A")
	merged.MergedInto = "4"
	require.NoError(t, m.Remember(merged))
	_, ok = m.Past("m")
	require.False(t, ok)

	kv.err = errors.New("disk full")
	require.ErrorContains(t, m.Remember(past("x", "db", "disk", 8, "A")), "remember incident x: disk full")
	_, ok = m.Past("x")
	require.False(t, ok, "remembered though not on disk")
	_, err = correlate.OpenMemory(kv, 0)
	require.ErrorContains(t, err, "read past incidents: disk full")
}

func TestAlertsOfEveryNightAreKnownAsSuch(t *testing.T) {
	h := correlate.NewHistory(time.UTC, []string{"replica"})
	ls := model.LabelSet{"alertname": "BackupSlow", "service": "db", "severity": "critical"}
	night := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	for d := 1; d <= 14; d++ {
		h.AddSeries(ls, []time.Time{night.AddDate(0, 0, -d), night.AddDate(0, 0, -d).Add(time.Minute)}, 5*time.Minute)
	}
	h.Observe(night.AddDate(0, 0, -14).Add(-time.Hour), night)
	member := func(at time.Time) correlate.Member {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{History: h, Rules: noHold})
		e.Alerts(at, []*model.Alert{{Labels: ls, StartsAt: at}})
		e.Step(at)
		return e.Incidents()[0].Alerts[0]
	}
	require.Equal(t, "fires every day about 02:04 (14 of 14 days)", member(night.Add(4*time.Minute)).Seasonal)
	require.Empty(t, member(night.Add(9*time.Hour)).Seasonal)
}

func TestAlertsThatUsedToFireTogetherAreGrouped(t *testing.T) {
	groups := func(h *correlate.History) int {
		e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{History: h, Rules: noHold})
		e.Alerts(t0, []*model.Alert{alert("BrokerDown", "bus", 0), alert("HighErrorRate", "mail", 10*time.Second), alert("HighLatency", "mail", 15*time.Second), alert("HighErrorRate", "fax", 20*time.Second)})
		e.Step(t0)
		return len(e.Incidents())
	}
	h := correlate.NewHistory(nil, nil)
	for d := 1; d <= 6; d++ {
		at := t0.Add(-time.Duration(d) * 31 * time.Hour)
		for _, a := range []*model.Alert{alert("BrokerDown", "bus", 0), alert("HighErrorRate", "mail", 0), alert("HighErrorRate", "fax", 0)} {
			h.Add(a.Labels, at)
		}
	}
	h.Observe(t0.AddDate(0, 0, -20), t0)
	require.Greater(t, groups(correlate.NewHistory(nil, nil)), 1)
	require.Equal(t, 1, groups(h))
}
