package rules

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
)

// Durations tells how long alerting rules wait before they fire: the cause of an alert lies that
// much before its start. The zero value knows none.
type Durations struct {
	byName map[string][]waiting
}

type waiting struct {
	labels map[string]string
	d      time.Duration
}

// DurationsOf collects the `for:` of all alerting rules.
func DurationsOf(groups []rulefmt.RuleGroup) Durations {
	d := Durations{byName: map[string][]waiting{}}
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			all := make(map[string]string, len(g.Labels)+len(r.Labels))
			for _, set := range []map[string]string{g.Labels, r.Labels} {
				for name, value := range set {
					all[name] = value
				}
			}
			d.byName[r.Alert] = append(d.byName[r.Alert], waiting{labels: all, d: time.Duration(r.For)})
		}
	}
	return d
}

// For returns the longest wait of the rules with this alert name, 0 when there is none.
func (d Durations) For(alertname string) time.Duration {
	var longest time.Duration
	for _, w := range d.byName[alertname] {
		longest = max(longest, w.d)
	}
	return longest
}

// Knows says whether there is an alerting rule of this name.
func (d Durations) Knows(alertname string) bool { return len(d.byName[alertname]) > 0 }

// ForAlert returns the wait of the rule that made this alert: of the rules with its name, the
// longest of those whose own labels it carries (a warning often waits longer than a critical).
// Rule labels that are templates match anything.
func (d Durations) ForAlert(alert labels.Labels) time.Duration {
	var longest time.Duration
	matched := false
	name := alert.Get(labels.AlertName)
	for _, w := range d.byName[name] {
		if carries(alert, w.labels) {
			matched = true
			longest = max(longest, w.d)
		}
	}
	if !matched {
		return d.For(name)
	}
	return longest
}

func carries(alert labels.Labels, rule map[string]string) bool {
	for name, value := range rule {
		if alert.Get(name) != value && !isTemplate(value) {
			return false
		}
	}
	return true
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") }
