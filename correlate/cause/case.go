// Package cause ranks the root causes of an incident: it reads what is known around the incident's
// start (series, calls, alerts, changes, log patterns, spans) and returns the entities in the order
// in which they are likely to be the cause, each with a probability and with evidence that can be
// run again.
//
// The same Rank explains live incidents and recorded cases. Each kind of evidence is one file and
// one row of the table in rank.go.
package cause

import "time"

// Edge kinds of a Case's graph.
const (
	EdgeCall     = "call"     // From calls To.
	EdgeHost     = "host"     // From runs on the node To.
	EdgeInstance = "instance" // From is a replica (pod) of To.
	EdgeOwns     = "owns"     // From owns the replica To: the same as EdgeInstance the other way round.
)

// Alert sources.
const (
	SourceMetric = "metric"
	SourceTrace  = "trace"
	SourceLog    = "log"
)

// Case is everything a ranking may read. Times in milliseconds are Unix time. All of it is
// optional; what is missing makes the answer less certain, not invalid. Rank does not change it.
type Case struct {
	ID string
	// Dir is the folder that a recorded case was read from.
	Dir string

	// Step is the usual distance of samples; zero: taken from the series.
	Step time.Duration
	// AlertTime is when somebody was told. Needed to find the start; zero: the last sample.
	AlertTime time.Time
	// FaultTime is the start when it is known; zero: Rank finds it.
	FaultTime time.Time
	// OtherFaults are known times of trouble that are no part of the normal period.
	OtherFaults []Period

	// Symptom is what people noticed; the zero value is allowed.
	Symptom Symptom
	// Candidates are the entities to rank; empty: all entities that occur in the case.
	Candidates []string

	Series []Series
	Graph  []Edge
	// Attributes of entities that several may share, as a node's zone: entity, then name, then value.
	Attributes map[string]map[string]string

	Alerts []Alert
	// Background is how often alerts appear in general, learned from alert history.
	Background Background
	Changes    []Change

	// LogsBy is how many standard deviations of its count a log pattern must be lost by to decide, and moved by to be
	// told: where traffic is anybody's, thousands of patterns are compared. Zero: as recorded cases with counted
	// requests need it.
	LogsBy float64
	// Counts of the incident's window and of reference windows, by Window.
	Logs, LogsBaseline   []LogCount
	Spans, SpansBaseline []SpanCount
}

// Period is a closed interval of time.
type Period struct{ From, To time.Time }

// Symptom is the series in which the incident was noticed.
type Symptom struct{ Entity, Metric string }

// Series is one series of an entity, or, with Peer set, of the calls from Entity to Peer. Counters
// come as rates and histograms as means or quantiles; a mean whose name says so (`…:mean`, `…_avg`) lets
// time be accounted for along calls, which quantiles do not.
type Series struct {
	Entity string
	// Peer is the callee for series about calls, as client and server latency of a service graph.
	Peer string
	// Metric says what is measured, in the words of metric names; Name is what people call it, Metric where it
	// is empty.
	Metric string
	Name   string
	// Kind overrides the classification of the metric's name; zero: Classify(Metric).
	Kind Kind
	// Query reads the series again: PromQL, or the name of a recorded case's column.
	Query string
	// Say writes a value as people read it, with its unit; nil: as a plain number.
	Say func(v float64) string `json:"-"`
	// T (milliseconds, increasing) and V are the samples up to the time of ranking, the rows
	// before the fault included. NaN is no sample.
	T []int64
	V []float64
	// BaseT and BaseV are samples of another, fault-free time. May be empty.
	BaseT []int64
	BaseV []float64
}

// Edge is a directed relation of two entities.
type Edge struct{ From, To, Kind string }

// Alert is one alert of the incident.
type Alert struct {
	Time      time.Time
	Entity    string
	Source    string // SourceMetric, SourceTrace or SourceLog; empty: SourceMetric.
	Name      string
	Direction string
	Detail    string
	Labels    map[string]string
	// Query is the rule's expression, where it is known.
	Query string
}

// AlertKey is what makes two alerts the same alarm at different times.
type AlertKey struct{ Entity, Name, Direction string }

// Background says in how many of Lists past incidents (or equal stretches of alert history) each
// alert appeared.
type Background struct {
	Lists int
	Seen  map[AlertKey]int
}

