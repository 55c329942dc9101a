package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/web"
)

// acted is fake with runbooks that did something.
func acted() *fake {
	inc := incident("x")
	inc.Posts = []correlate.Post{
		{Time: now.Add(-9 * time.Minute), Type: correlate.EventOpened, Revision: 1, Cause: "api", Confidence: 0.41},
		{Time: now.Add(-7 * time.Minute), Type: correlate.EventRevised, Revision: 2, Cause: "db-primary disk", Confidence: 0.82},
		{Time: now.Add(-time.Minute), Type: correlate.EventResolved, Revision: 2},
	}
	return &fake{incidents: []correlate.Incident{inc}, proposals: []web.Proposal{{ID: "p1", Runbook: "failover", Mode: "approve", State: "verified", Steps: []web.Step{
		{Time: now.Add(-8 * time.Minute), Text: "suggested"}, {Time: now.Add(-5 * time.Minute), Text: "approved by alice"},
	}}}}
}

func TestTheTimelineHasLanesForWhatWasToldAndWhatWasDone(t *testing.T) {
	body := get(t, serve(t, acted()), "/incidents/abc123").Body.String()
	for _, want := range []string{
		`>notifications</text>`, `>runbooks</text>`, `class="mark-notification"`, `class="mark-runbook"`,
		"people were told, with the cause api at 41 %", "people were told of another cause (revision 2), with the cause db-primary disk at 82 %",
		"people were told that it is over", "failover: approved by alice",
	} {
		require.Contains(t, body, want)
	}
	require.Equal(t, 3, strings.Count(body, `class="mark-notification"`))
	require.Equal(t, 2, strings.Count(body, `class="mark-runbook"`))
}

func TestWithoutPostsAndRunbooksThereAreNoEmptyLanes(t *testing.T) {
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{incident("x")}}), "/incidents/abc123").Body.String()
	require.NotContains(t, body, ">notifications</text>")
	require.NotContains(t, body, ">runbooks</text>")
}

func TestTheAPITellsTheWholeCourseInOrder(t *testing.T) {
	rec := get(t, serve(t, acted()), "/api/v1/incidents/abc123")
	require.Equal(t, http.StatusOK, rec.Code)
	var answer struct{ Data correlate.Incident }
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
	var kinds []string
	last := time.Time{}
	for _, e := range answer.Data.Timeline {
		require.False(t, e.Time.Before(last), "the timeline is in order")
		kinds, last = append(kinds, e.Kind), e.Time
	}
	require.Equal(t, []string{"notification", "runbook", "notification", "runbook", "notification", "alert"}, kinds)
}

func TestNumbersOfManyDigitsCanBeRead(t *testing.T) {
	inc := incident("x")
	one := inc.Alerts[0]
	for range 12_345 - 1 {
		inc.Alerts = append(inc.Alerts, one)
	}
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/").Body.String()
	require.Contains(t, body, "12\u202f345")
}
