package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

const (
	// clearCause is the confidence below which an incident says that it has no clear cause.
	clearCause = 0.35
	// Added to the two opinions before they are multiplied, so that neither can veto. The alerts know
	// nothing of what has no alerts: their mind is the more open one.
	openAlerts  = 0.12
	openMetrics = 0.05
	// ofCallee is the share of a slow way's probability that stays with the entity at its end: its own figures say
	// that it answers as fast as ever, but what waits before it counts time is its trouble too.
	ofCallee = 0.2
	// surelySettled is the confidence from which on the first post waits for nothing more; after settleTime
	// settledCause is enough. A storm that has only begun has not shown all of its sides.
	surelySettled = 0.9
	settledCause  = 0.7
	settleTime    = 10 * time.Second
	// sampleGrid is how long before the first alert the newest sample may lie to be of its time.
	sampleGrid = 5 * time.Second
)

// causes writes the ranked causes with their evidence and fuses in what the metrics say.
func (v *view) causes(i *Incident) {
	for _, c := range v.g.causes {
		i.Causes = append(i.Causes, v.cause(c))
	}
	if len(i.Causes) == 0 {
		v.ownCause(i)
		return
	}
	if ev := v.e.deps.Evidence; ev != nil && len(i.Causes) > 0 {
		q := Question{Incident: i.ID, Start: i.Causes[0].Start, FirstAlert: i.FirstAlert, Onset: fromSeconds(v.firstAlert().onset), Symptom: v.firstAlert().rec.Labels}
		for _, c := range i.Causes {
			q.Entities = append(q.Entities, c.Entity)
		}
		q.Changes = v.changesAt(q)
		if r, ok := ev.Ranking(q); ok {
			v.t.sampled = !r.End.IsZero()
			v.t.measured = r.End.IsZero() || r.End.After(q.FirstAlert.Add(-sampleGrid))
			if tells(&r) && !v.besides(&r) {
				v.see(i.Causes, r)
				fuse(i.Causes, r)
				v.ranking = &r
			}
		}
	}
	i.Causes = oneMachine(i.Causes)
	i.Causes = i.Causes[:min(len(i.Causes), maxCausesOut)]
	if len(i.Causes) > 0 {
		i.NoClearCause = i.Causes[0].Confidence < clearCause
		v.rootItems = v.at(i.Causes[0].root)
	}
}

