package web

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/rules"
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
	Link                     string
	Chart, Residual, Profile template.HTML
}

// rowsBeside is how many other series stand below the page of one.
const rowsBeside = 25

type seriesPage struct {
	Query         string
	OnlyAnomalous bool
	Detail        *seriesDetailView
	Rows          []seriesRowView
	Total         int
	First, Last   int // Of the rows among all, from 1 on.
	Before, After string
}

// turn are the queries of the pages before and after the one that begins behind so many rows; empty: there is none.
func (p *seriesPage) turn(offset, limit int) {
	link := func(to int) string {
		v := url.Values{}
		if p.Query != "" {
			v.Set("q", p.Query)
		}
		if p.OnlyAnomalous {
			v.Set("anomalous", "1")
		}
		if to > 0 {
			v.Set("offset", strconv.Itoa(to))
		}
		return "?" + v.Encode()
	}
	p.First, p.Last = offset+1, offset+len(p.Rows)
	if offset > 0 {
		p.Before = link(max(0, offset-limit))
	}
	if p.Last < p.Total {
		p.After = link(p.Last)
	}
}

func (u *UI) series(w http.ResponseWriter, r *http.Request) {
	p := seriesPage{Query: r.FormValue("q"), OnlyAnomalous: r.FormValue("anomalous") != ""}
	if watch := r.FormValue("watch"); watch != "" {
		d, ok := u.Data.SeriesDetail(watch, r.FormValue("labels"))
		if !ok {
			u.missing(w, r, "No series "+r.FormValue("labels")+" of the watch "+watch+" is watched.")
			return
		}
		if d.SeriesWhy == nil {
			d.SeriesWhy = &SeriesWhy{}
		}
		p.Detail = &seriesDetailView{
			SeriesDetail: d, Link: seriesLink(d.Watch, d.Labels), Chart: BandChart(d.Watch+" with its learned band", d.Unit, d.Points),
			Residual: BandChart(d.Watch+" less what was expected of it, with its band", d.Unit, residuals(d.Points)),
			Profile:  profileChart(d.Profile, d.Unit),
		}
	}
	limit := maxRows
	if p.Detail != nil {
		limit = rowsBeside
	}
	offset, _ := numberOf(r, "offset") // What is no number is none.
	offset = max(0, offset)
	rows, total := u.Data.Series(SeriesFilter{Query: p.Query, OnlyAnomalous: p.OnlyAnomalous, Limit: limit, Offset: offset})
	p.Total = total
	for _, row := range rows {
		p.Rows = append(p.Rows, seriesRowView{row, seriesLink(row.Watch, row.Labels)})
	}
	p.turn(min(offset, total), maxRows)
	u.render(w, r, http.StatusOK, "series", "/series", "Series", p)
}

// profileChart draws the expected value over a season.
func profileChart(values []float64, unit string) template.HTML {
	if len(values) < 2 {
		return ""
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return ""
	}
	if hi-lo <= 1e-9*math.Abs(hi) {
		return "" // The same all day is said in words.
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g 126" aria-label="Expected value over the season"><path fill="none" stroke="var(--accent)" stroke-width="2" d="`, chartWidth)
	for i, v := range values {
		pen := "L"
		if i == 0 {
			pen = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, marginLeft+(chartWidth-marginLeft-marginRight)*float64(i)/float64(len(values)-1), 10+90*(1-(v-lo)/(hi-lo)))
	}
	b.WriteString(`"/>`)
	for h := 0; h <= 24; h += 6 {
		anchor := map[int]string{0: "start", 24: "end"}[h]
		fmt.Fprintf(&b, `<text x="%.1f" y="122" text-anchor="%s">%02d:00</text>`, marginLeft+(chartWidth-marginLeft-marginRight)*float64(h)/24, cmp.Or(anchor, "middle"), h)
	}
	fmt.Fprintf(&b, `<text x="%g" y="14" text-anchor="end">%s</text><text x="%g" y="104" text-anchor="end">%s</text></svg>`, marginLeft-6, rules.Quantity(hi, unit), marginLeft-6, rules.Quantity(lo, unit))
	return template.HTML(b.String()) //nolint:gosec // Built of numbers.
}

type topologyPage struct {
	Nodes   int
	Edges   []Edge
	Drawing template.HTML
}

func (u *UI) topology(w http.ResponseWriter, r *http.Request) {
	edges := u.Data.Topology()
	slices.SortStableFunc(edges, func(a, b Edge) int { return cmp.Compare(rankOf(a.Kind), rankOf(b.Kind)) })
	p := topologyPage{Edges: edges}
	nodes := map[string]bool{}
	for _, e := range edges {
		nodes[e.From], nodes[e.To] = true, true
	}
	p.Nodes = len(nodes)
	bad := u.unwell()
	p.Drawing = drawGraph("Calls between entities, callers on the left; entities with firing alerts are outlined", edges, func(name string) (class, note string) {
		if n := bad[name]; n > 0 {
			return "node bad", plural(n, "alert", "alerts")
		}
		return "node", ""
	})
	u.render(w, r, http.StatusOK, "topology", "/topology", "Topology", p)
}

// rankOf orders edges for reading: calls, then what runs where.
func rankOf(kind string) int {
	return (slices.Index([]string{"call", "host", "uses", "owns", "in", "same"}, kind) + 7) % 7
}

// unwell counts the firing alerts of entities.
func (u *UI) unwell() map[string]int {
	out := map[string]int{}
	for _, inc := range u.Data.Incidents() {
		if inc.State == correlate.StateResolved {
			continue
		}
		for i := range inc.Alerts {
			if m := &inc.Alerts[i]; m.Status == correlate.StateFiring {
				out[m.Entity.Name]++
			}
		}
	}
	return out
}

func (u *UI) status(w http.ResponseWriter, r *http.Request) {
	u.render(w, r, http.StatusOK, "status", "/status", "Status", u.Data.Status())
}
