package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/correlate"
)

// maxMapped is how many entities the map of an incident shows: what is worst and on the path, no more.
const maxMapped = 15

// incidentMap draws the cause and the entities with alerts as the topology connects them, each with
// when its trouble began: the earlier, the stronger its colour. It also counts what has alerts.
func (u *UI) incidentMap(inc *correlate.Incident) (drawing template.HTML, reach int) {
	began := map[string]time.Time{}
	note := func(name string, at time.Time) {
		if old, ok := began[name]; !ok || at.Before(old) {
			began[name] = at
		}
	}
	for i := range inc.Alerts {
		note(inc.Alerts[i].Entity.Name, inc.Alerts[i].StartsAt)
	}
	reach = len(began)
	root := ""
	if c, ok := named(inc); ok {
		root = c.Entity.Name
		note(root, c.Start)
	}
	all := append(u.Data.Topology(), pathEdges(inc)...)
	for _, e := range all {
		if at, ok := began[e.To]; ok && e.Kind == "owns" && e.From != e.To {
			note(e.From, at) // Alerts of its instances are the service's.
		}
	}
	chosen := mapped(inc, root, began)
	var edges []Edge
	seen := map[[2]string]bool{}
	for _, e := range all {
		key := [2]string{e.From, e.To}
		if e.Kind == "call" && chosen[e.From] && chosen[e.To] && !seen[key] {
			seen[key] = true
			edges = append(edges, e)
		}
	}
	if len(edges) == 0 {
		return "", reach
	}
	first := inc.Start
	return drawGraph("The cause and what it reached: callers on the left, the cause filled, the earlier the trouble the stronger the outline", edges, func(name string) (class, note string) {
		at, ok := began[name]
		if !ok {
			return "node", ""
		}
		class = "node bad late"
		switch lag := at.Sub(first); {
		case name == root:
			class = "node bad root"
		case lag < 5*time.Minute:
			class = "node bad"
		case lag < 10*time.Minute:
			class = "node bad soon"
		}
		return class, after(at.Sub(first))
	}), reach
}

// after writes how long after the start something began.
func after(d time.Duration) string {
	if d < time.Second {
		return "first"
	}
	return "+" + strings.TrimSuffix(Duration(d), " 0 min")
}

// mapped chooses the entities of the map: the cause, the path, then what began first.
func mapped(inc *correlate.Incident, root string, began map[string]time.Time) map[string]bool {
	out := map[string]bool{}
	if root != "" {
		out[root] = true
	}
	for _, h := range inc.Path {
		out[h.Entity.Name] = true
	}
	names := make([]string, 0, len(began))
	for n := range began {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(began[a].Compare(began[b]), strings.Compare(a, b)) })
	for _, n := range names {
		if len(out) >= maxMapped {
			break
		}
		out[n] = true
	}
	return out
}

// pathEdges are the hops from the cause to the symptom as calls; the symptom calls towards the cause.
func pathEdges(inc *correlate.Incident) []Edge {
	var out []Edge
	for i := 1; i < len(inc.Path); i++ {
		out = append(out, Edge{From: inc.Path[i].Entity.Name, To: inc.Path[i-1].Entity.Name, Kind: "call"})
	}
	return out
}

// maxDrawn is how many entities are drawn; a larger graph is a table only.
const maxDrawn = 80

// Sizes of a drawn entity and of its row.
const boxW, boxH, rowH = 176.0, 40.0, 52.0

