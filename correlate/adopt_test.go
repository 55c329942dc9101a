package correlate_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
)

func TestAToldIncidentKeepsItsIDThoughTheSnapshotIsOlder(t *testing.T) {
	e := engine("web", "api", "db")
	empty, err := e.Snapshot()
	require.NoError(t, err)
	e.Alerts(t0, outage(0)[1:])
	e.Step(t0)
	events := e.Step(t0.Add(3 * time.Second))
	require.Len(t, events, 1)
	told := events[0].Incident

	// What is kept went through JSON. The alert that started first comes only now.
	data, err := json.Marshal(told)
	require.NoError(t, err)
	var kept correlate.Incident
	require.NoError(t, json.Unmarshal(data, &kept))
	now := t0.Add(5 * time.Second)
	back := engine("web", "api", "db")
	require.NoError(t, back.Restore(empty))
	back.Adopt(now, []correlate.Incident{kept})
	back.Alerts(now, outage(0))
	events = back.Step(now)
	require.Len(t, live(back), 1)
	after := live(back)[0]
	require.Equal(t, told.ID, after.ID)
	require.Equal(t, told.Opened, after.Opened)
	require.Len(t, after.Alerts, len(outage(0)))
	require.Len(t, events, 1, "it is told again: nobody may have heard of it")
	require.NotEqual(t, correlate.EventOpened, events[0].Type, "but not as a new one")

	fresh := engine("web", "api", "db")
	fresh.Alerts(now, outage(0))
	fresh.Step(now)
	require.NotEqual(t, told.ID, live(fresh)[0].ID, "the case tests nothing")
}

func TestWhatTheSnapshotKnowsStands(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0, outage(0))
	e.Step(t0)
	e.Step(t0.Add(3 * time.Second))
	snap, err := e.Snapshot()
	require.NoError(t, err)
	back := engine("web", "api", "db")
	require.NoError(t, back.Restore(snap))
	back.Adopt(t0.Add(4*time.Second), e.Incidents())
	again, err := back.Snapshot()
	require.NoError(t, err)
	require.JSONEq(t, string(snap), string(again))
}

func TestIncidentsThatAreLongOverAreNotTakenBack(t *testing.T) {
	e := engine("db")
	e.Alerts(t0, outage(0)[:1])
	e.Step(t0)
	e.Step(t0.Add(3 * time.Second))
	e.Alerts(t0.Add(time.Minute), resolved(outage(0)[:1], time.Minute))
	e.Step(t0.Add(time.Hour))
	over := e.Incidents()
	require.Equal(t, correlate.StateResolved, over[0].State)
	back := engine("db")
	back.Adopt(t0.Add(30*24*time.Hour), over)
	require.Empty(t, back.Incidents())
	back.Adopt(t0.Add(time.Hour), over)
	require.Equal(t, over, back.Incidents(), "within the retention it is shown as it was")
}
