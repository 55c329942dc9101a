package correlate

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Config is the section `correlate:`.
type Config struct {
	// Wait is how long the first post of an incident waits for more alerts and for evidence.
	Wait model.Duration `yaml:"wait,omitempty"`
	// ClearWait is how long it waits at most, in all, while the cause is not settled: its confidence is
	// under 0.9 (0.7 after ten seconds), or the metrics have not had their say.
	ClearWait model.Duration `yaml:"clear_wait,omitempty"`
	// ResolveAfter is how long all alerts of an incident must have ended before it is resolved; alerts
	// that flap faster do not flap the incident.
	ResolveAfter model.Duration `yaml:"resolve_after,omitempty"`
	// FlapWindow joins firings of one alert that follow each other within it into one member.
	FlapWindow model.Duration `yaml:"flap_window,omitempty"`
	// RevisionInterval is the shortest time between two revisions of an incident's first cause.
	RevisionInterval model.Duration `yaml:"revision_interval,omitempty"`
	// Retention is how long resolved incidents are kept for the API and for late alerts.
	Retention model.Duration `yaml:"retention,omitempty"`
	// MaxAlerts bounds the memory: above it the oldest ended alerts are forgotten early.
	MaxAlerts int `yaml:"max_alerts,omitempty"`
	// AnomalyIncidents is how many anomalies with one cause open an incident that has no alert;
	// 0, the default: never, a page needs an alert.
	AnomalyIncidents int `yaml:"anomaly_incidents"`
	// AnomalyWait is how long such an incident waits for an alert to join before it is told.
	AnomalyWait model.Duration `yaml:"anomaly_wait,omitempty"`

	// SharedLabels are labels that go onto the incident when all members have them with one value.
	SharedLabels []string `yaml:"shared_labels,omitempty"`
	// ReplicaLabels are labels by which the copies of one alert from a high-availability pair differ; they are dropped.
	ReplicaLabels []string `yaml:"replica_labels,omitempty"`
	// TierLabels are labels that name the tier of an alert's entity, by which the affected are counted.
	TierLabels []string `yaml:"tier_labels,omitempty"`
	// EntityLabels are labels that name the workload of an alert, best first.
	EntityLabels []string `yaml:"entity_labels,omitempty"`
	// UnitLabels are labels that name one instance of the workload, best first.
	UnitLabels []string `yaml:"unit_labels,omitempty"`
	// PeerLabels are labels that name something the alert's entity calls.
	PeerLabels []string `yaml:"peer_labels,omitempty"`
	// SeverityLabel is the label with an alert's severity; an incident has the worst of its alerts.
	SeverityLabel string `yaml:"severity_label,omitempty"`
	// SeverityOrder are the values of that label, worst first; others rank last.
	SeverityOrder []string `yaml:"severity_order,omitempty"`
}

// DefaultConfig is what an empty section means.
func DefaultConfig() Config {
	return Config{
		Wait:             model.Duration(3 * time.Second),
		ClearWait:        model.Duration(30 * time.Second),
		ResolveAfter:     model.Duration(5 * time.Minute),
		FlapWindow:       model.Duration(30 * time.Minute),
		RevisionInterval: model.Duration(time.Minute),
		Retention:        model.Duration(6 * time.Hour),
		MaxAlerts:        200_000,
		AnomalyIncidents: 0,
		AnomalyWait:      model.Duration(2 * time.Minute),
		SharedLabels:     []string{"cluster", "region", "environment", "env", "namespace", "team", "owner"},
		ReplicaLabels:    []string{"prometheus_replica", "replica", "__replica__", "prometheus"},
		TierLabels:       []string{"tier", "component", "role", "app_kubernetes_io_component", "label_tier"},
		EntityLabels: []string{
			"service", "service_name", "deployment", "statefulset", "daemonset", "workload", "app",
			"app_kubernetes_io_name", "destination_workload", "horizontalpodautoscaler", "job_name", "cronjob",
			"container", "database", "datname", "job",
		},
		UnitLabels:    []string{"pod", "instance", "server", "host", "hostname", "node", "nodename", "kubernetes_node"},
		PeerLabels:    []string{"upstream", "destination", "destination_service", "peer_service", "provider", "backend", "target_service", "server_address"},
		SeverityLabel: "severity",
		SeverityOrder: []string{"page", "emergency", "critical", "high", "error", "major", "warning", "medium", "minor", "low", "info", "none"},
	}
}

// UnmarshalYAML fills in the defaults and checks the section.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says what is wrong, where, and what would be right.
func (c *Config) Validate() error {
	for _, d := range []struct {
		name     string
		value    model.Duration
		min, max time.Duration
	}{
		{"wait", c.Wait, 0, time.Minute},
		{"clear_wait", c.ClearWait, 0, time.Minute},
		{"resolve_after", c.ResolveAfter, 0, 24 * time.Hour},
		{"flap_window", c.FlapWindow, 0, 24 * time.Hour},
		{"revision_interval", c.RevisionInterval, 0, time.Hour},
		{"retention", c.Retention, time.Hour, 30 * 24 * time.Hour},
	} {
		if v := time.Duration(d.value); v < d.min || v > d.max {
			return fmt.Errorf("correlate.%s is %s: want a duration between %s and %s", d.name, d.value, model.Duration(d.min), model.Duration(d.max))
		}
	}
	if c.MaxAlerts < 100 {
		return fmt.Errorf("correlate.max_alerts is %d: want at least 100", c.MaxAlerts)
	}
	if c.AnomalyIncidents < 0 {
		return fmt.Errorf("correlate.anomaly_incidents is %d: want 0 (never) or a count", c.AnomalyIncidents)
	}
	return c.validateLabels()
}

func (c *Config) validateLabels() error {
	for _, l := range []struct {
		name   string
		labels []string
	}{
		{"shared_labels", c.SharedLabels},
		{"replica_labels", c.ReplicaLabels},
		{"tier_labels", c.TierLabels},
		{"entity_labels", c.EntityLabels},
		{"unit_labels", c.UnitLabels},
		{"peer_labels", c.PeerLabels},
	} {
		for i, name := range l.labels {
			if !model.UTF8Validation.IsValidLabelName(name) {
				return fmt.Errorf("correlate.%s[%d] is %q: want a label name", l.name, i, name)
			}
		}
	}
	if slices.Contains(c.ReplicaLabels, model.AlertNameLabel) {
		return fmt.Errorf("correlate.replica_labels has %q: dropping it would make all alerts one", model.AlertNameLabel)
	}
	if c.SeverityLabel == "" {
		return fmt.Errorf("correlate.severity_label is empty: want a label name such as severity")
	}
	return nil
}
