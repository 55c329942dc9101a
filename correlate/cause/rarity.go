package cause

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// AlertWeights are the constants of the ranking by alerts, fitted by internal/benchmarks/cause.
type AlertWeights struct {
	Own     float64 // Rarity of the entity's own metric alerts.
	Lift    float64 // Rarity that most replicas of a service show.
	Host    float64 // Mean rarity of what runs on a node.
	Node    float64 // A node has fewer alerts than a pod, a service fewer still:
	Service float64 // these make the levels comparable.
}

// fades is how fast an alert loses weight after the first of its list: victims alert later.
const fades = 200 * time.Second

// lifted is the share of a service's replicas that have to show an alert for it to count for the
// service.
const lifted = .6

// rareAlert is one distinct alert of an entity.
type rareAlert struct {
	*Alert
	entity int
	source string
	rarity float64 // Logarithm; 0: as common as can be.
	weight float64 // Rarity, faded by its time.
}

// alertFeatures are what AlertWeights multiply, by entity; exported to the fit through Features.
type alertFeatures [5]float64

func (w AlertWeights) dot(f alertFeatures) float64 {
	return w.Own*f[0] + w.Lift*f[1] + w.Host*f[2] + w.Node*f[3] + w.Service*f[4]
}

// rarity ranks entities by how unusual their alerts are. An alert that fires in every incident
// says nothing; a rare one that most replicas show lifts the answer from the pod to its service,
// and one that a node's pods share lifts it to the node.
func rarity(v *view) finding {
	f := v.newFinding("alert_rarity")
	alerts := v.rareAlerts()
	if len(alerts) == 0 {
		return f
	}
	features := v.alertFeatures(alerts)
	w := v.model.Alerts
	if !v.hasHistory() {
		w = v.model.AlertsAlone
	}
	for e := range v.names {
		f.score[e] = w.dot(features[e])
	}
	f.evidence = func(e int) []Evidence { return v.alertEvidence(f.kind, e, alerts, features[e]) }
	// Alerts alone are all there is: the list decides. Beside series they are one voice of several.
	if len(v.series) == 0 && len(v.c.Logs) == 0 && len(v.c.Spans) == 0 {
		f.decided = order(f.score, func(e int) bool { return v.candidate[e] })
		if n := len(f.decided); n > 0 {
			f.strength, f.margin = v.alertStrength(f.score, f.decided)
		}
	}
	return f
}

// hasHistory says whether it is known how often alerts appear in general.
func (v *view) hasHistory() bool { return v.c.Background.Lists > 1 }

// alertStrength makes the confidence of an alert list: the share of the best under a softmax, and
// how far it leads.
func (v *view) alertStrength(score []float64, list []int) (strength, margin float64) {
	sum := 0.0
	for _, e := range list {
		sum += math.Exp(score[e] - score[list[0]])
	}
	if len(list) == 1 {
		return 1 / sum, 5
	}
	return 1 / sum, min(5, score[list[0]]-score[list[1]])
}

// rareAlerts are the distinct alerts of the case with their rarity, ordered by entity.
func (v *view) rareAlerts() []*rareAlert {
	seen := map[AlertKey]*rareAlert{}
	shown := map[[2]string]map[int]bool{}
	var out []*rareAlert
	first := int64(math.MaxInt64)
	for i := range v.c.Alerts {
		a := &v.c.Alerts[i]
		e, ok := v.index[a.entity()]
		if !ok {
			continue
		}
		first = min(first, a.Time.UnixMilli())
		name := [2]string{a.Name, a.Direction}
		if shown[name] == nil {
			shown[name] = map[int]bool{}
		}
		shown[name][e] = true
		k := AlertKey{a.entity(), a.Name, a.Direction}
		if r := seen[k]; r != nil {
			if a.Time.Before(r.Time) {
				r.Alert = a
			}
			continue
		}
		r := &rareAlert{Alert: a, entity: e, source: a.Source}
		if r.source == "" {
			r.source = SourceMetric
		}
		seen[k] = r
		out = append(out, r)
	}
	for _, r := range out {
		if b := v.c.Background; v.hasHistory() {
			r.rarity = math.Log(float64(b.Lists+1) / (float64(b.Seen[AlertKey{r.Alert.entity(), r.Name, r.Direction}]) + .5))
		} else {
			// No history: what many entities show at once is common.
			r.rarity = math.Log(float64(len(v.names)+1) / (float64(len(shown[[2]string{r.Name, r.Direction}])) + .5))
		}
		r.rarity = max(0, r.rarity)
		r.weight = r.rarity * math.Exp(-float64(r.Time.UnixMilli()-first)/float64(fades.Milliseconds()))
	}
	slices.SortStableFunc(out, func(a, b *rareAlert) int {
		if a.entity != b.entity {
			return a.entity - b.entity
		}
		return strings.Compare(a.Name+"\x00"+a.Direction, b.Name+"\x00"+b.Direction)
	})
	return out
}

