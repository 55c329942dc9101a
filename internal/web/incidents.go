package web

import (
	"cmp"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/access"
)

// Bounds of a page, so that one of 10 000 alerts stays readable and quick.
const (
	maxRows        = 200
	maxGroupAlerts = 50
	openAlerts     = 12
	maxEvents      = 200
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

type labelPair struct{ Name, Value string }

type evidenceView struct {
	For, HasValue bool
	Text, Query   string
	Value         float64
}

type causeView struct {
	Name, Text     string
	Confidence     float64
	Evidence, More []evidenceView // What is read at once, and the rest.
}

type hopView struct{ Name, Note string }

type alertView struct {
	State  string
	Start  time.Time
	Labels []labelPair
	own    model.LabelSet
}

type groupView struct {
	Name           string
	Common         []labelPair // What all its alerts share, said once.
	Alerts         []alertView
	Firing, Hidden int
	Open           bool
}

type chartView struct {
	Title, Text, Link string
	Chart             template.HTML
}

type eventView struct {
	Time       time.Time
	Kind, Text string
}

type incidentView struct {
	incidentRow
	AlertCount, Revision          int
	Shared                        []labelPair
	Cause, RunnerUp               *causeView
	Others                        []causeView
	Proposals                     []Proposal
	Action, RunbookURL, Confirmed string
	Affected                      []correlate.Count
	Path                          []hopView
	RuledOut                      []hopView
	Map                           template.HTML
	Reach                         int // Entities that have alerts.
	Charts                        []chartView
	Timeline                      template.HTML
	Events                        []eventView
	Groups                        []groupView
	Similar                       []Similar
	Link                          string
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

// view gathers all that the incident's page shows.
func (u *UI) view(inc *correlate.Incident) incidentView {
	proposals := u.Data.Proposals(inc.ID)
	v := incidentView{
		incidentRow: rowOf(inc), AlertCount: len(inc.Alerts), Shared: pairs(inc.Shared),
		Action: inc.Action, RunbookURL: safeURL(inc.RunbookURL), Affected: inc.Affected,
		Proposals: proposals, Similar: u.Data.Similar(inc.ID), Confirmed: u.Data.Confirmed(inc.ID), Link: u.incidentURL(inc.ID),
		Timeline: timeline(inc, proposals, u.Now()), Groups: groups(inc), Events: events(inc, proposals),
	}
	if inc.Revision > 1 {
		v.Revision = inc.Revision
	}
	for i, c := range inc.Causes {
		view := causeView{Name: causeName(c), Text: c.Text, Confidence: c.Confidence}
		if !strings.HasPrefix(c.Text, c.Entity.Name) {
			view.Text = capital(c.Text) // A name keeps its letters.
		}
		view.Evidence, view.More = split(evidence(c.Evidence))
		switch {
		case i == 0 && !inc.NoClearCause:
			v.Cause = &view
		default:
			v.Others = append(v.Others, view)
		}
		if i == 1 && v.Cause != nil {
			v.RunnerUp = &view
		}
	}
	v.Others = v.Others[:min(len(v.Others), 10)]
	for _, h := range inc.Path {
		v.Path = append(v.Path, hopView{h.Entity.Name, h.State})
	}
	for _, r := range inc.RuledOut {
		v.RuledOut = append(v.RuledOut, hopView{r.Entity, r.Text})
	}
	v.Map, v.Reach = u.incidentMap(inc)
	v.Charts = u.charts(inc)
	return v
}

// evidenceShown is how many observations are read at once: what speaks against a cause is always among them.
const evidenceShown = 5

// split takes what is read at once: everything against, which is rare and must not be missed, and the first for.
func split(all []evidenceView) (shown, more []evidenceView) {
	if len(all) <= evidenceShown+1 {
		return all, nil
	}
	room := evidenceShown
	for _, e := range all {
		if !e.For {
			room--
		}
	}
	for _, e := range all {
		switch {
		case !e.For:
			shown = append(shown, e)
		case room > 0:
			room--
			shown = append(shown, e)
		default:
			more = append(more, e)
		}
	}
	return shown, more
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// charts draws the anomalies of the incident, the strongest first, with the incident shaded.
func (u *UI) charts(inc *correlate.Incident) []chartView {
	anomalies := slices.Clone(inc.Anomalies)
	slices.SortStableFunc(anomalies, func(a, b correlate.Anomaly) int { return cmp.Compare(b.Score, a.Score) })
	end := inc.End
	if end.IsZero() {
		end = u.Now()
	}
	var out []chartView
	for _, a := range anomalies[:min(len(anomalies), 4)] {
		block := a.Labels.String()
		d, ok := u.Data.SeriesDetail(a.Watch, block)
		if !ok {
			continue
		}
		from, to := inc.Start.Add(-time.Hour).UnixMilli(), end.Add(time.Hour).UnixMilli()
		points := slices.DeleteFunc(slices.Clone(d.Points), func(p Point) bool { return p.Time < from || p.Time > to })
		if len(points) == 0 {
			continue // An incident of long ago: its samples are in Prometheus, no more in memory.
		}
		out = append(out, chartView{
			Title: a.Watch + " " + d.Labels, Text: a.Text, Link: seriesLink(a.Watch, block),
			Chart: BandChart(a.Watch+" with its learned band; the incident is shaded", points, Span{inc.Start.UnixMilli(), end.UnixMilli()}),
		})
	}
	return out
}

func evidence(in []cause.Evidence) []evidenceView {
	out := make([]evidenceView, 0, len(in))
	for _, e := range in {
		out = append(out, evidenceView{For: e.For, Text: e.Text, Query: e.Query, Value: e.Value, HasValue: e.Query != "" && !math.IsNaN(e.Value)})
	}
	return out
}

// groups sorts the alerts under their names, the largest group first; the first is open when it is
// short. Labels that all alerts of a group share are said once.
func groups(inc *correlate.Incident) []groupView {
	byName := map[string]*groupView{}
	common := map[string]model.LabelSet{}
	var order []string
	for i := range inc.Alerts {
		m := &inc.Alerts[i]
		name := string(m.Labels[model.AlertNameLabel])
		g := byName[name]
		if g == nil {
			g = &groupView{Name: name}
			byName[name], common[name] = g, m.Labels.Clone()
			order = append(order, name)
		}
		for k, v := range common[name] {
			if m.Labels[k] != v {
				delete(common[name], k)
			}
		}
		if m.Status == correlate.StateFiring {
			g.Firing++
		}
		if len(g.Alerts) == maxGroupAlerts {
			g.Hidden++
			continue
		}
		g.Alerts = append(g.Alerts, alertView{State: m.Status, Start: m.StartsAt, own: m.Labels})
	}
	out := make([]groupView, 0, len(order))
	for _, name := range order {
		g := byName[name]
		if len(g.Alerts) == 1 {
			common[name] = model.LabelSet{} // A single alert has its labels in its row.
		}
		for i := range g.Alerts {
			g.Alerts[i].Labels = pairs(without(g.Alerts[i].own, common[name], inc.Shared))
		}
		g.Common = pairs(without(common[name], inc.Shared))
		out = append(out, *g)
	}
	slices.SortStableFunc(out, func(a, b groupView) int { return len(b.Alerts) + b.Hidden - len(a.Alerts) - a.Hidden })
	if len(out) > 0 && len(out[0].Alerts) <= openAlerts {
		out[0].Open = true
	}
	return out
}

// Total is how many alerts the group has.
func (g groupView) Total() int { return len(g.Alerts) + g.Hidden }

// without is ls less its name and what any of the sets says too.
func without(ls model.LabelSet, sets ...model.LabelSet) model.LabelSet {
	out := ls.Clone()
	delete(out, model.AlertNameLabel)
	for _, set := range sets {
		for k := range set {
			delete(out, k)
		}
	}
	return out
}

func events(inc *correlate.Incident, proposals []Proposal) []eventView {
	all := course(inc, proposals)
	out := make([]eventView, 0, min(len(all), maxEvents))
	for _, e := range all[:min(len(all), maxEvents)] {
		out = append(out, eventView{e.Time, e.Kind, e.Text})
	}
	return out
}

func pairs(ls model.LabelSet) []labelPair {
	out := make([]labelPair, 0, len(ls))
	for k, v := range ls {
		out = append(out, labelPair{string(k), string(v)})
	}
	slices.SortFunc(out, func(a, b labelPair) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// safeURL lets http and https addresses pass; an alert's author chose the text.
func safeURL(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

// who finds who posts a form or calls a mutating endpoint, or says why they may not. A browser's form
// carries the token in a field; a script in the Authorization header.
func (u *UI) who(r *http.Request, want access.Role) (name, why string) {
	if !sameOrigin(r) {
		return "", "the request came from another site"
	}
	if r.Header.Get("Authorization") == "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
		if token := strings.TrimSpace(r.PostFormValue("token")); token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	name, ok := u.Access().Who(r, want)
	if !ok {
		return "", "this needs the role " + string(want) + ": list who has it under roles in the configuration, and send their token or user"
	}
	return name, ""
}

// sameOrigin checks what a browser says of where a request comes from; other clients say nothing.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && strings.EqualFold(from.Host, r.Host)
}

// refusal is what a person reads whose form was not accepted.
type refusal struct{ Why, Back string }

func (u *UI) refused(w http.ResponseWriter, r *http.Request, code int, why string) {
	u.render(w, r, code, "refused", "", "Refused", refusal{why, u.Prefix + "/incidents/" + url.PathEscape(r.PathValue("id"))})
}

func (u *UI) postVerdict(w http.ResponseWriter, r *http.Request) {
	by, why := u.who(r, access.Approve)
	if why != "" {
		u.refused(w, r, http.StatusForbidden, why)
		return
	}
	if err := u.Data.Verdict(r, r.PathValue("proposal"), by, r.PostFormValue("verdict") == "approve"); err != nil {
		u.refused(w, r, http.StatusConflict, err.Error())
		return
	}
	http.Redirect(w, r, u.Prefix+"/incidents/"+url.PathEscape(r.PathValue("id"))+"#do", http.StatusSeeOther)
}

func (u *UI) postFeedback(w http.ResponseWriter, r *http.Request) {
	by, why := u.who(r, access.Ack)
	if why != "" {
		u.refused(w, r, http.StatusForbidden, why)
		return
	}
	if err := u.Data.Feedback(r.PathValue("id"), by, r.PostFormValue("verdict") == "confirm", strings.TrimSpace(r.PostFormValue("cause"))); err != nil {
		u.refused(w, r, http.StatusBadRequest, err.Error())
		return
	}
	http.Redirect(w, r, u.Prefix+"/incidents/"+url.PathEscape(r.PathValue("id"))+"#feedback", http.StatusSeeOther)
}
