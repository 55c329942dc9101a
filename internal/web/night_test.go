package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/web"
)

// What people read at night: the head of an incident's page, its observations, times and values.

func TestIncidentPageShowsWhatTheNightShiftNeeds(t *testing.T) {
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{incident("")}}), "/incidents/abc123").Body.String()
	for _, want := range []string{
		"database degradation", "db-primary disk", "82 %", "Next: web at 10 %", "12 web servers", "failover",
		`action="/tm/incidents/abc123/proposals/p1"`, "Approve", "1 alert → 1 incident", "/incidents/abc123.md",
		"ended by: failover", "db-primary disk, said people",
	} {
		require.Contains(t, body, want)
	}
}

func TestFiveObservationsAreReadAtOnceAndNoneAgainstIsHidden(t *testing.T) {
	inc := incident("x")
	inc.Causes[0].Evidence = nil
	for i := range 12 {
		inc.Causes[0].Evidence = append(inc.Causes[0].Evidence, cause.Evidence{For: i != 10, Text: fmt.Sprintf("observation %d", i), Query: "up", Value: 1})
	}
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String()
	shown, folded, found := strings.Cut(body, "7 more observations")
	require.True(t, found)
	for _, want := range []string{"observation 0", "observation 3", "observation 10", "query = 1"} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, shown, "observation 4<")
	require.Contains(t, folded, "observation 11")
}

func TestOnlyThePageOfAnOpenIncidentRefreshesItself(t *testing.T) {
	inc := incident("")
	inc.Posts = []correlate.Post{{Time: now.Add(-9 * time.Minute), Type: correlate.EventOpened, Revision: 1}}
	page := func() string {
		return get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String()
	}
	open := page()
	require.Contains(t, open, `hx-get="/tm/incidents/abc123" hx-trigger="every 10s, refresh"`)
	require.Contains(t, open, `data-says="firing, 1 alert, db-primary disk is the cause at 82 %, runbook failover suggested"`)
	require.Contains(t, open, `src="/tm/static/live.js"`)
	require.Contains(t, open, `<noscript> · <a href="">load again</a></noscript>`)
	for _, want := range []string{"began 10 min ago", "as of 10:30:00 UTC", "people were told 10:21:00 UTC, 9 min ago"} {
		require.Contains(t, open, want, "times have their zone, and say how long ago they were")
	}

	inc.State, inc.End = correlate.StateResolved, now.Add(-26*time.Hour)
	inc.Start = inc.End.Add(-90 * time.Second)
	ended := page()
	require.NotContains(t, ended, "hx-get")
	require.NotContains(t, ended, "<script")
	require.Contains(t, ended, "lasted 1 min, ended 26 h ago")
	require.Contains(t, ended, "ended 2026-11-02 08:30:00 UTC, 26 h ago", "another day is said")
}

func TestAnObservationIsReadInALineAndUnfolds(t *testing.T) {
	long := "latency of api is 2 s, usually 20 to 40 ms; it is five times the highest that was ever seen at this hour of a working day in four weeks"
	inc := incident("")
	inc.Causes[0].Evidence = []cause.Evidence{
		{Kind: "coverage", For: true, Text: "8 of 8 alerts are where trouble would show"},
		{Kind: "anomaly", For: true, Text: long, Query: "latency", Value: 2},
		{Kind: "alert", For: true, Text: "Slow at api began first", Query: "ALERTS_FOR_STATE{}", Value: float64(now.Unix())},
	}
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String()
	card, rest, found := strings.Cut(body, `id="do"`)
	require.True(t, found)
	require.Contains(t, card, "<p>latency of api is 2 s, usually 20 to 40 ms …</p>", "the first screen says why, and what is only counted is no reason")
	require.NotContains(t, card, long)
	require.Contains(t, rest, "<p>"+long+"</p><code>latency</code>", "the whole is folded with the query")
	require.Contains(t, rest, "query = 10:30:00 UTC", "since when an alert was pending is a time")
}

func TestValuesHaveTheirUnit(t *testing.T) {
	value, low, high := 0.31, 0.02, 0.04
	d := web.SeriesDetail{SeriesRow: web.SeriesRow{
		Watch: "latency", Labels: "{}", Unit: "s", Value: &value, Lower: &low, Upper: &high,
		SeriesWhy: &web.SeriesWhy{Limit: &web.LimitRow{Limit: 1.5}},
	}}
	for i := range 30 {
		d.Points = append(d.Points, web.Point{Time: now.Add(time.Duration(i) * time.Minute).UnixMilli(), Value: 0.03, Expected: 0.03, Lower: 0.02, Upper: 0.04})
	}
	body := get(t, serve(t, &fake{details: map[string]web.SeriesDetail{"latency{}": d}}), "/series?watch=latency&labels=%7B%7D").Body.String()
	for _, want := range []string{"<strong>310 ms</strong>", "usually 20 ms to 40 ms", "1.5 s is not crossed", `data-unit="s"`, ">-11 ms</text>"} {
		require.Contains(t, body, want)
	}
	require.Contains(t, body, "less what was expected of it", "the residual is drawn")
}

func TestACallsAnomalyIsOnTheLaneOfWhoWasCalled(t *testing.T) {
	inc := incident("")
	inc.Anomalies = []correlate.Anomaly{{Watch: "edge_errors", Labels: model.LabelSet{"client": "web", "server": "payment"}, Since: now.Add(-5 * time.Minute)}}
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String()
	require.Contains(t, body, ">payment</text>")
	require.NotContains(t, body, ">edge_errors</text>")
}