// entity is the alert's entity, or the most telling of its labels.
func (a *Alert) entity() string {
	if a.Entity != "" {
		return a.Entity
	}
	for _, l := range []string{"pod", "service", "deployment", "job", "node", "instance"} {
		if x := a.Labels[l]; x != "" {
			return x
		}
	}
	return ""
}

func (v *view) alertFeatures(alerts []*rareAlert) []alertFeatures {
	out := make([]alertFeatures, len(v.names))
	by := make([][]*rareAlert, len(v.names))
	for _, r := range alerts {
		by[r.entity] = append(by[r.entity], r)
		if r.source == SourceMetric {
			out[r.entity][0] += r.weight
		}
	}
	for e := range v.names {
		if len(v.members[e]) > 0 {
			out[e][1], out[e][4] = v.lift(e, by), 1
		}
		if n := len(v.guests[e]); n > 0 {
			for _, p := range v.guests[e] {
				out[e][2] += out[p][0] / float64(n)
			}
			out[e][3] = 1
		}
	}
	return out
}

// lift is the rarity that at least a share of a service's replicas have in common, per replica.
func (v *view) lift(e int, by [][]*rareAlert) float64 {
	n := len(v.members[e])
	if n < 2 {
		return 0
	}
	type shared struct {
		count int
		sum   float64
	}
	common := map[[2]string]*shared{}
	var names [][2]string
	for _, p := range v.members[e] {
		for _, r := range by[p] {
			w := 1.0
			switch r.source {
			case SourceTrace:
				w = .5 // Spans alert on both sides of a call.
			case SourceLog:
				continue
			}
			k := [2]string{r.Name, r.Direction}
			if common[k] == nil {
				common[k] = &shared{}
				names = append(names, k)
			}
			common[k].count++
			common[k].sum += w * r.weight
		}
	}
	total := 0.0
	for _, k := range names {
		if s := common[k]; float64(s.count) >= lifted*float64(n) {
			total += s.sum / float64(n)
		}
	}
	return total
}

func (v *view) alertEvidence(kind string, e int, alerts []*rareAlert, f alertFeatures) []Evidence {
	var mine []*rareAlert
	for _, r := range alerts {
		if r.entity == e && r.weight > 0 {
			mine = append(mine, r)
		}
	}
	slices.SortStableFunc(mine, func(a, b *rareAlert) int { return cmpFloat(b.weight, a.weight) })
	var out []Evidence
	for _, r := range mine[:min(3, len(mine))] {
		often := "seldom fires here"
		if b := v.c.Background; v.hasHistory() {
			often = fmt.Sprintf("fired here in %d of %d incidents", b.Seen[AlertKey{r.Alert.entity(), r.Name, r.Direction}], b.Lists)
		}
		at := r.Time.UTC()
		out = append(out, Evidence{
			Kind: kind, For: true, Entity: v.names[e], Time: at, From: at, To: at, Query: alertQuery(r.Alert), Value: 1, Weight: r.weight,
			Text: fmt.Sprintf("%s %s on %s; it %s.", r.Name, r.Direction, v.names[e], often),
		})
	}
	if f[1] > 0 {
		out = append(out, v.groupEvidence(kind, e, v.members[e], alerts, f[1], "of the %d replicas of %s show such alerts."))
	}
	if f[3] > 0 && f[2] > 0 {
		out = append(out, v.groupEvidence(kind, e, v.guests[e], alerts, f[2], "of the %d entities on %s show rare alerts."))
	}
	return out
}

// groupEvidence counts the members of a group that show rare alerts.
func (v *view) groupEvidence(kind string, e int, group []int, alerts []*rareAlert, weight float64, text string) Evidence {
	alerting := map[int]bool{}
	var names []string
	first := int64(math.MaxInt64)
	for _, r := range alerts {
		if r.weight > 0 && slices.Contains(group, r.entity) {
			alerting[r.entity] = true
			first = min(first, r.Time.UnixMilli())
			if n := regexp.QuoteMeta(r.Name); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return Evidence{
		Kind: kind, For: true, Entity: v.names[e], Time: msTime(first), Value: float64(len(alerting)), Weight: weight,
		Query: fmt.Sprintf("ALERTS{alertname=~%q}", strings.Join(names, "|")),
		Text:  fmt.Sprintf("%d "+text, len(alerting), len(group), v.names[e]),
	}
}

// alertQuery is what shows the alert again: its expression, or its history in ALERTS.
func alertQuery(a *Alert) string {
	if a.Query != "" {
		return a.Query
	}
	return fmt.Sprintf("ALERTS{alertname=%q}", a.Name)
}

// AlertFeatures returns the candidates of a case in order of their names and what AlertWeights
// multiply for each: own rarity, lift, host share, and whether it is a node or a service. For the fit.
func AlertFeatures(c Case, opts Options) (entities []string, x [][5]float64) {
	v := newView(&c, DefaultModel())
	v.setStart(v.window(opts))
	f := v.alertFeatures(v.rareAlerts())
	for e, name := range v.names {
		if v.candidate[e] {
			entities, x = append(entities, name), append(x, f[e])
		}
	}
	return entities, x
}
