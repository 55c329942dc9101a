package web

import (
	"cmp"
	"fmt"
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
	For                      bool
	Text, Rest, Query, Value string // What is read at once, what is folded away.
	Link                     string // Where the query leads, when it is a path of this server.
}

type causeView struct {
	Name, Text     string
	Why            string // The observation that speaks most for it.
	Confidence     float64
	Evidence, More []evidenceView // What is read at once, and the rest.
}

type hopView struct{ Name, Note string }

type chartView struct {
	Title, Text, Rest, Link string
	Chart                   template.HTML
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
	Told                          time.Time // When people were first told.
}

// Live says that the page may still change.
func (v incidentView) Live() bool { return v.State != correlate.StateResolved }

// Says is what a screen reader is told when it changes.
func (v incidentView) Says() string {
	cause := "no clear cause"
	if v.HasCause {
		cause = fmt.Sprintf("%s is the cause at %.0f %%", clip(v.incidentRow.Cause, 120), 100*v.Confidence)
	}
	out := v.State + ", " + plural(v.AlertCount, "alert", "alerts") + ", " + cause
	for _, p := range v.Proposals {
		out += ", runbook " + clip(p.Runbook, 60) + " " + p.State
	}
	return out
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
	if len(inc.Posts) > 0 {
		v.Told = inc.Posts[0].Time
	}
	for i, c := range inc.Causes {
		view := causeView{Name: causeName(c), Text: strings.TrimSuffix(c.Text, "."), Why: why(c.Evidence), Confidence: c.Confidence}
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

// why is the first observation for a cause: the one that decided, or that weighs most.
func why(all []cause.Evidence) string {
	for _, e := range all {
		if e.For && e.Text != "" && e.Kind != "coverage" {
			text, _ := brief(e.Text)
			return text
		}
	}
	return ""
}

// briefLength is about two lines of a phone.
const briefLength = 110

// brief parts a long text into what is read at once and the whole of it, which is empty when nothing was cut: at the end
// of a clause, else at a word.
func brief(text string) (head, whole string) {
	text = clip(text, 2000)
	runes := []rune(text)
	if len(runes) <= briefLength {
		return text, ""
	}
	short := string(runes[:briefLength])
	for _, end := range []string{"; ", ". ", ", "} {
		if i := strings.LastIndex(short, end); i > len(short)/3 {
			return short[:i] + " …", text
		}
	}
	if i := strings.LastIndexByte(short, ' '); i > 0 {
		short = short[:i]
	}
	return short + " …", text
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
		text, rest := a.Brief, a.Text
		if text == "" {
			text, rest = brief(a.Text)
		}
		out = append(out, chartView{
			Title: a.Watch + " " + d.Labels, Text: clip(text, 200), Rest: rest, Link: seriesLink(a.Watch, block),
			Chart: BandChart(a.Watch+" with its learned band; the incident is shaded", a.Unit, points, Span{inc.Start.UnixMilli(), end.UnixMilli()}),
		})
	}
	return out
}

// valueOf is what the query of a piece of evidence gave: a plain number, as the query gives it, but of an alert the moment
// since when it is pending (ALERTS_FOR_STATE).
func valueOf(e *cause.Evidence) string {
	switch {
	case e.Query == "" || math.IsNaN(e.Value):
		return ""
	case e.Kind == "alert" && e.Value > 1e9:
		return time.Unix(int64(e.Value), 0).UTC().Format("15:04:05 UTC")
	}
	return Number(e.Value)
}

func evidence(in []cause.Evidence) []evidenceView {
	out := make([]evidenceView, 0, len(in))
	for _, e := range in {
		text, rest := brief(e.Text)
		x := evidenceView{For: e.For, Text: text, Rest: rest, Query: e.Query, Value: valueOf(&e)}
		if strings.HasPrefix(e.Query, correlate.OwnPath) {
			x.Link = ".." + e.Query // From the page of the incident, whatever the prefix.
		}
		out = append(out, x)
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
