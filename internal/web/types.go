package web

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/rules"
)

// Proposal is a runbook suggested for an incident.
type Proposal struct {
	ID          string `json:"id"`
	Runbook     string `json:"runbook"`
	Description string `json:"description,omitempty"`
	Mode        string `json:"mode"`
	State       string `json:"state"`
	Detail      string `json:"detail,omitempty"`
	CanApprove  bool   `json:"can_approve"`
	// Steps are what was done about it, in order.
	Steps []Step `json:"steps,omitempty"`
}

// Step is one thing that was done, such as an approval or a call.
type Step struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// SeriesFilter selects watched series.
type SeriesFilter struct {
	// Query is a part of the watch's name or of the labels.
	Query string
	// Watch is the exact name of a watch; empty is any.
	Watch         string
	OnlyAnomalous bool
	Limit         int
	// Offset is how many of the first are left out.
	Offset int
	// Explain asks for SeriesRow.SeriesWhy.
	Explain bool
}

// SeriesRow is one watched series and its last score. Numbers that do not exist are nil.
type SeriesRow struct {
	Watch    string   `json:"watch"`
	Labels   string   `json:"labels"`
	Unit     string   `json:"unit,omitempty"` // Of the values, as far as the metrics' names tell it.
	Time     int64    `json:"time_ms"`
	Value    *float64 `json:"value"`
	Expected *float64 `json:"expected"`
	Lower    *float64 `json:"lower"`
	Upper    *float64 `json:"upper"`
	Score    *float64 `json:"score"`
	Active   bool     `json:"active"`
	Withheld bool     `json:"withheld,omitempty"` // The budget of the whole fleet holds its anomaly back.
	Kind     string   `json:"kind,omitempty"`
	Detector string   `json:"detector,omitempty"`
	State    string   `json:"state"`

	*SeriesWhy // Nil unless asked for.
}

// SeriesWhy says why the last sample of a series scored what it did.
type SeriesWhy struct {
	Expr        string         `json:"expr"`
	Explanation string         `json:"explanation"` // Summary and Detail.
	Summary     string         `json:"summary"`     // What is wrong, how much, since when, what is usual.
	Detail      string         `json:"detail"`      // The numbers behind it.
	Season      string         `json:"season"`
	Evidence    []DetectorSays `json:"evidence"`
	// Group are the labels that the siblings of a peer or joint anomaly share.
	Group        string        `json:"group,omitempty"`
	Contributors []Contributor `json:"contributors,omitempty"`
	// BudgetRatio is alarms observed over alarms that the false-alarm budget allows; nil in the first day.
	BudgetRatio *float64      `json:"false_alarm_budget_ratio"`
	Forecasts   []ForecastRow `json:"forecasts"`
	Limit       *LimitRow     `json:"limit,omitempty"` // Nil when the watch declares none.
}

// Contributor is a series' share of a joint anomaly.
type Contributor struct {
	Labels string  `json:"labels"`
	Share  float64 `json:"share"`
}

// DetectorSays is the score that one detector alone would give.
type DetectorSays struct {
	Detector string  `json:"detector"`
	Kind     string  `json:"kind"`
	Score    float64 `json:"score"`
	// P is the probability that three hours of normal time hold as much by chance.
	P float64 `json:"p_value"`
}

// SeriesDetail is one watched series with all that its page shows.
type SeriesDetail struct {
	SeriesRow
	Points  []Point
	Profile []float64 // Expected value over one day or week, evenly spaced; empty without season.
}

// ForecastRow is one forecast of a series; numbers that do not exist are nil.
type ForecastRow struct {
	Horizon  string   `json:"horizon"`
	Expected *float64 `json:"expected"`
	Lower    *float64 `json:"lower"`
	Upper    *float64 `json:"upper"`
}

// LimitRow is the limit that a watch declares and when the series will cross it: in so many seconds, at the
// earliest and latest plausible. They are nil when that is not within the horizon, and 0 when it has crossed it.
type LimitRow struct {
	Limit   float64  `json:"limit"`
	Seconds *float64 `json:"seconds"`
	Lower   *float64 `json:"lower"`
	Upper   *float64 `json:"upper"`
}

// Say puts the limit, which is in this unit, into words.
func (l *LimitRow) Say(unit string) string {
	limit := rules.Quantity(l.Limit, unit)
	if l.Seconds == nil {
		return limit + " is not crossed within 30 days, as far as the trend tells"
	}
	if *l.Seconds == 0 {
		return Number(l.Limit) + " is crossed already"
	}
	upper := "an unknown time"
	if l.Upper != nil {
		upper = about(*l.Upper)
	}
	if l.Lower == nil {
		return fmt.Sprintf("%s is crossed in about %s", limit, about(*l.Seconds))
	}
	return fmt.Sprintf("%s is crossed in about %s (%s to %s)", limit, about(*l.Seconds), about(*l.Lower), upper)
}