// Change is something that was changed on purpose or by the platform.
type Change struct {
	Time   time.Time
	Entity string
	Kind   string // deploy, config, scale, restart, node, …
	Text   string
	Query  string
}

// LogCount is how many lines of a pattern an entity wrote in a window.
type LogCount struct {
	Window  int64 // Start of the window the count belongs to, milliseconds.
	Entity  string
	Pattern string
	Count   float64
	Query   string
}

// SpanCount sums the spans of one operation of Entity, called by Caller, in one minute of a window.
type SpanCount struct {
	Window    int64 // Start of the window the count belongs to, milliseconds.
	Time      int64 // Start of the minute, milliseconds.
	Caller    string
	Entity    string
	Operation string
	// Client marks the span of a call that Entity makes; the callee's own span names the callee.
	Client bool
	Count  float64
	MeanMs float64
	P50Ms  float64
	// CountQuery reads how many spans Caller, Entity and side have in this minute, of all operations; TimeQuery reads
	// how long they took together, in milliseconds. Empty: nothing does.
	CountQuery, TimeQuery string
}

// Options of a ranking; the zero value is the default.
type Options struct {
	// IgnoreFaultTime finds the start even where the case has one.
	IgnoreFaultTime bool
	// StartOffset moves a given fault time, to see what a late start costs.
	StartOffset time.Duration
	// Model replaces the fitted constants; nil: DefaultModel.
	Model *Model
	// NoClearCause is the confidence below which a ranking says so; zero: the fitted default.
	NoClearCause float64
	// MaxEvidence bounds the evidence kept per candidate; zero: 8.
	MaxEvidence int
}

// Ranking is the answer.
type Ranking struct {
	// Candidates, best first, all of them.
	Candidates []Candidate `json:"ranking"`
	// Start of the fault, given or found.
	Start time.Time `json:"start"`
	// End is when the newest sample that was ranked was taken; zero: there was none.
	End time.Time `json:"-"`
	// NoClearCause says that the first candidate should not be acted on.
	NoClearCause bool `json:"no_clear_cause"`
	// DecidedBy names the kind of evidence that put the first candidate first.
	DecidedBy string `json:"decided_by,omitempty"`
	// RuledOut are entities that look guilty at first sight, and why they are not.
	RuledOut []RuledOut `json:"ruled_out,omitempty"`
	// Path leads from the first candidate to the symptom.
	Path []Hop `json:"path,omitempty"`
}

// Candidate is one entity of a ranking.
type Candidate struct {
	Entity string `json:"entity"`
	// Confidence is the probability, 0 to 1, that this entity is the cause.
	Confidence float64 `json:"confidence"`
	// Score orders the candidates; comparable within one ranking only.
	Score    float64    `json:"score"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Evidence is one observation for or against a candidate. Query and Value can be run again.
type Evidence struct {
	Kind   string `json:"kind"`
	For    bool   `json:"for"`
	Entity string `json:"entity"`
	// Peer calls the entity, where what lies between the two of them alone is the matter.
	Peer string `json:"peer,omitempty"`
	// Text is one plain sentence.
	Text string `json:"text"`
	// Query reads the value again: PromQL, or the name of a recorded case's series. Value is the mean
	// of what it returns from From to To; where these are zero, what it returns for the incident's
	// window.
	Query string    `json:"query,omitempty"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	Value float64   `json:"value"`
	// Step is the distance of the samples from From to To.
	Step time.Duration `json:"-"`
	// Time is when it was first seen.
	Time     time.Time `json:"time"`
	Expected *float64  `json:"expected,omitempty"`
	Lower    *float64  `json:"lower,omitempty"`
	Upper    *float64  `json:"upper,omitempty"`
	Weight   float64   `json:"weight"`
}

// RuledOut is an entity that shows an anomaly and is still not the cause.
type RuledOut struct {
	Entity string `json:"entity"`
	Text   string `json:"text"`
	// Evidence is what Text rests on.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Hop is one entity on the path from the cause to the symptom.
type Hop struct {
	Entity string `json:"entity"`
	// State is the hop's own state in one plain clause.
	State string `json:"state"`
	// Deviation is the largest of its series in spreads of the normal period; 0: nothing seen.
	Deviation float64 `json:"deviation"`
	// Evidence is what State rests on, where it is abnormal.
	Evidence []Evidence `json:"evidence,omitempty"`
}
