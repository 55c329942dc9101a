package web

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
)

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

func events(inc *correlate.Incident, proposals []Proposal) []eventView {
	all := course(inc, proposals)
	out := make([]eventView, 0, min(len(all), maxEvents))
	for _, e := range all[:min(len(all), maxEvents)] {
		out = append(out, eventView{e.Time, e.Kind, e.Text})
	}
	return out
}

// safeURL lets http and https addresses pass; an alert's author chose the text.
func safeURL(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}
