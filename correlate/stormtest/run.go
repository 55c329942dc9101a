package stormtest

import (
	"context"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// Run replays the storm through an engine with default settings and returns what it found.
func (s *Storm) Run(ctx context.Context, cfg correlate.Config, deps correlate.Deps) (Answer, error) {
	if deps.Topology == nil {
		deps.Topology = s.Graph()
	}
	var past []correlate.Incident
	deps.Archive = func(i correlate.Incident) { past = append(past, i) }
	e := correlate.NewEngine(cfg, deps)
	if err := correlate.Replay(ctx, e, s.Events); err != nil {
		return Answer{}, err
	}
	return AnswerOf(append(past, e.Incidents()...), s.Events), nil
}

// AnswerOf turns incidents into what is scored: fingerprints as the recording has them.
func AnswerOf(incidents []correlate.Incident, events []correlate.Recorded) Answer {
	own := map[string]string{}
	for _, e := range events {
		own[e.Labels.Fingerprint().String()] = e.Fingerprint
	}
	slices.SortFunc(incidents, func(a, b correlate.Incident) int { return a.FirstAlert.Compare(b.FirstAlert) })
	var a Answer
	for _, i := range incidents {
		if i.MergedInto != "" {
			continue
		}
		var members []string
		for _, m := range i.Alerts {
			for _, f := range append(m.Fingerprints, m.Fingerprint) {
				members = append(members, own[f])
			}
		}
		if len(members) == 0 {
			continue
		}
		var causes []Cause
		for _, c := range i.Causes {
			causes = append(causes, Cause{c.Entity.Name, c.Confidence})
		}
		a.Groups = append(a.Groups, members)
		a.Causes = append(a.Causes, causes)
	}
	return a
}

// RunOnce gives all events to an engine and explains them once, at the end. Correlation does not
// depend on the order of arrival, so the answer is that of Run.
func (s *Storm) RunOnce(cfg correlate.Config, deps correlate.Deps) Answer {
	if deps.Topology == nil {
		deps.Topology = s.Graph()
	}
	var past []correlate.Incident
	deps.Archive = func(i correlate.Incident) { past = append(past, i) }
	e := correlate.NewEngine(cfg, deps)
	var alerts []*model.Alert
	for _, x := range s.Events {
		a := &model.Alert{Labels: x.Labels, Annotations: x.Annotations, StartsAt: x.StartsAt}
		if x.Status == correlate.StateResolved {
			a.EndsAt = x.EndsAt
		}
		alerts = append(alerts, a)
	}
	now := s.Events[len(s.Events)-1].ReceivedAt
	e.Alerts(now, alerts)
	e.Step(now)
	return AnswerOf(append(past, e.Incidents()...), s.Events)
}
