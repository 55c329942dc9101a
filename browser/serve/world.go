package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/web"
)

// world is made-up Data for the pages; it implements web.Data.
type world struct {
	now       time.Time
	incidents []correlate.Incident
	series    []web.SeriesDetail
	edges     []web.Edge
	status    web.Status

	mu        sync.Mutex
	proposals map[string][]web.Proposal
}

// manyIncidents is how many incidents the list holds.
const manyIncidents = 1000

func newWorld(now time.Time) *world {
	w := &world{now: now, edges: shop(now), proposals: map[string][]web.Proposal{}}
	w.incidents = []correlate.Incident{usual(now), storm(now), hostileIncident(now), vague(now), resolved(now), open(now)}
	for i := len(w.incidents); i < manyIncidents; i++ {
		w.incidents = append(w.incidents, past(now, i))
	}
	w.series = watched(now, 300)
	for i := range 4 {
		w.proposals[w.incidents[i].ID] = proposals(&w.incidents[i])
	}
	w.proposals[resolvedID] = carriedOut(&w.incidents[4])
	w.proposals[openID] = proposals(&w.incidents[5])
	w.status = ill(now)
	return w
}

// calmWorld has nothing that means harm: the pictures of the documents are made of it.
func calmWorld(now time.Time) *world {
	w := &world{now: now, edges: shop(now), proposals: map[string][]web.Proposal{}, status: well(now)}
	w.edges = w.edges[:len(w.edges)-1] // The last one means harm.
	w.incidents = []correlate.Incident{usual(now), resolved(now)}
	for i := 2; i < 40; i += 3 {
		w.incidents = append(w.incidents, past(now, i))
	}
	slices.SortStableFunc(w.incidents[1:], func(a, b correlate.Incident) int { return b.Start.Compare(a.Start) })
	w.series = slices.Delete(watched(now, 9), 2, 3) // The third means harm.
	w.proposals[usualID] = proposals(&w.incidents[0])
	done := resolved(now)
	w.proposals[resolvedID] = carriedOut(&done)
	return w
}

// freshWorld is a Tidemark that was started a moment ago: nothing fires, nothing is learned.
func freshWorld(now time.Time) *world {
	st := well(now)
	st.Ready, st.Since, st.Series, st.Progress, st.Watches = false, now.Add(-8*time.Second), 0, 0, nil
	return &world{now: now, proposals: map[string][]web.Proposal{}, status: st}
}

// goOn lets the open incident have one more alert, or end.
func (w *world) goOn(end bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.incidents {
		inc := &w.incidents[i]
		switch {
		case inc.ID != openID:
		case end:
			inc.State, inc.End = correlate.StateResolved, w.now
		default:
			more := alert("QueueGrowing", "payments", w.now, nil)
			inc.Alerts = append(slices.Clone(inc.Alerts), more)
		}
	}
}

func (w *world) Incidents() []correlate.Incident {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]correlate.Incident{}, w.incidents...)
}

func (w *world) Incident(id string) (correlate.Incident, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, inc := range w.incidents {
		if inc.ID == id {
			return inc, true
		}
	}
	return correlate.Incident{}, false
}

func proposals(inc *correlate.Incident) []web.Proposal {
	text := "Moves the primary's role to the standby. One database, about 20 s without writes."
	if inc.ID == hostileID {
		text = hostile
	}
	steps := []web.Step{{Time: inc.FirstAlert.Add(12 * time.Second), Text: "suggested"}}
	return []web.Proposal{
		{
			ID: inc.ID + "-p1", Runbook: "db-failover", Description: text, Mode: "approve", State: "suggested",
			Detail: "matches the cause payments-db disk; limits: 1 an hour, 1 entity at a time", CanApprove: true, Steps: steps,
		},
		{
			ID: inc.ID + "-p2", Runbook: "expand-volume", Description: "Adds 20 % to the volume claim.", Mode: "suggest", State: "suggested",
			Detail: "suggest only: a person does it", Steps: steps,
		},
	}
}

// carriedOut is a runbook that was approved, called and verified.
func carriedOut(inc *correlate.Incident) []web.Proposal {
	p := proposals(inc)[0]
	at := func(min float64) time.Time { return inc.FirstAlert.Add(time.Duration(min * float64(time.Minute))) }
	p.CanApprove, p.State, p.Detail = false, "verified", "all 2 anomalous series are back inside their bands"
	p.Steps = append(p.Steps, web.Step{Time: at(9), Text: "approved by night shift"}, web.Step{Time: at(9.1), Text: "called"},
		web.Step{Time: at(9.2), Text: "answered 200, attempt 1"}, web.Step{Time: at(18), Text: "verified: " + p.Detail})
	return []web.Proposal{p}
}

func (w *world) Proposals(incident string) []web.Proposal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]web.Proposal{}, w.proposals[incident]...)
}

func (w *world) Verdict(_ *http.Request, proposal, by string, approve bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range w.proposals {
		for i := range list {
			p := &list[i]
			if p.ID != proposal {
				continue
			}
			if !p.CanApprove {
				return fmt.Errorf("the proposal is %s", p.State)
			}
			p.CanApprove, p.State, p.Detail = false, "rejected", "by "+by
			if approve {
				p.State, p.Detail = "running", "approved by "+by+"; verified when the score is back in its band for 5 minutes"
			}
			return nil
		}
	}
	return errors.New("there is no such proposal")
}

