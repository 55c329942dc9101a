package app

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/pushed"
)

// evidence ranks causes from the watched series, the changes, and the lines and spans that were pushed. A
// question is answered from what is known; a ranking that is missing or old is made in the background, and the
// engine is told.
//
// A ranking is a function of the question and of one of a few moments after the first alert: so that it does
// not depend on when it was asked for, and a replay of the past ranks alike. Of the first moments, on which the
// first post waits, what is not scored yet is read ahead; of the later ones all samples are scored.
type evidence struct {
	deps evidenceDeps
	// heard is told which incident has a new ranking.
	heard func(incident string)
	ask   chan correlate.Question
	fresh preview // Used by Run alone.

	mu    sync.Mutex
	asked map[string]*opinion
	queue map[string]bool
}

// evidenceDeps is what rankings are made of.
type evidenceDeps struct {
	now    func() time.Time
	graph  *topology.Graph
	scorer *scorer
	lines  *pushed.Lines // Nil: none are pushed.
	spans  *pushed.Spans
	labels *correlate.Config
	// external are labels that queries leave out; nil: there are none.
	external func() labels.Labels
}

// opinion is the ranking of an incident as it stands.
type opinion struct {
	question correlate.Question
	ranking  cause.Ranking
	ranked   bool
	look     time.Time // The moment that was ranked.
	counted  counted
}

// counted is what a ranking knew of pushed lines and spans.
type counted struct {
	logsBy             float64
	logs, logsBefore   []cause.LogCount
	spans, spansBefore []cause.SpanCount
}

// looks are the moments that are ranked, from the first alert: a fault shows more of itself in each step, and
// those before the alert are for what is not scored yet when it comes.
var looks = []time.Duration{
	-10 * time.Second, -5 * time.Second, 0, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
	45 * time.Second, time.Minute, 90 * time.Second, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
}

const (
	// keepOpinions bounds how many rankings are kept, maxFollowed how many of them are renewed as time goes by.
	keepOpinions = 1000
	maxFollowed  = 64
	// aheadUntil is the age up to which a moment is ranked before it is scored: the first post and what may revise it.
	aheadUntil = 2 * time.Minute
	// lookEvery is how often it is looked whether a moment is due.
	lookEvery = time.Second
	// lateWatch is how long a moment waits for a watch that can't be read.
	lateWatch = 30 * time.Second
	// rankedSamples of each series are ranked: less than the ring keeps, so that a moment that was a while ago
	// still has all of them.
	rankedSamples = 200
)

func newEvidence(deps evidenceDeps, heard func(incident string)) *evidence {
	return &evidence{deps: deps, heard: heard, ask: make(chan correlate.Question, 256), asked: map[string]*opinion{}, queue: map[string]bool{}}
}

// Ranking implements correlate.Evidence.
func (ev *evidence) Ranking(q correlate.Question) (cause.Ranking, bool) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	o := ev.asked[q.Incident]
	if o == nil || !sameQuestion(o.question, q) || ev.lookOf(q).After(o.look) {
		ev.enqueue(q)
	}
	if o == nil {
		return cause.Ranking{}, false
	}
	return o.ranking, o.ranked
}

// enqueue asks for a ranking unless one is on its way; the lock is held.
func (ev *evidence) enqueue(q correlate.Question) {
	if ev.queue[q.Incident] {
		return
	}
	select {
	case ev.ask <- q:
		ev.queue[q.Incident] = true
	default: // The queue is full; the engine asks again.
	}
}

func sameQuestion(a, b correlate.Question) bool {
	sameEntity := func(x, y correlate.Entity) bool { return x.Kind == y.Kind && x.Name == y.Name }
	return a.FirstAlert.Equal(b.FirstAlert) && a.Symptom.Equal(b.Symptom) && slices.EqualFunc(a.Entities, b.Entities, sameEntity) && len(a.Changes) == len(b.Changes)
}

// lookOf is the latest moment of which everything is scored or can be read ahead; zero: none yet.
func (ev *evidence) lookOf(q correlate.Question) time.Time {
	now := ev.deps.now()
	upTo := ev.deps.scorer.complete(now.Add(-lateWatch))
	var last time.Time
	for _, age := range looks {
		if at := q.FirstAlert.Add(age); (at.Before(upTo) || isAhead(age)) && !at.Add(ingestDelay).After(now) {
			last = at
		}
	}
	return last
}

// isAhead says whether a moment of this age is read ahead of scoring.
func isAhead(age time.Duration) bool { return age >= 0 && age <= aheadUntil }

// Run answers questions, and renews answers as time goes by, until ctx ends.
func (ev *evidence) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-ev.ask:
			ev.answer(ctx, q)
		case <-tick.C:
			ev.renew()
		}
	}
}

