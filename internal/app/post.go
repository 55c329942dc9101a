package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/state"
)

// finite is v, or 0 where JSON has no number for it.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func (i *incidents) remind() {
	i.noteFixes()
	for _, inc := range i.engine.Incidents() {
		if inc.State == correlate.StateFiring && !inc.Opened.IsZero() {
			i.s.app.runbooks.Propose(i.forRunbook(&inc))
		}
	}
}

// keepPosts stores what Alertmanager was told: an incident must be posted with the same labels and
// revision after a crash.
func (i *incidents) keepPosts(ctx context.Context) error {
	posts, err := json.Marshal(i.s.notifier.State())
	if err != nil {
		return err
	}
	return i.s.app.store.Put(ctx, state.Meta, keyPosts, posts)
}

// causeText names the first cause, or says that there is no clear one.
func causeText(inc *correlate.Incident) string {
	if inc.NoClearCause || len(inc.Causes) == 0 {
		return "no clear cause"
	}
	c := inc.Causes[0]
	return strings.TrimSpace(c.Entity.Name + " " + c.Resource)
}

// post is the incident as an Alertmanager alert. Its labels may not change while it lives; what
// people read stands in the annotations.
func (i *incidents) post(inc *correlate.Incident) notify.Alert {
	a := notify.Alert{
		Labels:       model.LabelSet{model.AlertNameLabel: incidentAlert, "incident": model.LabelValue(inc.ID), "severity": model.LabelValue(cmp.Or(i.firstSeverity(inc), "warning"))},
		StartsAt:     inc.FirstAlert,
		GeneratorURL: i.s.app.externalURL() + "/incidents/" + inc.ID,
	}
	for k, v := range i.firstShared(inc) {
		if _, taken := a.Labels[k]; !taken && k != pathLabel {
			a.Labels[k] = v
		}
	}
	confidence := "no clear cause"
	if len(inc.Causes) > 0 && !inc.NoClearCause {
		confidence = fmt.Sprintf("%.2f", inc.Causes[0].Confidence)
	}
	action := inc.Action
	if action == "" {
		action = i.s.app.actionOf(inc.ID)
	}
	a.Annotations = model.LabelSet{
		"summary":     model.LabelValue(inc.Summary),
		"title":       model.LabelValue(inc.Title),
		"description": model.LabelValue(describe(inc)),
		"cause":       model.LabelValue(causeText(inc)),
		"confidence":  model.LabelValue(confidence),
		"evidence":    model.LabelValue(evidenceText(inc)),
		"affected":    model.LabelValue(affectedText(inc)),
		"action":      model.LabelValue(action),
		"runbook_url": model.LabelValue(inc.RunbookURL),
		"dashboard":   model.LabelValue(a.GeneratorURL),
		"alerts":      model.LabelValue(fmt.Sprint(len(inc.Alerts))),
	}
	for k, v := range a.Annotations {
		if v == "" {
			delete(a.Annotations, k)
			continue
		}
		if k != "summary" && k != "title" && k != "description" { // These are headings, no details.
			a.Annotations[k] = model.LabelValue(asText(string(v)))
		}
	}
	return a
}

// asText keeps a sentence a sentence. Alertmanager reads every detail of a PagerDuty event as YAML
// (template.DeepCopyWithTemplate, since 0.29) and sends the structure that it finds: "disk: slow" would
// reach the pager as an object, several such lines as one whose order is lost.
func asText(s string) string {
	if !structured(s) {
		return s
	}
	s = strings.ReplaceAll(s, ": ", " – ")
	s = strings.ReplaceAll(s, ":\n", "\n")
	s = strings.TrimSuffix(s, ":")
	if structured(s) { // A list, a quoted word, a bracket.
		s = "· " + s
	}
	if structured(s) {
		s = "· " + strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || strings.ContainsRune(":?-{}[]&*!|>'\"%@`", r) {
				return ' '
			}
			return r
		}, s)
	}
	return s
}

// structured says whether YAML finds more than a scalar.
func structured(s string) bool {
	var doc yaml.Node
	return yaml.Unmarshal([]byte(s), &doc) == nil && (len(doc.Content) != 1 || doc.Content[0].Kind != yaml.ScalarNode)
}

// firstSeverity and firstShared are what the incident was posted with first: the labels of a post
// are its identity, so a later and worse member must not change them.
func (i *incidents) firstSeverity(inc *correlate.Incident) string {
	if l, ok := i.posted(inc.ID); ok {
		return string(l["severity"])
	}
	return inc.Severity
}

func (i *incidents) firstShared(inc *correlate.Incident) model.LabelSet {
	if l, ok := i.posted(inc.ID); ok {
		return l
	}
	return inc.Shared
}

func (i *incidents) posted(id string) (model.LabelSet, bool) {
	for _, saved := range i.s.notifier.State() {
		if saved.Key == id && saved.EndedAt.IsZero() {
			return saved.Alert.Labels, true
		}
	}
	return nil, false
}

// describe is the incident in a few sentences.
func describe(inc *correlate.Incident) string {
	var b strings.Builder
	b.WriteString(inc.Summary)
	if len(inc.Causes) > 0 {
		c := inc.Causes[0]
		if inc.NoClearCause {
			fmt.Fprintf(&b, " There is no clear cause; the first candidate is %s at %.0f %%.", strings.TrimSpace(c.Entity.Name+" "+c.Resource), 100*c.Confidence)
		}
		if len(inc.Causes) > 1 {
			n := inc.Causes[1]
			fmt.Fprintf(&b, " Next: %s at %.0f %%.", strings.TrimSpace(n.Entity.Name+" "+n.Resource), 100*n.Confidence)
		}
	}
	return b.String()
}

func evidenceText(inc *correlate.Incident) string {
	if len(inc.Causes) == 0 {
		return ""
	}
	// The first line makes the rest one text for whoever reads it as YAML; see asText.
	lines := []string{"What speaks for it (+) and against it (-)"}
	for _, e := range inc.Causes[0].Evidence {
		sign := "+ "
		if !e.For {
			sign = "- "
		}
		lines = append(lines, sign+e.Text)
		if len(lines) > maxEvidence {
			break
		}
	}
	if len(lines) == 1 {
		return ""
	}
	return strings.Join(lines, "\n")
}

func affectedText(inc *correlate.Incident) string {
	parts := make([]string, 0, len(inc.Affected))
	for _, c := range inc.Affected {
		parts = append(parts, fmt.Sprintf("%d %s", c.N, c.Noun))
	}
	return strings.Join(parts, ", ")
}
