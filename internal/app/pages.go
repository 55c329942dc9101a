package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/version"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/web"
)

// pages is what the pages and the API show of a session; it implements web.Data.
type pages struct{ s *session }

func (p *pages) Incidents() []correlate.Incident { return p.s.incidents.all() }

func (p *pages) Incident(id string) (correlate.Incident, bool) { return p.s.incidents.one(id) }

func (p *pages) Coverage(incident, cause string, start time.Time) (correlate.Coverage, bool) {
	return p.s.incidents.engine.Coverage(incident, cause, start)
}

func (p *pages) Changes(f correlate.ChangeFilter) []correlate.Change {
	return p.s.incidents.engine.Changes(f)
}

func (p *pages) Proposals(incident string) []web.Proposal {
	var out []web.Proposal
	for _, pr := range p.s.app.runbooks.List() {
		if pr.Incident.ID != incident {
			continue
		}
		detail := pr.Reason
		for _, s := range []string{pr.Problem, pr.Waiting} {
			if s != "" {
				detail = strings.TrimSpace(detail + " " + s)
			}
		}
		out = append(out, web.Proposal{
			ID: pr.ID, Runbook: pr.Runbook, Description: p.describe(pr.Runbook), Mode: string(pr.Mode), State: string(pr.State), Detail: detail,
			Steps:      stepsOf(&pr),
			CanApprove: pr.Mode == runbook.ModeApprove && (pr.State == runbook.StateSuggested || pr.State == runbook.StateUnknown) && pr.Problem == "",
		})
	}
	return out
}

// stepsOf are the times at which a proposal became what it is.
func stepsOf(p *runbook.Proposal) []web.Step {
	var out []web.Step
	add := func(at time.Time, text string) {
		if !at.IsZero() {
			out = append(out, web.Step{Time: at, Text: text})
		}
	}
	add(p.SuggestedAt, "suggested")
	add(p.ApprovedAt, "approved by "+p.ApprovedBy)
	add(p.FirstCallAt, "called")
	if p.Attempts > 1 || !p.CalledAt.Equal(p.FirstCallAt) {
		add(p.CalledAt, fmt.Sprintf("answered %d, attempt %d", p.Status, p.Attempts))
	}
	add(p.EndedAt, strings.TrimSuffix(string(p.State)+": "+p.Reason, ": "))
	return out
}

func (p *pages) describe(name string) string {
	for _, r := range p.s.cfg.Runbooks {
		if r.Name == name {
			return r.Description
		}
	}
	return ""
}

func (p *pages) Series(f web.SeriesFilter) (rows []web.SeriesRow, total int) {
	list := p.s.scorer.all()
	if f.Watch != "" {
		list = p.s.scorer.of(f.Watch)
	}
	found := worstFirst(list, f.OnlyAnomalous, matching(p.s.engine, f.Query))
	total = len(found)
	found = found[min(f.Offset, total):]
	for _, e := range found[:min(f.Limit, len(found))] {
		row := e.row()
		if f.Explain {
			row.SeriesWhy = e.why(p.s.externalLabels())
		}
		rows = append(rows, row)
	}
	return rows, total
}

// between is what stands between the texts of a series: a word with one of them may lie across two.
const between = "{}=\",\\ "

// matching says which series hold all words of a query in their watch's name or their labels.
func matching(engine *baseline.Engine, query string) func(*entry) bool {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return func(*entry) bool { return true }
	}
	whole := func(e *entry) bool {
		text := strings.ToLower(e.watch.Name + " " + e.texts().key)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}
	if slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, between) }) {
		return whole
	}
	// Whoever holds the words in one text each is found without making the labels of all: a watch's name counts for
	// all of its series.
	byWatch := map[*watch]func(*baseline.Series) bool{}
	return func(e *entry) bool {
		holds := byWatch[e.watch]
		if holds == nil {
			name := strings.ToLower(e.watch.Name)
			holds = engine.Holding(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(name, w) }), model.MetricNameLabel)
			byWatch[e.watch] = holds
		}
		return holds(e.series)
	}
}

