package cause

import "slices"

// deciders are the kinds of evidence that may place entities first, in the order in which they are
// asked; one row and one file per kind. The first that is sure leads the list, what later ones are
// sure of follows, and the fused rest comes after.
var deciders = []func(*view) finding{sharedAttribute, resource, edgeGap, spanGap, logPattern, change, excess, rarity}

// fused are the kinds whose ranks are added up for the rest of the list.
var fused = []func(*view) finding{ownAnomaly, residual, pageRank, correlation, familyWalk, earliest}

// Places of reciprocal ranks: 1/(place + rank). The evidence of deciders that stayed silent counts
// more than a fused kind where it has something to say.
const (
	fusedPlace   = 3
	deciderPlace = 1
)

// spoken are deciders whose scores are ranks worth adding even when they did not decide.
var spoken = map[string]bool{"excess": true, "change": true, "alert_rarity": true}

// maxEvidence is how many pieces of evidence a candidate keeps, and explained for how many
// candidates they are written.
const (
	maxEvidence = 8
	explained   = 10
)

// Rank orders the case's candidates by how likely each is the cause. It is deterministic, does not
// change the case and does not panic on any input.
func Rank(c Case, opts Options) Ranking {
	v, d := analyse(&c, opts)
	return v.ranking(d, opts)
}

// Explain returns what the confidence of a ranking is made of, for fitting it.
func Explain(c Case, opts Options) Features {
	v, d := analyse(&c, opts)
	return v.confidenceFeatures(&d)
}

func analyse(c *Case, opts Options) (*view, decision) {
	m := DefaultModel()
	if opts.Model != nil {
		m = *opts.Model
	}
	v := newView(c, m)
	v.setStart(v.window(opts))
	return v, v.decide()
}

// decision is the outcome of all kinds of evidence.
type decision struct {
	findings []finding // Deciders, then fused.
	list     []int     // Candidates, best first.
	score    []float64 // Sum of reciprocal ranks.
	by       *finding  // What decided the first; nil: nothing.
}

func (v *view) decide() decision {
	var d decision
	placed := make([]bool, len(v.names))
	for _, kind := range deciders {
		d.findings = append(d.findings, kind(v))
	}
	for i := range d.findings {
		for _, e := range d.findings[i].decided {
			if v.candidate[e] && !placed[e] {
				placed[e] = true
				d.list = append(d.list, e)
				if d.by == nil {
					d.by = &d.findings[i]
				}
			}
		}
	}
	d.score = make([]float64, len(v.names))
	for i := range d.findings {
		if f := &d.findings[i]; spoken[f.kind] {
			for rank, e := range order(f.score, func(e int) bool { return v.candidate[e] && f.score[e] > 0 }) {
				d.score[e] += 1 / float64(deciderPlace+rank)
			}
		}
	}
	by := -1
	if d.by != nil {
		by = slices.IndexFunc(d.findings, func(f finding) bool { return f.kind == d.by.kind })
	}
	for _, kind := range fused {
		f := kind(v)
		for rank, e := range order(f.score, func(e int) bool { return v.candidate[e] && f.score[e] > 0 }) {
			d.score[e] += 1 / float64(fusedPlace+rank)
		}
		d.findings = append(d.findings, f)
	}
	if by >= 0 {
		d.by = &d.findings[by]
	}
	d.list = append(d.list, order(d.score, func(e int) bool { return v.candidate[e] && !placed[e] })...)
	return d
}

func (v *view) ranking(d decision, opts Options) Ranking {
	r := Ranking{}
	if v.start > 0 {
		r.Start = msTime(v.start)
	}
	if len(v.series) > 0 {
		r.End = msTime(v.end)
	}
	limit := opts.MaxEvidence
	if limit <= 0 {
		limit = maxEvidence
	}
	p := confidences(v.model.Confidence.probability(v.confidenceFeatures(&d)), len(d.list))
	r.Candidates = make([]Candidate, len(d.list))
	for rank, e := range d.list {
		c := Candidate{Entity: v.names[e], Confidence: p[rank], Score: d.score[e]}
		if rank < explained {
			c.Evidence = v.evidence(&d, e, limit)
		}
		r.Candidates[rank] = c
	}
	line := opts.NoClearCause
	if line <= 0 {
		line = v.model.NoClearCause
	}
	r.NoClearCause = len(d.list) == 0 || p[0] < line
	if d.by != nil {
		r.DecidedBy = d.by.kind
	}
	if len(d.list) > 0 {
		r.Path = v.path(d.list[0])
		r.RuledOut = v.ruledOut(&d)
	}
	return r
}

// evidence collects what all kinds say about an entity, what speaks for it first.
func (v *view) evidence(d *decision, e, limit int) []Evidence {
	var out []Evidence
	said := map[string]bool{}
	for i := range d.findings {
		if d.findings[i].evidence == nil {
			continue
		}
		for _, ev := range d.findings[i].evidence(e) {
			if k := ev.Query; k == "" || !said[k] {
				said[k] = true
				out = append(out, ev)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Evidence) int {
		if a.For != b.For {
			if a.For {
				return -1
			}
			return 1
		}
		return 0
	})
	return out[:min(limit, len(out))]
}