// renew asks again for the newest incidents of which another moment is scored.
func (ev *evidence) renew() {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	var due []*opinion
	for _, o := range ev.asked {
		if ev.deps.now().Sub(o.question.FirstAlert) < looks[len(looks)-1]+time.Minute {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, func(a, b *opinion) int {
		return cmp.Or(b.question.FirstAlert.Compare(a.question.FirstAlert), strings.Compare(a.question.Incident, b.question.Incident))
	})
	for _, o := range due[:min(len(due), maxFollowed)] {
		if ev.lookOf(o.question).After(o.look) {
			ev.enqueue(o.question)
		}
	}
}

// nextLook is when the next moment of a followed incident may be scored; zero: none is to come.
func (ev *evidence) nextLook() time.Time {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	now := ev.deps.now()
	var first time.Time
	for _, o := range ev.asked {
		for _, age := range looks {
			if at := o.question.FirstAlert.Add(age + ingestDelay); at.After(now) {
				if first.IsZero() || at.Before(first) {
					first = at
				}
				break
			}
		}
	}
	return first
}

// drain answers all that was asked.
func (ev *evidence) drain(ctx context.Context) {
	for {
		select {
		case q := <-ev.ask:
			ev.answer(ctx, q)
		default:
			return
		}
	}
}

// answer ranks at the latest moment that is scored.
func (ev *evidence) answer(ctx context.Context, q correlate.Question) {
	ev.mu.Lock()
	look := ev.lookOf(q)
	old := ev.asked[q.Incident]
	delete(ev.queue, q.Incident)
	ev.mu.Unlock()
	o := &opinion{question: q, look: look}
	if !look.IsZero() {
		c := ev.build(ctx, q, look)
		if ev.deps.lines != nil {
			o.counted = ev.count(&c, look, old)
		}
		if old != nil && old.ranked && len(c.Series) < len(ev.deps.scorer.all()) && !reaches(&c, q.FirstAlert) {
			o.ranking, o.ranked = old.ranking, true // The samples of that time are gone: what was seen then stands.
		} else {
			o.ranking, o.ranked = cause.Rank(c, cause.Options{}), true
			for i := range o.ranking.Candidates {
				o.ranking.Candidates[i].Evidence = sound(runnable(o.ranking.Candidates[i].Evidence, &c))
			}
			for i := range o.ranking.Path {
				o.ranking.Path[i].Evidence = sound(runnable(o.ranking.Path[i].Evidence, &c))
			}
			for i := range o.ranking.RuledOut {
				o.ranking.RuledOut[i].Evidence = sound(runnable(o.ranking.RuledOut[i].Evidence, &c))
			}
		}
	}
	ev.mu.Lock()
	ev.asked[q.Incident] = o
	if len(ev.asked) > keepOpinions {
		ev.dropOldest()
	}
	ev.mu.Unlock()
	if o.ranked && (old == nil || !reflect.DeepEqual(old.ranking, o.ranking)) {
		ev.heard(q.Incident)
	}
}

// count gives a case what was counted of lines and spans. What is counted is forgotten sooner than an incident is
// looked at, and a long window may want more of the past than there is: then what was known before stands.
func (ev *evidence) count(c *cause.Case, look time.Time, old *opinion) counted {
	view := ev.deps.graph.At(c.AlertTime)
	named := func(get func(string) string) (string, bool) { return entityOf(get, view, ev.deps.labels) }
	if !ev.deps.lines.Fill(c, look, named) && old != nil {
		c.LogsBy, c.Logs, c.LogsBaseline = old.counted.logsBy, old.counted.logs, old.counted.logsBefore
	}
	service := func(name string) string {
		if n, ok := view.Find(name, "", "", topology.WorkloadKinds...); ok {
			return view.Entities[n].Name
		}
		return name
	}
	if !ev.deps.spans.Fill(c, look, service) && old != nil {
		c.Spans, c.SpansBaseline = old.counted.spans, old.counted.spansBefore
	}
	return counted{c.LogsBy, c.Logs, c.LogsBaseline, c.Spans, c.SpansBaseline}
}

// reaches says whether any series has samples of before the first alert.
func reaches(c *cause.Case, firstAlert time.Time) bool {
	return slices.ContainsFunc(c.Series, func(s cause.Series) bool { return s.T[0] < firstAlert.UnixMilli() })
}

// sound makes numbers of evidence that JSON has none for: a share of nothing is not a number.
func sound(in []cause.Evidence) []cause.Evidence {
	for i := range in {
		e := &in[i]
		e.Value, e.Weight = finite(e.Value), finite(e.Weight)
		for _, p := range []**float64{&e.Expected, &e.Lower, &e.Upper} {
			if *p != nil && finite(**p) != **p {
				*p = nil
			}
		}
	}
	return in
}

// dropOldest forgets the ranking whose first alert is longest ago; the lock is held.
func (ev *evidence) dropOldest() {
	oldest, at := "", time.Time{}
	for id, o := range ev.asked {
		if t := o.question.FirstAlert; at.IsZero() || t.Before(at) || t.Equal(at) && id < oldest {
			oldest, at = id, t
		}
	}
	delete(ev.asked, oldest)
}
