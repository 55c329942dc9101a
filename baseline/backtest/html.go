package backtest

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"github.com/tidemark/tidemark/baseline"
)

// columns is the width of a chart in points: a series is thinned to the extremes of so many spans.
const columns = 600

// chart is a thinned series: per span the lowest and highest value and band, and the alarms.
type chart struct {
	low, high, lower, upper []float64
	alarm                   []bool
	every, n                int
}

// add takes a score; when the chart is full neighbouring spans are merged, so that its size does
// not depend on the length of the series.
func (c *chart) add(s baseline.Score) {
	if c.every == 0 {
		c.every = 1
	}
	if c.n%c.every == 0 {
		if len(c.low) == 2*columns {
			c.halve()
		}
		nan := math.NaN()
		c.low, c.high, c.lower, c.upper = append(c.low, nan), append(c.high, nan), append(c.lower, nan), append(c.upper, nan)
		c.alarm = append(c.alarm, false)
	}
	k := len(c.low) - 1
	c.low[k], c.high[k] = least(c.low[k], s.Value), most(c.high[k], s.Value)
	c.lower[k], c.upper[k] = least(c.lower[k], s.Lower), most(c.upper[k], s.Upper)
	c.alarm[k] = c.alarm[k] || s.Alarm > 1
	c.n++
}

func (c *chart) halve() {
	for i := range columns {
		a, b := 2*i, 2*i+1
		c.low[i], c.high[i] = least(c.low[a], c.low[b]), most(c.high[a], c.high[b])
		c.lower[i], c.upper[i] = least(c.lower[a], c.lower[b]), most(c.upper[a], c.upper[b])
		c.alarm[i] = c.alarm[a] || c.alarm[b]
	}
	c.low, c.high, c.lower, c.upper, c.alarm = c.low[:columns], c.high[:columns], c.lower[:columns], c.upper[:columns], c.alarm[:columns]
	c.every *= 2
}

func least(a, b float64) float64 {
	if a != a || b < a {
		return b
	}
	return a
}

func most(a, b float64) float64 {
	if a != a || b > a {
		return b
	}
	return a
}

// svg draws band, values and alarms.
func (c *chart) svg() template.HTML {
	const width, height = 1000.0, 120.0
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range c.low {
		if c.low[i] == c.low[i] {
			lo, hi = min(lo, c.low[i]), max(hi, c.high[i])
		}
	}
	if !(hi > lo) {
		lo, hi = lo-1, lo+1
	}
	room := (hi - lo) * 0.3 // a band wider than that is cut
	lo, hi = lo-room, hi+room
	x := func(i int) float64 { return width * float64(i) / float64(max(1, len(c.low)-1)) }
	y := func(v float64) float64 { return height * (1 - (max(lo, min(hi, v))-lo)/(hi-lo)) }
	var top, bottom, line, alarms strings.Builder
	for i := range c.low {
		if c.upper[i] == c.upper[i] {
			fmt.Fprintf(&top, "%.1f,%.1f ", x(i), y(c.upper[i]))
		}
		if k := len(c.low) - 1 - i; c.lower[k] == c.lower[k] {
			fmt.Fprintf(&bottom, "%.1f,%.1f ", x(k), y(c.lower[k]))
		}
		if c.low[i] == c.low[i] {
			fmt.Fprintf(&line, "%.1f,%.1f %.1f,%.1f ", x(i), y(c.low[i]), x(i), y(c.high[i]))
		}
		if c.alarm[i] {
			fmt.Fprintf(&alarms, `<circle cx="%.1f" cy="%.1f" r="3"/>`, x(i), y(c.high[i]))
		}
	}
	// Numbers alone went into the text: nothing in it needs escaping.
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 1000 120" role="img"><polygon class="band" points="%s%s"/><polyline class="value" points="%s"/><g class="alarm">%s</g></svg>`,
		top.String(), bottom.String(), line.String(), alarms.String()))
}

var page = template.Must(template.New("page").Parse(`<!doctype html><meta charset="utf-8"><title>Tidemark backtest</title>
<style>body{font:14px sans-serif;max-width:1040px;margin:2em auto}svg{width:100%;border:1px solid #ccc}
.band{fill:#cfe3f5}.value{fill:none;stroke:#333;stroke-width:.7}.alarm{fill:#c00}h2{font-size:1em;margin:1.5em 0 .3em}</style>
<h1>Backtest</h1><p>Band, values and alarms of each series; every row was scored with what was known before it.</p>
{{range .}}<h2>{{.File}}: {{.Alarms}} alarms in {{printf "%.1f" .Weeks}} weeks</h2>{{.Chart}}{{end}}
`))

// Chart draws the series with its band.
func (s *SeriesSummary) Chart() template.HTML { return s.chart.svg() }

// WriteHTML writes a page with a band chart of every series.
func (s *Summary) WriteHTML(w io.Writer) error {
	list := make([]*SeriesSummary, len(s.Series))
	for i := range s.Series {
		list[i] = &s.Series[i]
	}
	return page.Execute(w, list)
}
