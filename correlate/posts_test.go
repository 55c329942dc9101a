package correlate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
)

func TestAnIncidentKnowsWhenPeopleWereToldOfIt(t *testing.T) {
	e := engine("web", "api", "db")
	e.Alerts(t0.Add(time.Minute), outage(0))
	e.Step(t0.Add(time.Minute))
	opened := e.Step(t0.Add(time.Minute + 30*time.Second))
	require.Len(t, opened, 1)
	first := correlate.Post{Time: t0.Add(time.Minute + 30*time.Second), Type: correlate.EventOpened, Revision: 1, Cause: "db", Confidence: opened[0].Incident.Causes[0].Confidence}
	require.Equal(t, []correlate.Post{first}, opened[0].Incident.Posts)

	saved, err := e.Snapshot()
	require.NoError(t, err)
	e = engine("web", "api", "db")
	require.NoError(t, e.Restore(saved), "a restart forgets no post")
	e.Alerts(t0.Add(20*time.Minute), resolved(outage(0), 19*time.Minute))
	e.Step(t0.Add(20 * time.Minute))
	events := e.Step(t0.Add(24 * time.Minute))
	require.Len(t, events, 1)
	posts := events[0].Incident.Posts
	require.Len(t, posts, 2)
	require.Equal(t, first, posts[0])
	require.Equal(t, correlate.EventResolved, posts[1].Type)
	require.Equal(t, t0.Add(24*time.Minute), posts[1].Time)
}
