package main

import (
	"math"
	"slices"

	"github.com/tidemark/tidemark/correlate/cause"
)

// modelsFor returns, for each system, a model none of whose constants saw a case of it.
func modelsFor(metrics, lists []recorded) map[string]cause.Model {
	out := map[string]cause.Model{}
	for _, s := range systemsOf(metrics) {
		m := cause.DefaultModel()
		m.Confidence.Evidence = fitConfidence(outcomes(without(metrics, s), m))
		m.NoClearCause = lineOf
		out[s] = m
	}
	for _, s := range systemsOf(lists) {
		out[s] = fitLists(without(lists, s))
	}
	return out
}

// fitAll returns the model of all systems: what the product uses for systems nobody has seen.
func fitAll(metrics, lists []recorded) cause.Model {
	m := fitLists(lists)
	m.Confidence.Evidence = fitConfidence(outcomes(metrics, m))
	return m
}

// lineOf is the confidence below which there is no clear cause: more likely wrong than right.
const lineOf = .5

// fitLists fits the weights of alert lists and their confidence, with history and without. The
// confidence learns from answers of weights that did not see the case, or it would be too sure.
func fitLists(train []recorded) cause.Model {
	m := cause.DefaultModel()
	m.NoClearCause = lineOf
	m.Alerts, m.Confidence.Alerts = fitOne(train, m, func(m *cause.Model) *cause.AlertWeights { return &m.Alerts })
	m.AlertsAlone, m.Confidence.Alone = fitOne(withoutHistory(train), m, func(m *cause.Model) *cause.AlertWeights { return &m.AlertsAlone })
	return m
}

func fitOne(train []recorded, m cause.Model, weights func(*cause.Model) *cause.AlertWeights) (cause.AlertWeights, cause.Logistic) {
	all := choices(train)
	var seen []outcome
	for i, r := range train {
		held := m
		*weights(&held) = fitAlerts(slices.Delete(slices.Clone(all), i, i+1))
		seen = append(seen, outcomes([]recorded{r}, held)...)
	}
	return fitAlerts(all), fitConfidence(seen)
}

// withoutHistory returns the cases as if each were the only one ever seen.
func withoutHistory(cases []recorded) []recorded {
	out := slices.Clone(cases)
	for i := range out {
		out[i].given.Background = cause.Background{}
	}
	return out
}

func outcomes(cases []recorded, m cause.Model) []outcome {
	var out []outcome
	for _, r := range cases {
		opts := cause.Options{Model: &m}
		out = append(out, outcome{cause.Explain(r.given, opts).X, r.rank(cause.Rank(r.given, opts)) == 1})
	}
	return out
}

func systemsOf(cases []recorded) []string {
	var out []string
	for _, r := range cases {
		if !slices.Contains(out, r.system) {
			out = append(out, r.system)
		}
	}
	return out
}

func without(cases []recorded, system string) []recorded {
	var out []recorded
	for _, r := range cases {
		if r.system != system {
			out = append(out, r)
		}
	}
	return out
}

// said is one answer: how sure it was and whether it was right.
type said struct {
	p     float64
	right bool
}

// calibration measures probabilities: expected calibration error over five equal bins, the share
// right among those said at .8 or more with their number, and the area under the ROC curve.
func calibration(answers []said) (ece, sure float64, sureN int, auroc float64) {
	var n [5]int
	var p, y [5]float64
	var pos, neg []float64
	hits := 0
	for _, a := range answers {
		b := min(4, int(a.p*5))
		n[b]++
		p[b] += a.p
		if a.right {
			y[b]++
			pos = append(pos, a.p)
		} else {
			neg = append(neg, a.p)
		}
		if a.p >= .8 {
			sureN++
			if a.right {
				hits++
			}
		}
	}
	for b := range n {
		ece += math.Abs(p[b]-y[b]) / float64(max(1, len(answers)))
	}
	if sureN > 0 {
		sure = float64(hits) / float64(sureN)
	}
	for _, a := range pos {
		for _, b := range neg {
			switch {
			case a > b:
				auroc++
			case a == b:
				auroc += .5
			}
		}
	}
	auroc /= float64(max(1, len(pos)*len(neg)))
	return ece, sure, sureN, auroc
}
