package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

const (
	laneHeight = 26.0
	laneLabel  = 190.0
	maxLanes   = 16
)

// Kinds of entries that the pages add to an incident's own timeline.
const (
	kindPost   = "notification"
	kindAction = "runbook"
)

// mark is one thing that happened on a lane.
type mark struct {
	at   time.Time
	kind string // alert, anomaly, change, notification or runbook: the classes of the style sheet.
	text string
}

// lane is what happened to one entity, or what was told or done.
type lane struct {
	name  string
	marks []mark
}

// shapes tell the kinds apart without colour: a circle, a diamond, a triangle, a square, a cross.
var shapes = map[string]string{
	"alert": "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "anomaly": "m0 -6l6 6l-6 6l-6 -6z", "change": "m0 -6l6 11h-12z",
	kindPost: "m-5 -5h10v10h-10z", kindAction: "m-2 -6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
}

// course is the incident's timeline with what people were told of it and what runbooks did, in order.
func course(inc *correlate.Incident, proposals []Proposal) []correlate.Entry {
	out := slices.Clone(inc.Timeline)
	for _, m := range append(told(inc), done(proposals)...) {
		out = append(out, correlate.Entry{Time: m.at, Kind: m.kind, Text: m.text})
	}
	slices.SortStableFunc(out, func(a, b correlate.Entry) int { return a.Time.Compare(b.Time) })
	return out
}

// told are the posts of an incident.
func told(inc *correlate.Incident) []mark {
	out := make([]mark, 0, len(inc.Posts))
	for _, p := range inc.Posts {
		cause := "without a clear cause"
		if p.Cause != "" {
			cause = fmt.Sprintf("with the cause %s at %.0f %%", p.Cause, 100*p.Confidence)
		}
		text := map[correlate.EventType]string{
			correlate.EventOpened:   "people were told, " + cause,
			correlate.EventRevised:  fmt.Sprintf("people were told of another cause (revision %d), %s", p.Revision, cause),
			correlate.EventResolved: "people were told that it is over",
		}[p.Type]
		out = append(out, mark{p.Time, kindPost, text})
	}
	return out
}

// done are the steps of the runbooks.
func done(proposals []Proposal) []mark {
	var out []mark
	for _, p := range proposals {
		for _, s := range p.Steps {
			out = append(out, mark{s.Time, kindAction, p.Runbook + ": " + s.Text})
		}
	}
	slices.SortStableFunc(out, func(a, b mark) int { return a.at.Compare(b.at) })
	return out
}

// timeline draws one lane per entity with its alerts, anomalies and changes, the lane whose first mark is
// earliest on top, and below them what people were told and what runbooks did.
func timeline(inc *correlate.Incident, proposals []Proposal, now time.Time) template.HTML {
	lanes := entityLanes(inc)
	hidden := max(len(lanes)-maxLanes, 0)
	lanes = lanes[:len(lanes)-hidden]
	for _, l := range []lane{{"notifications", told(inc)}, {"runbooks", done(proposals)}} {
		if len(l.marks) > 0 {
			lanes = append(lanes, l)
		}
	}
	if len(lanes) == 0 {
		return ""
	}
	from, to := now, inc.End
	for _, l := range lanes {
		if l.marks[0].at.Before(from) {
			from = l.marks[0].at
		}
		if last := l.marks[len(l.marks)-1].at; last.After(to) {
			to = last
		}
	}
	if !to.After(from) {
		to = from.Add(time.Minute)
	}
	return drawLanes(lanes, from, to, hidden)
}

