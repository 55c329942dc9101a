package runbook

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Incident is what a runbook may know of an incident: what matchers see, what templates of a body
// may use (`{{ .Resource }}`, `{{ .Labels.cluster }}`) and what limits and verification go by.
type Incident struct {
	// ID is the incident's lasting identifier.
	ID       string `json:"id"`
	Severity string `json:"severity,omitempty"`
	// Cause is the entity ranked first, CauseKind its kind (disk, deploy, …), Confidence 0 to 1.
	Cause      string  `json:"cause,omitempty"`
	CauseKind  string  `json:"cause_kind,omitempty"`
	Confidence float64 `json:"confidence,omitempty"`
	// Resource is the part of the cause an action would act on (disk sda); may be empty.
	Resource string `json:"resource,omitempty"`
	Summary  string `json:"summary,omitempty"`
	// Labels are those that all members share.
	Labels model.LabelSet `json:"labels,omitempty"`
	// Alertnames are the names of the member alerts, sorted, each once.
	Alertnames []string `json:"alertnames,omitempty"`
	// Affected are the entities that are harmed.
	Affected []string  `json:"affected,omitempty"`
	StartsAt time.Time `json:"starts_at,omitzero"`
	// DataTime is the time of the newest data the incident stands on; an action on data older than
	// the limit is refused.
	DataTime time.Time `json:"data_time,omitzero"`
	// Anomalies is how many of its series are outside their band now; growth after a call is harm.
	Anomalies int  `json:"anomalies,omitempty"`
	Resolved  bool `json:"resolved,omitempty"`
}

// MatchLabels returns the label set that matchers see: the shared labels, under them `alertname`
// when there is exactly one, and over them incident, severity, cause, cause_kind and resource, so
// that no label of an alert can pass for one of these.
func (i Incident) MatchLabels() model.LabelSet {
	set := model.LabelSet{}
	if len(i.Alertnames) == 1 {
		set[model.AlertNameLabel] = model.LabelValue(i.Alertnames[0])
	}
	for name, value := range i.Labels {
		if name != model.AlertNameLabel {
			set[name] = value
		}
	}
	for name, value := range map[model.LabelName]string{
		"incident": i.ID, "severity": i.Severity, "cause": i.Cause, "cause_kind": i.CauseKind, "resource": i.Resource,
	} {
		set[name] = model.LabelValue(value)
	}
	return set
}

// target is what an action on the incident acts on; calls are limited per target.
func (i Incident) target() string {
	return strings.TrimSpace(i.Cause + " " + i.Resource)
}

// matches says whether all matchers hold for the label set.
func (m Matchers) matches(set model.LabelSet) bool {
	for _, matcher := range m {
		if !matcher.Matches(string(set[model.LabelName(matcher.Name)])) {
			return false
		}
	}
	return true
}
