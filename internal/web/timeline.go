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
	maxLanes   = 24
)

// mark is one thing that happened on a lane.
type mark struct {
	at   time.Time
	kind string // alert, anomaly or change: the classes of the style sheet.
	text string
}

// shapes tell the kinds apart without colour: a circle, a diamond, a triangle.
var shapes = map[string]string{
	"alert": "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "anomaly": "m0 -6l6 6l-6 6l-6 -6z", "change": "m0 -6l6 11h-12z",
}

// timeline draws one lane per entity with its alerts, anomalies and changes, the lane whose first
// mark is earliest on top.
func timeline(inc *correlate.Incident, now time.Time) template.HTML {
	lanes := map[string][]mark{}
	for _, m := range inc.Alerts {
		lanes[m.Entity.Name] = append(lanes[m.Entity.Name], mark{m.StartsAt, "alert", string(m.Labels[model.AlertNameLabel])})
	}
	for _, a := range inc.Anomalies {
		name := anomalyLane(a)
		lanes[name] = append(lanes[name], mark{a.Since, "anomaly", a.Watch})
	}
	for _, c := range inc.Changes {
		name := cmp.Or(c.Entity.Name, string(c.Labels["service"]), string(c.Labels["deployment"]), string(c.Labels["job"]))
		lanes[name] = append(lanes[name], mark{c.Time, "change", c.Text})
	}
	if len(lanes) == 0 {
		return ""
	}
	names := make([]string, 0, len(lanes))
	from, to := now, inc.End
	for name, marks := range lanes {
		names = append(names, name)
		slices.SortFunc(marks, func(a, b mark) int { return a.at.Compare(b.at) })
		if marks[0].at.Before(from) {
			from = marks[0].at
		}
		if last := marks[len(marks)-1].at; last.After(to) {
			to = last
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(lanes[a][0].at.Compare(lanes[b][0].at), strings.Compare(a, b))
	})
	hidden := max(len(names)-maxLanes, 0)
	names = names[:len(names)-hidden]
	if !to.After(from) {
		to = from.Add(time.Minute)
	}
	return drawLanes(names, lanes, from, to, hidden)
}

func anomalyLane(a correlate.Anomaly) string {
	for _, l := range []model.LabelName{"service", "deployment", "statefulset", "pod", "node", "instance", "job"} {
		if v := a.Labels[l]; v != "" {
			return string(v)
		}
	}
	return a.Watch
}

func drawLanes(names []string, lanes map[string][]mark, from, to time.Time, hidden int) template.HTML {
	var b strings.Builder
	height := laneHeight*float64(len(names)) + 30
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g %g" aria-label="What happened where: a lane per entity, earliest on top">`, chartWidth, height)
	span := to.Sub(from).Seconds()
	for i, name := range names {
		y := laneHeight*float64(i) + laneHeight/2
		fmt.Fprintf(&b, `<text x="0" y="%.1f">%s</text><line class="lane" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/>`,
			y+4, template.HTMLEscapeString(clip(name, 22)), laneLabel, y, chartWidth-10, y)
		last := -100.0
		for _, m := range lanes[name] {
			x := laneLabel + (chartWidth-20-laneLabel)*m.at.Sub(from).Seconds()/span
			if x-last < 2 && m.kind == "alert" {
				continue // It would lie on the one before.
			}
			last = x
			fmt.Fprintf(&b, `<path class="mark-%s" d="M%.1f %.1f%s"><title>%s %s</title></path>`,
				m.kind, x, y, shapes[m.kind], m.at.UTC().Format("15:04:05"), template.HTMLEscapeString(clip(m.text, 200)))
		}
	}
	y := laneHeight*float64(len(names)) + 18
	fmt.Fprintf(&b, `<text x="%g" y="%.1f">%s</text><text x="%g" y="%.1f" text-anchor="end">%s</text></svg>`,
		laneLabel, y, from.UTC().Format("15:04:05"), chartWidth-10, y, to.UTC().Format("15:04:05"))
	if hidden > 0 {
		fmt.Fprintf(&b, `<p class="muted">%s not drawn</p>`, plural(hidden, "more lane is", "more lanes are"))
	}
	return template.HTML(b.String()) //nolint:gosec // Built of numbers and escaped names.
}

// clip shortens s to n runes and takes out what would move or hide its letters.
func clip(s string, n int) string {
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