func entityLanes(inc *correlate.Incident) []lane {
	marks := map[string][]mark{}
	for _, m := range inc.Alerts {
		marks[m.Entity.Name] = append(marks[m.Entity.Name], mark{m.StartsAt, "alert", string(m.Labels[model.AlertNameLabel])})
	}
	for _, a := range inc.Anomalies {
		name := anomalyLane(a)
		marks[name] = append(marks[name], mark{a.Since, "anomaly", a.Watch})
	}
	for _, c := range inc.Changes {
		name := cmp.Or(c.Entity.Name, string(c.Labels["service"]), string(c.Labels["deployment"]), string(c.Labels["job"]))
		marks[name] = append(marks[name], mark{c.Time, "change", c.Text})
	}
	out := make([]lane, 0, len(marks))
	for name, m := range marks {
		slices.SortStableFunc(m, func(a, b mark) int { return a.at.Compare(b.at) })
		out = append(out, lane{name, m})
	}
	slices.SortFunc(out, func(a, b lane) int {
		return cmp.Or(a.marks[0].at.Compare(b.marks[0].at), strings.Compare(a.name, b.name))
	})
	return out
}

func anomalyLane(a correlate.Anomaly) string {
	for _, l := range []model.LabelName{"service", "deployment", "statefulset", "pod", "node", "instance", "server", "job"} {
		if v := a.Labels[l]; v != "" {
			return string(v)
		}
	}
	return a.Watch
}

func drawLanes(lanes []lane, from, to time.Time, hidden int) template.HTML {
	var b strings.Builder
	height := laneHeight * float64(len(lanes))
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g %g" aria-label="What happened where: a lane per entity, earliest on top; then what was told and done">`, chartWidth, height+30)
	x := func(t time.Time) float64 {
		return laneLabel + (chartWidth-20-laneLabel)*t.Sub(from).Seconds()/to.Sub(from).Seconds()
	}
	at, layout := ticks(from, to, 8)
	for _, t := range at {
		fmt.Fprintf(&b, `<path class="tick" d="M%.1f 0V%.1f"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x(t), height, x(t), height+18, t.UTC().Format(layout))
	}
	for i, l := range lanes {
		y := laneHeight*float64(i) + laneHeight/2
		class := ""
		if kind := l.marks[0].kind; kind == kindPost || kind == kindAction {
			class = ` class="note"`
		}
		fmt.Fprintf(&b, `<text%s x="0" y="%.1f">%s</text><path class="lane" d="M%g %.1fH%g"/>`,
			class, y+4, template.HTMLEscapeString(clip(l.name, 22)), laneLabel, y, chartWidth-10)
		last := -100.0
		for _, m := range l.marks {
			if x(m.at)-last < 2 && m.kind == "alert" {
				continue // It would lie on the one before.
			}
			last = x(m.at)
			fmt.Fprintf(&b, `<path class="mark-%s" d="M%.1f %.1f%s"><title>%s %s</title></path>`,
				m.kind, last, y, shapes[m.kind], m.at.UTC().Format(time.TimeOnly), template.HTMLEscapeString(clip(m.text, 200)))
		}
	}
	b.WriteString(`</svg>`)
	if hidden > 0 {
		fmt.Fprintf(&b, `<p class="muted">%s not drawn</p>`, plural(hidden, "more lane is", "more lanes are"))
	}
	return template.HTML(b.String()) //nolint:gosec // Built of numbers and escaped names.
}

// steps are distances of time marks that people count in.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// ticks are round times in [from, to], at most about limit, and how they are written.
func ticks(from, to time.Time, limit int) (at []time.Time, layout string) {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if to.Sub(from) <= time.Duration(limit)*s {
			step = s
			break
		}
	}
	for to.Sub(from) > time.Duration(limit)*step {
		step *= 2
	}
	switch {
	case step < time.Minute:
		layout = time.TimeOnly
	case step < 24*time.Hour && to.Sub(from) <= 24*time.Hour:
		layout = "15:04"
	case step < 24*time.Hour:
		layout = "Jan 2 15:04"
	case to.Sub(from) <= 300*24*time.Hour:
		layout = "Jan 2"
	default:
		layout = "Jan 2006"
	}
	for t := from.UTC().Truncate(step); !t.After(to); t = t.Add(step) {
		if !t.Before(from) {
			at = append(at, t)
		}
	}
	return at, layout
}

// clip shortens s to n runes and takes out what would move or hide its letters.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ") // Expressions of several lines are shown in one.
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