func (w *world) Series(f web.SeriesFilter) (rows []web.SeriesRow, total int) {
	for _, d := range w.series {
		if f.OnlyAnomalous && !d.Active || f.Watch != "" && d.Watch != f.Watch || !strings.Contains(strings.ToLower(d.Watch+" "+d.Labels), strings.ToLower(f.Query)) {
			continue
		}
		total++
		if len(rows) < f.Limit {
			rows = append(rows, d.SeriesRow)
		}
	}
	return rows, total
}

func (w *world) SeriesDetail(watch, labels string) (web.SeriesDetail, bool) {
	for _, d := range w.series {
		if d.Watch == watch && d.Labels == labels {
			return d, true
		}
	}
	return web.SeriesDetail{}, false
}

func (w *world) Topology() []web.Edge { return w.edges }

func (w *world) Status() web.Status { return w.status }

func well(now time.Time) web.Status {
	return web.Status{
		Healthy: true, Ready: true, Since: now.Add(-76 * time.Hour), Series: 432, Progress: 1,
		Watches: []web.WatchStatus{
			{Name: "http_errors", Expr: `sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))`, Origin: "rules", Series: 20, Learned: 1},
			{Name: "disk_io_time", Expr: `rate(node_disk_io_time_seconds_total[5m])`, Origin: "preset node", Series: 412, Learned: 1},
		},
		Stages:  []web.StageStatus{{Name: "score", Lag: "4 s", Limit: "2 min"}, {Name: "correlate", Lag: "1 s", Limit: "1 min"}, {Name: "store", Lag: "12 s", Limit: "1 min"}},
		Sources: sources(""), Limits: limits(),
		Config: "prometheus:\n  url: http://localhost:9090\nalertmanagers:\n  - url: http://localhost:9093\n", ConfigLoaded: now.Add(-5 * time.Hour),
	}
}

func sources(trouble string) []web.SourceStatus {
	return []web.SourceStatus{
		{Name: "metrics and rules", Where: "http://localhost:9090", Seen: "1284 calls", Trouble: trouble},
		{Name: "Alertmanager", Where: "http://localhost:9093", Seen: "4 alerts told, heartbeat 12 s ago"},
		{Name: "alerts", Where: "/api/v1/alerts/webhook", Seen: "312 alerts"},
		{Name: "changes", Where: "/api/v1/changes", Seen: "3 changes"},
		{Name: "log lines", Where: "/loki/api/v1/push"},
		{Name: "spans", Where: "/v1/traces"},
		{Name: "topology", Where: "3 kinds of sources", Seen: "21 edges"},
	}
}

func limits() []web.LimitStatus {
	return []web.LimitStatus{{Name: "max_series", Used: 432, Max: 1_000_000}, {Name: "memory_ratio", Used: 48 << 20, Max: 720 << 20, Unit: "B"}}
}

// ill is a Tidemark in the middle of learning, with a broken watch and text that means harm.
func ill(now time.Time) web.Status {
	return web.Status{
		Healthy: true, Since: now.Add(-76 * time.Hour), Version: "made-up", Series: 12_480, LearnedSeries: 20, LearningLeft: "1m5s", Progress: 0.83,
		Watches: []web.WatchStatus{
			{Name: "http_errors", Expr: `sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))`, Origin: "configuration", Series: 20, Learned: 1},
			{Name: "disk_io_time", Expr: `rate(node_disk_io_time_seconds_total[5m])`, Origin: "preset node", Series: 412, Learned: 0.83},
			{Name: "broken", Expr: hostile, Origin: hostile, Error: "execution: found duplicate series for the match group " + hostile},
		},
		Stages:  []web.StageStatus{{Name: "score", Lag: "4 s", Limit: "2 min"}, {Name: "correlate", Lag: "1 s", Limit: "1 min"}, {Name: "store", Lag: "12 s", Limit: "1 min", Error: hostile}},
		Sources: sources(hostile), Limits: limits(),
		Config: "prometheus:\n  url: http://localhost:9090\n  # " + hostile + "\nalertmanagers:\n  - url: http://localhost:9093\n", ConfigLoaded: now.Add(-5 * time.Hour),
		ConfigError: "tidemark.yml: line 14: field watchs not found " + hostile,
	}
}

func (w *world) Feedback(string, string, bool, string) error { return nil }

func (w *world) Confirmed(id string) string {
	switch id {
	case hostileID:
		return hostile
	case resolvedID:
		return "payments-db disk"
	}
	return ""
}

func (w *world) Fixed(string, string) error { return nil }

func (w *world) Search(string, int) []web.Found { return nil }

func (w *world) Coverage(string, string, time.Time) (correlate.Coverage, bool) {
	return correlate.Coverage{}, false
}

func (w *world) Changes(correlate.ChangeFilter) []correlate.Change { return nil }

func (w *world) Similar(id string) []web.Similar {
	if id == hostileID {
		return []web.Similar{{ID: resolvedID, Title: hostile, Start: w.now.Add(-30 * time.Hour), Score: 0.9, Confirmed: hostile, Fixed: hostile}}
	}
	return []web.Similar{
		{ID: resolvedID, Title: "database degradation affecting checkout and payments", Start: w.now.Add(-30 * time.Hour), Score: 0.91, Confirmed: "payments-db disk", Fixed: "db-failover"},
		{ID: past(w.now, 7).ID, Title: "checkout errors", Start: w.now.Add(-200 * time.Hour), Score: 0.62},
	}
}