// worstFirst are the series that match: what is anomalous before the rest, the highest score first; the rest keeps its
// order.
func worstFirst(all []*entry, onlyAnomalous bool, matches func(*entry) bool) []*entry {
	type ranked struct {
		e     *entry
		score float64
	}
	var worst []ranked // The few that are anomalous: there may be a million that are not.
	var calm []*entry
	for _, e := range all {
		switch sc := e.series.Last(); {
		case onlyAnomalous && !sc.Active || !matches(e):
		case sc.Active:
			worst = append(worst, ranked{e, sc.Raw})
		default:
			calm = append(calm, e)
		}
	}
	slices.SortStableFunc(worst, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	out := make([]*entry, 0, len(worst)+len(calm))
	for _, x := range worst {
		out = append(out, x.e)
	}
	return append(out, calm...)
}

// row is the series as a line of a table.
func (e *entry) row() web.SeriesRow {
	var x export.Series
	e.fill(&x)
	sc := e.series.Last()
	return web.SeriesRow{
		Watch: e.watch.Name, Labels: e.texts().key, Unit: e.watch.unit, Time: sc.Time, Value: web.Finite(x.Observed), Expected: web.Finite(x.Expected),
		Lower: web.Finite(x.Lower), Upper: web.Finite(x.Upper), Score: web.Finite(x.Score), Active: sc.Active, Withheld: sc.Withheld,
		Kind: string(sc.Kind), Detector: sc.Detector, State: sc.State.String(),
	}
}

// why is the explanation of the last sample with what each detector says of it.
func (e *entry) why(external labels.Labels) *web.SeriesWhy {
	x := e.series.ExplainIn(e.say)
	out := &web.SeriesWhy{Expr: e.query(external), Explanation: x.Text, Summary: x.Summary, Detail: x.Detail, Season: x.Season, Evidence: []web.DetectorSays{}, Group: x.Group, BudgetRatio: web.Finite(e.series.BudgetRatio())}
	for _, c := range x.Contributors {
		out.Contributors = append(out.Contributors, web.Contributor{Labels: cmp.Or(c.Name, e.texts().key), Share: c.Part})
	}
	for _, d := range e.series.Evidence() {
		out.Evidence = append(out.Evidence, web.DetectorSays{Detector: d.Detector, Kind: string(d.Kind), Score: d.Score, P: d.P})
	}
	for _, h := range horizons {
		f := e.series.Forecast(h.ahead)
		out.Forecasts = append(out.Forecasts, web.ForecastRow{Horizon: h.name, Expected: web.Finite(f.Expected), Lower: web.Finite(f.Lower), Upper: web.Finite(f.Upper)})
	}
	if limit := e.watch.Limit; limit != nil {
		out.Limit = &web.LimitRow{Limit: *limit}
		if l, ok := e.series.TimeToLimit(*limit); ok {
			out.Limit.Seconds, out.Limit.Lower, out.Limit.Upper = web.Finite(l.Seconds), web.Finite(l.Lower), web.Finite(l.Upper)
		}
	}
	return out
}

func (p *pages) SeriesDetail(watch, labels string) (web.SeriesDetail, bool) {
	e, ok := p.s.scorer.find(watch, labels)
	if !ok {
		return web.SeriesDetail{}, false
	}
	// What fails is in the log; the page stands without its chart.
	if err := p.s.scorer.recall.samples(context.Background(), []*entry{e}, p.s.externalLabels()); err != nil {
		p.s.logger.Debug("Reading the samples of a series failed", "watch", watch, "labels", labels, "err", err)
	}
	d := web.SeriesDetail{SeriesRow: e.row(), Points: e.recentPoints()}
	d.SeriesWhy = e.why(p.s.externalLabels())
	d.Profile, _ = e.profile()
	return d, true
}

func (p *pages) Topology() []web.Edge {
	var out []web.Edge
	for _, e := range p.s.graph.Edges(p.s.app.now()) {
		out = append(out, web.Edge{
			From: e.From.Name, To: e.To.Name, FromKind: string(e.From.Kind), ToKind: string(e.To.Kind), Kind: string(e.Kind), Source: e.Source,
			Confidence: e.Confidence, FirstSeen: e.FirstSeen, LastSeen: e.LastSeen,
		})
	}
	return out
}

func (p *pages) Status() web.Status {
	a := p.s.app
	st := web.Status{
		Ready: p.s.scorer.learned.Load(), Since: a.since, Version: version.Version, Series: p.s.scorer.Len(),
		Progress: p.s.scorer.progress(), Watches: p.s.scorer.status(), Config: p.s.cfg.String(), ConfigLoaded: a.loaded,
	}
	_, st.LearnedSeries = p.s.scorer.learnedParts()
	if left, ok := p.s.learning.left(); ok && left > 0 {
		st.LearningLeft = left.Round(time.Second).String()
	}
	st.BudgetRatio = web.Finite(p.s.learning.budgetRatio())
	st.Sources, st.Limits = p.s.sourcesOf(), p.s.limitsOf()
	err := a.stages.Healthy()
	st.Healthy = err == nil
	if err != nil {
		st.Problem = err.Error()
	}
	if msg := a.lastErr.Load(); msg != nil {
		st.ConfigError = *msg
	}
	for _, s := range a.stages.status() {
		st.Stages = append(st.Stages, web.StageStatus{Name: s.Name, Lag: web.Duration(s.Lag), Limit: web.Duration(s.Limit), Error: s.Error})
	}
	return st
}

func (p *pages) Feedback(incident, by string, right bool, cause string) error {
	inc, ok := p.s.incidents.one(incident)
	if !ok {
		return errors.New("there is no incident " + incident)
	}
	if err := p.s.app.memory.Remember(inc); err != nil {
		return err
	}
	verdict := correlate.VerdictReject
	if right {
		verdict = correlate.VerdictConfirm
		cause = cmp.Or(cause, causeText(&inc))
	}
	return p.s.app.memory.Judge(incident, verdict, cause, by, p.s.app.now().UTC())
}

func (p *pages) Fixed(incident, what string) error { return p.s.app.memory.Fixed(incident, what) }

func (p *pages) Verdict(r *http.Request, proposal, by string, approve bool) error {
	var err error
	if approve {
		_, err = p.s.app.runbooks.Approve(r.Context(), proposal, by)
	} else {
		_, err = p.s.app.runbooks.Reject(r.Context(), proposal, by)
	}
	return err
}

// similarShown is how many similar incidents a page shows.
const similarShown = 3

func (p *pages) Similar(id string) []web.Similar {
	inc, ok := p.s.incidents.one(id)
	if !ok {
		return nil
	}
	var out []web.Similar
	for _, past := range p.s.app.memory.Similar(inc, similarShown) {
		out = append(out, web.Similar{ID: past.ID, Title: past.Title, Start: past.Start, Score: past.Score, Confirmed: past.Confirmed, Fixed: past.Ended()})
	}
	return out
}

func (p *pages) Search(words string, limit int) []web.Found {
	var out []web.Found
	for _, past := range p.s.app.memory.Search(words, limit) {
		out = append(out, web.Found{
			ID: past.ID, Title: past.Title, Start: past.Start, Cause: strings.TrimSpace(past.Cause + " " + past.Resource),
			Verdict: past.Verdict, Confirmed: past.Confirmed, Fixed: past.Ended(),
		})
	}
	return out
}

func (p *pages) Confirmed(id string) string {
	past, _ := p.s.app.memory.Past(id)
	return past.Confirmed
}
