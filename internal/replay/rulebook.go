package replay

import (
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
)

// rulebook is what the rules of today say of alerts of the past.
type rulebook struct {
	byName    map[string][]rulefmt.Rule
	intervals map[string]time.Duration
}

func newRulebook(groups []rulefmt.RuleGroup) *rulebook {
	b := &rulebook{byName: map[string][]rulefmt.Rule{}, intervals: map[string]time.Duration{}}
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			b.byName[r.Alert] = append(b.byName[r.Alert], r)
			b.intervals[r.Alert] = max(b.intervals[r.Alert], time.Duration(g.Interval))
		}
	}
	return b
}

// minGap is how long no sample means that the alert is over: the time that Prometheus itself takes
// an old sample for current.
const minGap = 5 * time.Minute

// gap is longer for rules that are evaluated more rarely.
func (b *rulebook) gap(alertname string) time.Duration {
	return max(minGap, 2*b.intervals[alertname]+time.Minute)
}

// annotations are those of the rule that made an alert, as far as its labels fill them in: ALERTS keeps none.
func (b *rulebook) annotations(ls model.LabelSet) model.LabelSet {
	for _, r := range b.byName[string(ls[model.AlertNameLabel])] {
		if !carries(ls, r.Labels) {
			continue
		}
		out := model.LabelSet{}
		for name, text := range r.Annotations {
			out[model.LabelName(name)] = model.LabelValue(fill(text, ls))
		}
		return out
	}
	return nil
}

func carries(ls model.LabelSet, rule map[string]string) bool {
	for name, v := range rule {
		if string(ls[model.LabelName(name)]) != v && !strings.Contains(v, "{{") {
			return false
		}
	}
	return true
}

var (
	labelOf  = regexp.MustCompile(`\{\{-?\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*-?\}\}`)
	template = regexp.MustCompile(`\{\{.*?\}\}`)
)

// fill puts labels into a template. What else it asks for, as the value, is not known any more: the words around it
// are what tells the kind of the alert.
func fill(text string, ls model.LabelSet) string {
	text = labelOf.ReplaceAllStringFunc(text, func(m string) string {
		return string(ls[model.LabelName(labelOf.FindStringSubmatch(m)[1])])
	})
	return template.ReplaceAllString(text, "…")
}
