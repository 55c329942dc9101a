package web

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/correlate"
)

// seriesLink is the query of the page of one series.
func seriesLink(watch, labels string) string {
	return url.Values{"watch": {watch}, "labels": {labels}}.Encode()
}

type seriesRowView struct {
	SeriesRow
	Link string
}

type seriesDetailView struct {
	SeriesDetail
	Link           string
	Chart, Profile template.HTML
}

type seriesPage struct {
	Query         string
	OnlyAnomalous bool
	Detail        *seriesDetailView
	Rows          []seriesRowView
	Total, More   int
}

func (u *UI) series(w http.ResponseWriter, r *http.Request) {
	p := seriesPage{Query: r.FormValue("q"), OnlyAnomalous: r.FormValue("anomalous") != ""}
	if watch := r.FormValue("watch"); watch != "" {
		d, ok := u.Data.SeriesDetail(watch, r.FormValue("labels"))
		if !ok {
			u.missing(w, "No series "+r.FormValue("labels")+" of the watch "+watch+" is watched.")
			return
		}
		p.Detail = &seriesDetailView{
			SeriesDetail: d, Link: seriesLink(d.Watch, d.Labels), Chart: BandChart(d.Watch+" with its learned band", d.Points),
			Profile: profileChart(d.Profile),
		}
	}
	rows, total := u.Data.Series(SeriesFilter{Query: p.Query, OnlyAnomalous: p.OnlyAnomalous, Limit: maxRows})
	p.Total, p.More = total, total-len(rows)
	for _, row := range rows {
		p.Rows = append(p.Rows, seriesRowView{row, seriesLink(row.Watch, row.Labels)})
	}
	u.render(w, http.StatusOK, "series", "/series", "Series", p)
}

// profileChart draws the expected value over a season.
func profileChart(values []float64) template.HTML {
	if len(values) < 2 {
		return ""
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return ""
	}
	if hi == lo {
		hi = lo + 1
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g 120" aria-label="Expected value over the season"><path fill="none" stroke="var(--accent)" stroke-width="2" d="`, chartWidth)
	for i, v := range values {
		pen := "L"
		if i == 0 {
			pen = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, marginLeft+(chartWidth-marginLeft-marginRight)*float64(i)/float64(len(values)-1), 10+90*(1-(v-lo)/(hi-lo)))
	}
	fmt.Fprintf(&b, `"/><text x="%g" y="14" text-anchor="end">%s</text><text x="%g" y="104" text-anchor="end">%s</text></svg>`, marginLeft-6, Number(hi), marginLeft-6, Number(lo))
	return template.HTML(b.String()) //nolint:gosec // Built of numbers.
}

type topologyPage struct {
	Nodes   int
	Edges   []Edge
	Drawing template.HTML
}

func (u *UI) topology(w http.ResponseWriter, _ *http.Request) {
	edges := u.Data.Topology()
	p := topologyPage{Edges: edges}
	nodes := map[string]bool{}
	for _, e := range edges {
		nodes[e.From], nodes[e.To] = true, true
	}
	p.Nodes = len(nodes)
	p.Drawing = drawGraph(edges, u.unwell())
	u.render(w, http.StatusOK, "topology", "/topology", "Topology", p)
}

// unwell are the names of entities with a firing alert in an incident.
func (u *UI) unwell() map[string]bool {
	out := map[string]bool{}
	for _, inc := range u.Data.Incidents() {
		if inc.State == correlate.StateResolved {
			continue
		}
		for _, m := range inc.Alerts {
			out[m.Entity.Name] = true
		}
	}
	return out
}

// maxDrawn is how many entities are drawn; a larger graph is a table only.
const maxDrawn = 80

// drawGraph lays the call edges out in layers, callers left of callees.
func drawGraph(edges []Edge, bad map[string]bool) template.HTML {
	layers, pos := layout(edges)
	if len(pos) == 0 || len(pos) > maxDrawn {
		return ""
	}
	tallest := 0
	for _, l := range layers {
		tallest = max(tallest, len(l))
	}
	const boxW, boxH = 150.0, 24.0
	dx := (chartWidth - boxW) / float64(max(len(layers)-1, 1))
	height := float64(tallest)*34 + 10
	at := func(name string) (x, y float64) {
		p := pos[name]
		n := float64(len(layers[p[0]]))
		return float64(p[0]) * dx, (height-n*34)/2 + float64(p[1])*34 + 5
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g %g" aria-label="Calls between entities, callers on the left; entities with firing alerts are outlined">`, chartWidth, height)
	for _, e := range edges {
		if e.Kind != "call" {
			continue
		}
		x1, y1 := at(e.From)
		x2, y2 := at(e.To)
		fmt.Fprintf(&b, `<path class="edge" d="M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"/>`, x1+boxW, y1+boxH/2, x1+boxW+40, y1+boxH/2, x2-40, y2+boxH/2, x2, y2+boxH/2)
	}
	for _, layer := range layers {
		for _, name := range layer {
			x, y := at(name)
			class := "node"
			if bad[name] {
				class = "node bad"
			}
			fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%g" height="%g" rx="5"/><text x="%.1f" y="%.1f">%s<title>%s</title></text>`,
				class, x, y, boxW, boxH, x+8, y+16, template.HTMLEscapeString(clip(name, 19)), template.HTMLEscapeString(name))
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // Built of numbers and escaped names.
}

// layout puts every entity of a call edge one layer right of its farthest caller; cycles are cut at
// the number of entities.
func layout(edges []Edge) (layers [][]string, pos map[string][2]int) {
	depth := map[string]int{}
	var calls []Edge
	for _, e := range edges {
		if e.Kind == "call" && e.From != e.To {
			calls = append(calls, e)
			depth[e.From], depth[e.To] = 0, 0
		}
	}
	const deepest = 8
	for range min(len(depth), deepest) {
		moved := false
		for _, e := range calls {
			if d := depth[e.From] + 1; d > depth[e.To] && d < deepest {
				depth[e.To], moved = d, true
			}
		}
		if !moved {
			break
		}
	}
	names := make([]string, 0, len(depth))
	for n := range depth {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	pos = map[string][2]int{}
	for _, n := range names {
		for len(layers) <= depth[n] {
			layers = append(layers, nil)
		}
		pos[n] = [2]int{depth[n], len(layers[depth[n]])}
		layers[depth[n]] = append(layers[depth[n]], n)
	}
	return layers, pos
}

func (u *UI) status(w http.ResponseWriter, _ *http.Request) {
	u.render(w, http.StatusOK, "status", "/status", "Status", u.Data.Status())
}