// drawGraph lays the call edges out in layers, callers left of callees. look gives an entity's class
// and the second line in its box.
func drawGraph(title string, edges []Edge, look func(name string) (class, note string)) template.HTML {
	layers, pos, bends := layout(edges)
	if entities := len(pos) - countBends(bends); entities == 0 || entities > maxDrawn {
		return ""
	}
	tallest := 0
	for _, l := range layers {
		tallest = max(tallest, len(l))
	}
	dx := (chartWidth - boxW - 4) / float64(max(len(layers)-1, 1))
	dx = min(dx, 290)
	height := float64(tallest)*rowH + 8
	at := func(name string) (x, y float64) {
		p := pos[name]
		return 2 + float64(p[0])*dx, (height-float64(len(layers[p[0]]))*rowH)/2 + float64(p[1])*rowH + (rowH-boxH)/2
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g %g" aria-label="%s">`, chartWidth, height, template.HTMLEscapeString(title))
	for _, e := range edges {
		if e.Kind != "call" || e.From == e.To {
			continue
		}
		bend := min(40, (dx-boxW)/2)
		x, y := at(e.From)
		x, y = x+boxW, y+boxH/2
		fmt.Fprintf(&b, `<path class="edge" d="M%.1f %.1f`, x, y)
		for _, via := range append(bends[[2]string{e.From, e.To}], e.To) {
			x2, y2 := at(via)
			y2 += boxH / 2
			fmt.Fprintf(&b, "C%.1f %.1f %.1f %.1f %.1f %.1f", x+bend, y, x2-bend, y2, x2, y2)
			if x, y = x2+boxW, y2; via != e.To {
				fmt.Fprintf(&b, "H%.1f", x) // Through the layer, where no box is.
			}
		}
		b.WriteString(`l-7 -4m7 4l-7 4"/>`)
	}
	for _, layer := range layers {
		for _, name := range layer {
			if strings.HasPrefix(name, bendMark) {
				continue
			}
			x, y := at(name)
			class, note := look(name)
			line := 17.0
			if note == "" {
				line = boxH/2 + 4
			}
			fmt.Fprintf(&b, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%g" height="%g" rx="6"/><text x="%.1f" y="%.1f">%s</text>`,
				template.HTMLEscapeString(clip(name, 200)), class, x, y, boxW, boxH, x+9, y+line, template.HTMLEscapeString(clip(name, 20)))
			if note != "" {
				fmt.Fprintf(&b, `<text class="note" x="%.1f" y="%.1f">%s</text>`, x+9, y+33, template.HTMLEscapeString(note))
			}
			b.WriteString(`</g>`)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // Built of numbers and escaped names.
}

// bendMark begins the names of the places at which an edge passes through a layer; no entity has it.
const bendMark = "\x00"

func countBends(bends map[[2]string][]string) (n int) {
	for _, b := range bends {
		n += len(b)
	}
	return n
}

// layout puts every entity of a call edge one layer right of its farthest caller; cycles are cut at
// the deepest layer. An edge over several layers gets a place in each between, so that it passes behind no box.
func layout(edges []Edge) (layers [][]string, pos map[string][2]int, bends map[[2]string][]string) {
	depth := map[string]int{}
	var calls []Edge
	for _, e := range edges {
		if e.Kind == "call" && e.From != e.To {
			calls = append(calls, e)
			depth[e.From], depth[e.To] = 0, 0
		}
	}
	const deepest = 4 // So that a box keeps a width in which names can be read.
	for range min(len(depth), deepest+1) {
		moved := false
		for _, e := range calls {
			if d := depth[e.From] + 1; d > depth[e.To] && d <= deepest {
				depth[e.To], moved = d, true
			}
		}
		if !moved {
			break
		}
	}
	bends = map[[2]string][]string{}
	short := make([]Edge, 0, len(calls)) // Edges from one layer to the next.
	for _, e := range calls {
		key, from := [2]string{e.From, e.To}, e.From
		if _, twice := bends[key]; twice {
			continue
		}
		for d := depth[e.From] + 1; d < depth[e.To]; d++ {
			via := fmt.Sprintf("%s%d %s %s", bendMark, d, e.From, e.To)
			depth[via], bends[key] = d, append(bends[key], via)
			short = append(short, Edge{From: from, To: via})
			from = via
		}
		short = append(short, Edge{From: from, To: e.To})
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
	uncross(layers, pos, short)
	return layers, pos, bends
}

// uncross orders every layer by the mean place of the neighbours, to and fro: the barycentre method of
// Sugiyama, Tagawa and Toda (1981), which leaves few edges crossed.
func uncross(layers [][]string, pos map[string][2]int, calls []Edge) {
	neighbours := map[string][]string{}
	for _, e := range calls {
		neighbours[e.From], neighbours[e.To] = append(neighbours[e.From], e.To), append(neighbours[e.To], e.From)
	}
	// Places are shares of the layer's height, so that short and long layers compare.
	place := func(n string) float64 { return (float64(pos[n][1]) + 0.5) / float64(len(layers[pos[n][0]])) }
	for range 4 {
		for _, layer := range layers {
			mean := map[string]float64{}
			for _, n := range layer {
				for _, m := range neighbours[n] {
					mean[n] += place(m) / float64(len(neighbours[n]))
				}
			}
			slices.SortStableFunc(layer, func(a, b string) int { return cmp.Compare(mean[a], mean[b]) })
			for i, n := range layer {
				pos[n] = [2]int{pos[n][0], i}
			}
		}
	}
}
