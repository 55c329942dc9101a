package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// Bounds of a page, so that one of 10 000 alerts stays readable and quick.
const (
	maxRows   = 200
	maxEvents = 200
)

// incidentRow is one line of the list.
type incidentRow struct {
	ID, Title, Severity, State, Cause string
	Alerts                            int
	HasCause                          bool
	Confidence                        float64
	Start, End                        time.Time
}

type incidentList struct {
	Firing, Resolved, Alerts, Total, More int
	Query, State, Self, Webhook           string
	Learned                               int // Percent of the history.
	States                                []string
	Rows                                  []incidentRow
}

// Says is what a screen reader is told when it changes.
func (l incidentList) Says() string {
	return count(l.Firing) + " firing, " + count(l.Resolved) + " ended"
}

func (u *UI) incidents(w http.ResponseWriter, r *http.Request) {
	list := incidentList{
		Query: r.FormValue("q"), State: cmp.Or(r.FormValue("state"), "all"),
		States: []string{"all", correlate.StateFiring, correlate.StateResolved}, Self: u.Prefix + r.URL.RequestURI(),
		Webhook: strings.TrimSuffix(u.ExternalURL, "/") + "/api/v1/alerts/webhook", Learned: 100,
	}
	if st := u.Data.Status(); !st.Ready {
		list.Learned = st.ProgressPercent()
	}
	for _, inc := range u.Data.Incidents() {
		list.Total++
		list.Alerts += len(inc.Alerts)
		if inc.State == correlate.StateResolved {
			list.Resolved++
		} else {
			list.Firing++
		}
		if list.State != "all" && inc.State != list.State || !mentions(&inc, list.Query) {
			continue
		}
		if len(list.Rows) == maxRows {
			list.More++
			continue
		}
		list.Rows = append(list.Rows, rowOf(&inc))
	}
	u.render(w, r, http.StatusOK, "incidents", "/", "Incidents", list)
}

func rowOf(inc *correlate.Incident) incidentRow {
	row := incidentRow{
		ID: inc.ID, Title: inc.Title, Severity: severity(inc.Severity), State: inc.State,
		Alerts: len(inc.Alerts), Start: inc.Start, End: inc.End, Cause: "no clear cause",
	}
	if c, ok := named(inc); ok {
		row.Cause, row.HasCause, row.Confidence = causeName(c), true, c.Confidence
	}
	return row
}

// mentions says whether every word of the query stands in the incident: its title, causes, entities
// or alert names.
func mentions(inc *correlate.Incident, query string) bool {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return true
	}
	var sb strings.Builder
	sb.WriteString(inc.ID + " " + inc.Title + " " + inc.Summary)
	for _, c := range inc.Causes {
		sb.WriteString(" " + causeName(c))
	}
	for _, m := range inc.Alerts {
		sb.WriteString(" " + string(m.Labels[model.AlertNameLabel]) + " " + m.Entity.Name)
	}
	text := strings.ToLower(sb.String())
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// named is the first cause when the incident has a clear one.
func named(inc *correlate.Incident) (correlate.Cause, bool) {
	if inc.NoClearCause || len(inc.Causes) == 0 {
		return correlate.Cause{}, false
	}
	return inc.Causes[0], true
}

// causeName is the entity of a cause and what of it is short: "db-primary disk".
func causeName(c correlate.Cause) string {
	return strings.TrimSpace(c.Entity.Name + " " + c.Resource)
}

// severity is one of the classes that the style sheet knows.
func severity(s string) string {
	switch s {
	case "critical", "page", "emergency", "high":
		return "critical"
	case "info", "none", "low":
		return "info"
	}
	return "warning"
}

func (u *UI) incident(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if name, ok := strings.CutSuffix(id, ".md"); ok {
		u.markdown(w, name)
		return
	}
	inc, ok := u.Data.Incident(id)
	if !ok {
		u.missing(w, r, "There is no incident "+id+". It may have been forgotten after the retention time.")
		return
	}
	u.render(w, r, http.StatusOK, "incident", "/", inc.Title, u.view(&inc))
}
