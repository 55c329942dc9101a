package correlate

import (
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/correlate/topology"
)

// States of an incident.
const (
	StateFiring   = "firing"
	StateResolved = "resolved"
)

// Incident is alerts, anomalies and changes that one cause explains. Its JSON is what
// GET /api/v1/incidents/ID answers.
type Incident struct {
	// ID comes from the content (the member that started first when the incident was opened), so that
	// two replicas that received the same alerts call it the same.
	ID       string `json:"id"`
	State    string `json:"state"` // firing or resolved
	Severity string `json:"severity,omitempty"`
	Title    string `json:"title"`
	Summary  string `json:"summary"`

	Start      time.Time `json:"start"`       // of the trouble: the earliest onset, or the cause's start
	FirstAlert time.Time `json:"first_alert"` // earliest startsAt of an alert, or of an anomaly where there is none
	Opened     time.Time `json:"opened"`      // when the incident was first told
	End        time.Time `json:"end,omitzero"`
	Revision   int       `json:"revision"` // 1, and one more whenever the first cause changed

	Shared    model.LabelSet `json:"shared,omitempty"`
	Alerts    []Member       `json:"alerts"`
	Anomalies []Anomaly      `json:"anomalies,omitempty"`
	Changes   []Change       `json:"changes,omitempty"`

	Causes       []Cause `json:"causes"` // best first
	NoClearCause bool    `json:"no_clear_cause"`
	Affected     []Count `json:"affected,omitempty"`
	Path         []Hop   `json:"path,omitempty"`
	// RuledOut are entities that look guilty at first sight, and what speaks against them.
	RuledOut []cause.RuledOut `json:"ruled_out,omitempty"`
	Timeline []Entry          `json:"timeline,omitempty"`
	// Posts are the times at which people were told of it.
	Posts []Post `json:"posts,omitempty"`

	RunbookURL string `json:"runbook_url,omitempty"`
	Action     string `json:"action,omitempty"`
	// Merged are ids of incidents that became part of this one.
	Merged []string `json:"merged,omitempty"`
	// SplitFrom is the incident this one was a part of.
	SplitFrom string `json:"split_from,omitempty"`
	// MergedInto is set on an incident that ended by becoming part of another.
	MergedInto string `json:"merged_into,omitempty"`
}

// Member is one alert of an incident.
type Member struct {
	Fingerprint  string         `json:"fingerprint"`
	Fingerprints []string       `json:"fingerprints,omitempty"` // of all replicas' copies, when there are several
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations,omitempty"`
	GeneratorURL string         `json:"generator_url,omitempty"`
	StartsAt     time.Time      `json:"starts_at"`
	Onset        time.Time      `json:"onset"` // startsAt less the rule's for:
	EndsAt       time.Time      `json:"ends_at,omitzero"`
	Status       string         `json:"status"` // firing or resolved
	Class        string         `json:"class"`  // error, latency, saturation, …
	Entity       Entity         `json:"entity"`
	Firings      int            `json:"firings"`            // more than 1: it flaps
	Seasonal     string         `json:"seasonal,omitempty"` // "fires every day about 02:00"
}

// Entity is what an incident calls a thing.
type Entity struct {
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Namespace string            `json:"namespace,omitempty"`
	Cluster   string            `json:"cluster,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Cause is one possible cause.
type Cause struct {
	Entity Entity `json:"entity"`
	// Resource is what of the entity is short or broken, when that is known: disk, cpu, memory, network, …
	Resource   string           `json:"resource,omitempty"`
	Text       string           `json:"text"`
	Confidence float64          `json:"confidence"` // probability that this is the cause
	Score      float64          `json:"score"`
	Start      time.Time        `json:"start"`
	Evidence   []cause.Evidence `json:"evidence,omitempty"`

	root int // Of the explanation that it was taken from.
}

// Count is how many of one kind are affected.
type Count struct {
	Noun  string   `json:"noun"` // "web servers", in the number that N asks for
	N     int      `json:"n"`
	Names []string `json:"names"`
}

// Hop is one entity on the way from the cause to the symptoms.
type Hop struct {
	Entity Entity `json:"entity"`
	State  string `json:"state"` // its own alerts and metrics in a clause
	// Evidence is what State rests on.
	Evidence []cause.Evidence `json:"evidence,omitempty"`
}

// Entry is one line of the timeline.
type Entry struct {
	Time time.Time `json:"time"`
	Kind string    `json:"kind"` // change, anomaly, cause, onset, alert, resolved
	Text string    `json:"text"`
}

// Anomaly is what the baselines found; it takes part like an alert of half the weight.
type Anomaly struct {
	Watch  string         `json:"watch"`
	Labels model.LabelSet `json:"labels"`
	Kind   string         `json:"kind"` // point, contextual, …
	Score  float64        `json:"score"`
	Since  time.Time      `json:"since"`
	Until  time.Time      `json:"until,omitzero"`
	At     time.Time      `json:"at,omitzero"` // of the sample that Value is
	Active bool           `json:"active"`
	Text   string         `json:"text,omitempty"`
	// Brief says in a line what is abnormal, for those who read it in a hurry; Text says why it is held to be.
	Brief string `json:"brief,omitempty"`
	Query string `json:"query,omitempty"`
	// Unit of Value, Expected, Lower and Upper, where the names of the metrics tell it: s, B, ratio, …
	Unit string `json:"unit,omitempty"`

	Value    float64 `json:"value"`
	Expected float64 `json:"expected"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
}

// Change is something that was changed on purpose or by the platform.
type Change struct {
	Time   time.Time      `json:"time"`
	Entity Entity         `json:"entity"`
	Labels model.LabelSet `json:"labels,omitempty"`
	Kind   string         `json:"kind"` // deploy, config, scale, restart, node, …
	Text   string         `json:"text"`
	Source string         `json:"source,omitempty"`
	// Query counts the change as 1, for those that metrics show.
	Query string `json:"query,omitempty"`
}

// matches says whether the change was made at an entity of the graph.
func (c *Change) matches(e topology.Entity) bool {
	if c.Entity.Name != "" {
		return c.Entity.Name == e.Name && (c.Entity.Namespace == "" || e.Namespace == "" || c.Entity.Namespace == e.Namespace)
	}
	for _, k := range []model.LabelName{"service", "deployment", "statefulset", "daemonset", "workload", "app", "pod", "node", "instance", "job"} {
		if v := string(c.Labels[k]); v != "" && (v == e.Name || strings.HasPrefix(v, e.Name+":")) {
			return true
		}
	}
	return false
}

func entityOf(e topology.Entity) Entity {
	return Entity{Kind: string(e.Kind), Name: e.Name, Namespace: e.Namespace, Cluster: e.Cluster}
}