// about is a time in its largest unit that leaves two digits.
func about(seconds float64) string {
	switch {
	case seconds < 5400:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 2*86400:
		return fmt.Sprintf("%.0f h", seconds/3600)
	}
	return fmt.Sprintf("%.0f d", seconds/86400)
}

// Edge is one edge of the topology.
type Edge struct {
	From       string    `json:"from"`
	To         string    `json:"to"`
	FromKind   string    `json:"from_kind,omitempty"` // service, pod, instance, node, …
	ToKind     string    `json:"to_kind,omitempty"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Confidence float64   `json:"confidence"`
	FirstSeen  time.Time `json:"first_seen,omitzero"`
	LastSeen   time.Time `json:"last_seen,omitzero"`
}

// Similar is a past incident like another one.
type Similar struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Start     time.Time `json:"start"`
	Score     float64   `json:"score"`
	Confirmed string    `json:"confirmed,omitempty"`
	Fixed     string    `json:"fixed,omitempty"` // What ended it, where that is known: a runbook, words of people, a silence, itself.
}

// Found is a past incident that a search found.
type Found struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Start     time.Time `json:"start"`
	Cause     string    `json:"cause,omitempty"`
	Verdict   string    `json:"verdict,omitempty"` // confirm or reject.
	Confirmed string    `json:"confirmed,omitempty"`
	Fixed     string    `json:"fixed,omitempty"`
}

// Status is how Tidemark itself does.
type Status struct {
	Healthy  bool      `json:"healthy"`
	Ready    bool      `json:"ready"`
	Problem  string    `json:"problem,omitempty"`
	Since    time.Time `json:"since"`
	Version  string    `json:"version"`
	Series   int       `json:"series"`
	Progress float64   `json:"learned_ratio"`
	// LearnedSeries are those of watches whose whole history is learned.
	LearnedSeries int `json:"learned_series"`
	// LearningLeft is the time that learning the rest will take; empty when nothing is left or nobody can say.
	LearningLeft string `json:"learning_left,omitempty"`
	// BudgetRatio is alarms observed over alarms that the false-alarm budget allows, over all series; nil in the first day.
	BudgetRatio *float64      `json:"false_alarm_budget_ratio"`
	Watches     []WatchStatus `json:"watches"`
	Stages      []StageStatus `json:"stages"`
	// Sources are what is read, sent to Tidemark and told; Limits what bounds the series that are watched.
	Sources      []SourceStatus `json:"sources"`
	Limits       []LimitStatus  `json:"limits"`
	Config       string         `json:"config"`
	ConfigLoaded time.Time      `json:"config_loaded"`
	ConfigError  string         `json:"config_error,omitempty"`
}

// ProgressPercent is the learned share in whole percent.
func (s Status) ProgressPercent() int { return int(100 * s.Progress) }

// Troubled says whether any watch has trouble.
func (s Status) Troubled() bool {
	return slices.ContainsFunc(s.Watches, func(w WatchStatus) bool { return w.Error != "" })
}

// WatchStatus is how one watch does.
type WatchStatus struct {
	Name    string  `json:"name"`
	Expr    string  `json:"expr"`
	Origin  string  `json:"origin"`
	Series  int     `json:"series"`
	Learned float64 `json:"learned_ratio"`
	Error   string  `json:"error,omitempty"`
}

// SourceStatus is what came from a source, or went to an Alertmanager, since the start.
type SourceStatus struct {
	Name    string `json:"name"`
	Where   string `json:"where"`
	Seen    string `json:"seen"` // Empty: nothing yet.
	Trouble string `json:"trouble,omitempty"`
}

// LimitStatus is how much of a limit is used up.
type LimitStatus struct {
	Name string  `json:"name"` // As in the configuration's section limits.
	Used float64 `json:"used"`
	Max  float64 `json:"max"`
	Unit string  `json:"unit,omitempty"` // B, or a plain number.
}

// Say puts the limit into words.
func (l LimitStatus) Say() string {
	return fmt.Sprintf("%s of %s", rules.Quantity(l.Used, l.Unit), rules.Quantity(l.Max, l.Unit))
}

// StageStatus is when a stage last did its work.
type StageStatus struct {
	Name  string `json:"name"`
	Lag   string `json:"lag"`
	Limit string `json:"limit"`
	Error string `json:"error,omitempty"`
}