// oneMachine makes a node and the workload of the same name, as a database with a machine of its own, one cause:
// no rivals, the likelier name with the probability of both.
func oneMachine(in []Cause) []Cause {
	out := in[:0]
	for _, c := range in {
		same := slices.IndexFunc(out, func(o Cause) bool {
			return o.Entity.Name == c.Entity.Name && o.Entity.Cluster == c.Entity.Cluster && (o.Entity.Kind == string(topology.KindNode)) != (c.Entity.Kind == string(topology.KindNode))
		})
		if same < 0 {
			out = append(out, c)
			continue
		}
		o := &out[same]
		o.Confidence = round3(o.Confidence + c.Confidence)
		for _, e := range c.Evidence {
			if e.For && !slices.ContainsFunc(o.Evidence, func(x cause.Evidence) bool { return x.Kind == e.Kind && (x.Text == e.Text || e.Kind == "coverage") }) {
				o.Evidence = append(o.Evidence, e)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Cause) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return out
}

// changesAt are the changes at the entities of a question in the time in which a change is suspect.
func (v *view) changesAt(q Question) []Change {
	var out []Change
	for _, c := range v.e.changesBetween(q.Start.Add(-changeReach*time.Second), q.FirstAlert.Add(flatAfter*time.Second)) {
		for _, r := range v.g.causes {
			if ent := v.s.prob.roots[r.root].ent; c.matches(ent) {
				c.Query = cmp.Or(c.Query, changePath(&c, ent.Name))
				c.Entity = entityOf(ent)
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// ownConfidence is for housekeeping alerts, which no model of trouble explains: that their entity is
// the cause is as likely as not.
const ownConfidence = 0.5

// ownCause names the entity of the first member where no root explains anything.
func (v *view) ownCause(i *Incident) {
	it := v.g.items[0]
	for _, x := range v.g.items {
		if x.vertex == it.vertex {
			v.rootItems = append(v.rootItems, x)
		}
	}
	ent := v.s.world.v[it.vertex].ent
	i.Causes = []Cause{{
		Entity: entityOf(ent), Resource: resourceOf(v.rootItems), Confidence: ownConfidence, Start: fromSeconds(it.onset),
		Text:     ent.Name + " (" + it.rec.place.name + ")",
		Evidence: []cause.Evidence{v.sign(it, ent.Name)},
	}}
}

// fuse multiplies two independent opinions, what the alerts say and what the metrics say, and makes
// the product probabilities again (a logarithmic opinion pool with equal weights). An entity that the
// metrics do not rank keeps what an open mind leaves it, and so does "none of these", which is a hypothesis
// like the others.
func fuse(causes []Cause, r cause.Ranking) {
	byName := map[string]*cause.Candidate{}
	for i := range r.Candidates {
		byName[r.Candidates[i].Entity] = &r.Candidates[i]
	}
	caller, callee := slowCall(r)
	named := slices.ContainsFunc(causes, func(c Cause) bool { return callee != nil && c.Entity.Name == caller })
	sum, none, noneOfMetrics := 0.0, 1.0, 1.0
	heard := 0.0 // What the alerts think of the slow way's end; most of it is meant for the way.
	for i := range causes {
		if named && causes[i].Entity.Name == callee.Entity {
			heard += (1 - ofCallee) * causes[i].Confidence
		}
		none -= causes[i].Confidence
		if m := byName[causes[i].Entity.Name]; m != nil {
			noneOfMetrics -= m.Confidence
		}
	}
	sum = (max(0, none) + openAlerts) * (max(0, noneOfMetrics) + openMetrics)
	for i := range causes {
		c := &causes[i]
		p := 0.0
		if m := byName[c.Entity.Name]; m != nil {
			p = m.Confidence
			c.Evidence = slices.Concat(c.Evidence, m.Evidence)
		}
		if named && c.Entity.Name == callee.Entity {
			p *= ofCallee
			c.Confidence *= ofCallee
		}
		if named && c.Entity.Name == caller {
			c.Confidence += heard
			// The alerts see one end of the call, the metrics speak of the other: the way between them is meant.
			p += (1 - ofCallee) * callee.Confidence
			c.Resource = networkTo + callee.Entity
			if i := strings.LastIndex(c.Text, "; "); i >= 0 { // What it explains stays.
				c.Text = between(c) + c.Text[i:]
			}
			c.Evidence = slices.Concat(callee.Evidence, c.Evidence)
		}
		c.Confidence = (c.Confidence + openAlerts) * (p + openMetrics)
		sum += c.Confidence
	}
	for i := range causes {
		causes[i].Confidence /= sum
	}
	slices.SortStableFunc(causes, func(a, b Cause) int { return cmp.Compare(b.Confidence, a.Confidence) })
	for i := range causes {
		causes[i].lead(r.DecidedBy)
	}
}

// lead puts evidence in order for who reads the first lines alone: what shows the resource that the cause names, since
// who is told of a disk wants to see the disk; what decided the ranking by metrics; the rest as it came.
func (c *Cause) lead(decidedBy string) {
	named := c.Resource != "" && !strings.HasPrefix(c.Resource, networkTo)
	rank := func(e cause.Evidence) int {
		switch {
		case e.For && named && e.Kind == "resource":
			return 0
		case e.For && e.Kind == decidedBy:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(c.Evidence, func(a, b cause.Evidence) int { return cmp.Compare(rank(a), rank(b)) })
}

// see takes back what the alerts hold against a cause because none of them tells of it, where the metrics do: an
// entity whose processor or disk is used up is no guess, whether or not somebody has a rule on it.
func (v *view) see(causes []Cause, r cause.Ranking) {
	if r.DecidedBy != "resource" || len(r.Candidates) == 0 {
		return
	}
	seen := r.Candidates[0]
	if !slices.ContainsFunc(seen.Evidence, func(e cause.Evidence) bool { return e.Kind == "resource" && e.For }) {
		return
	}
	again := slices.Clone(v.g.causes)
	for n := range again {
		if v.s.prob.roots[again[n].root].ent.Name == seen.Entity {
			again[n].score += again[n].parts.unseen
		}
	}
	slices.SortStableFunc(again, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	confide(again)
	confidence := make(map[int]float64, len(again))
	for _, a := range again {
		confidence[a.root] = a.confidence
	}
	for n := range causes {
		causes[n].Confidence = round3(confidence[causes[n].root])
	}
}

// besides says whether a ranking is beside the point: more or fewer requests were noticed and nothing else, and it
// looked for lost time and failures.
func (v *view) besides(r *cause.Ranking) bool {
	return v.g.traffic >= 0.5 && (r.DecidedBy == "excess" || r.DecidedBy == "")
}

// tells says whether a ranking rests on anything: without a single observation its order is that of the names.
func tells(r *cause.Ranking) bool {
	return !r.NoClearCause || r.DecidedBy != "" || slices.ContainsFunc(r.Candidates, func(c cause.Candidate) bool { return len(c.Evidence) > 0 })
}

// networkTo begins the resource of a cause that is the way to another entity.
const networkTo = "network to "

// between names the way from a cause to the other end of a call; empty: the cause is no way.
func between(c *Cause) string {
	callee, ok := strings.CutPrefix(c.Resource, networkTo)
	if !ok {
		return ""
	}
	return "the network between " + c.Entity.Name + " and " + callee
}

// slowCall is the call on whose way the time is lost, when that decided the ranking: its caller's name and
// its callee's place in the ranking.
func slowCall(r cause.Ranking) (caller string, callee *cause.Candidate) {
	if r.DecidedBy != "edge_gap" || len(r.Candidates) == 0 {
		return "", nil
	}
	for _, e := range r.Candidates[0].Evidence {
		if e.Kind == r.DecidedBy && e.Peer != "" {
			return e.Peer, &r.Candidates[0]
		}
	}
	return "", nil
}

func (v *view) cause(c ranked) Cause {
	r := &v.s.prob.roots[c.root]
	own := v.at(c.root)
	out := Cause{
		Entity: entityOf(r.ent), Confidence: round3(c.confidence), Score: round3(c.score),
		Start: fromSeconds(c.start), Resource: resourceOf(own), root: c.root,
	}
	if r.vertex >= 0 {
		out.Entity.Labels = v.s.world.v[r.vertex].attrs
	}
	out.Text = v.causeText(out, own, c)
	out.Evidence = v.evidence(c, own)
	return out
}

func (v *view) causeText(c Cause, own []*item, r ranked) string {
	text := called(c.Entity)
	if c.Resource != "" {
		text = c.Resource + " of " + text
	}
	names := map[string]int{}
	for _, it := range own {
		names[it.rec.place.name]++
	}
	if len(names) > 0 {
		text += " (" + countedNames(names, 2) + ")"
	}
	return text + fmt.Sprintf("; explains %d of %s", min(r.parts.explained, len(v.g.items)), v.signs())
}

// signs is how many members there are, in words.
func (v *view) signs() string {
	if slices.ContainsFunc(v.g.items, func(it *item) bool { return it.rec.Anomaly != nil }) {
		return fmt.Sprintf("%d alerts and anomalies", len(v.g.items))
	}
	return plural(len(v.g.items), "alert", "alerts")
}

func round3(x float64) float64 { return math.Round(x*1000) / 1000 }
