package backtest

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/baseline"
)

// columns is the width of a chart in points: a series is thinned to the extremes of so many spans.
const columns = 600

// chart is a thinned series: per span its first time, the lowest and highest value and band; and the alarms.
type chart struct {
	time                    []int64
	low, high, lower, upper []float64
	alarms                  []mark
	every, n                int
}

// mark is an alarm.
type mark struct {
	time  int64
	value float64
	text  string
}

// say notes why the alarm of a score came.
func (c *chart) say(s baseline.Score, text string) {
	c.alarms = append(c.alarms, mark{s.Time, s.Value, text})
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
		c.time = append(c.time, s.Time)
		c.low, c.high, c.lower, c.upper = append(c.low, nan), append(c.high, nan), append(c.lower, nan), append(c.upper, nan)
	}
	k := len(c.low) - 1
	c.low[k], c.high[k] = least(c.low[k], s.Value), most(c.high[k], s.Value)
	c.lower[k], c.upper[k] = least(c.lower[k], s.Lower), most(c.upper[k], s.Upper)
	if s.Alarm > 1 && (len(c.alarms) == 0 || c.alarms[len(c.alarms)-1].time != s.Time) {
		c.say(s, "")
	}
	c.n++
}

func (c *chart) halve() {
	for i := range columns {
		a, b := 2*i, 2*i+1
		c.time[i] = c.time[a]
		c.low[i], c.high[i] = least(c.low[a], c.low[b]), most(c.high[a], c.high[b])
		c.lower[i], c.upper[i] = least(c.lower[a], c.lower[b]), most(c.upper[a], c.upper[b])
	}
	c.time, c.low, c.high, c.lower, c.upper = c.time[:columns], c.low[:columns], c.high[:columns], c.lower[:columns], c.upper[:columns]
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

// The drawing: margins for the values to the left and the dates below, then a lane for each peer.
const (
	width, height     = 1000.0, 150.0
	left, right       = 94.0, 6.0
	top, bottom, lane = 8.0, 20.0, 11.0
)

// frame maps times and values onto the drawing.
type frame struct {
	c            *chart
	lo, hi       float64 // of the drawing
	lowest, most float64 // of the values
}

func (c *chart) frame() frame {
	var low, high []float64
	for i := range c.low {
		if c.low[i] == c.low[i] && !math.IsInf(c.low[i], 0) && !math.IsInf(c.high[i], 0) {
			low, high = append(low, c.low[i]), append(high, c.high[i])
		}
	}
	if len(low) == 0 {
		return frame{c, -1, 1, math.NaN(), math.NaN()}
	}
	slices.Sort(low)
	slices.Sort(high)
	n := len(low)
	f := frame{c, low[0], high[n-1], low[0], high[n-1]}
	// A few values far out would press everything else flat: they are cut, and the axis says so.
	if body := high[n-1-n/50] - low[n/50]; body > 0 {
		f.hi = min(f.hi, high[n-1-n/50]+2*body)
		f.lo = max(f.lo, low[n/50]-2*body)
	}
	room := 0.15 * (f.hi - f.lo)
	if !(room > 0) {
		room = max(1, math.Abs(f.hi)/10)
	}
	lo := f.lo - room
	if f.lo >= 0 {
		lo = max(0, lo)
	}
	f.lo, f.hi = lo, f.hi+room
	return f
}

func (f *frame) x(i int) float64 {
	return left + (width-left-right)*float64(i)/float64(max(1, len(f.c.time)-1))
}

func (f *frame) xAt(t int64) float64 {
	i, _ := slices.BinarySearch(f.c.time, t+1)
	return f.x(max(0, i-1))
}

func (f *frame) y(v float64) float64 {
	return top + (height-top-bottom)*(1-(max(f.lo, min(f.hi, v))-f.lo)/(f.hi-f.lo))
}

// svg draws band, values and alarms, and below a lane with the alarms of each peer.
func (c *chart) svg(label string, lanes []Lane) template.HTML {
	f := c.frame()
	tall := height + lane*float64(len(lanes))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, tall, template.HTMLEscapeString(label))
	f.axes(&b)
	f.bands(&b)
	var line strings.Builder
	pen := "M"
	for i := range c.low {
		if c.low[i] != c.low[i] {
			pen = "M"
			continue
		}
		fmt.Fprintf(&line, "%s%.1f %.1fL%.1f %.1f", pen, f.x(i), f.y(c.low[i]), f.x(i), f.y(c.high[i]))
		pen = "L"
	}
	fmt.Fprintf(&b, `<path class="value" d="%s"/><g class="alarm">`, line.String())
	for _, a := range c.alarms {
		y := f.y(a.value)
		if a.value != a.value { // of a sample that did not come
			y = f.y(f.lo)
		}
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5"><title>%s %s</title></circle>`, f.xAt(a.time), y, stamp(a.time), template.HTMLEscapeString(a.text))
	}
	b.WriteString(`</g>`)
	for k, l := range lanes {
		y := height + lane*(float64(k)+0.5)
		fmt.Fprintf(&b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/><text x="%g" y="%g" text-anchor="end">%s</text><g class="peer">`,
			left, width-right, y, y, left-6, y+3, template.HTMLEscapeString(l.Name))
		for _, t := range l.At {
			fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, f.xAt(t), f.xAt(t), y-4, y+4)
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // Numbers, and texts that are escaped.
}

// axes draws three values and five dates.
func (f *frame) axes(b *strings.Builder) {
	for i := range 3 {
		v := f.lo + (f.hi-f.lo)*float64(i)/2
		text := number(v)
		switch {
		case i == 2 && f.most > f.hi:
			text = "up to " + number(f.most)
		case i == 0 && f.lowest < f.lo:
			text = "down to " + number(f.lowest)
		}
		fmt.Fprintf(b, `<line class="axis" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, left, width-right, f.y(v), f.y(v), left-6, f.y(v)+3, text)
	}
	n := len(f.c.time)
	if n == 0 {
		return
	}
	layout := "2 Jan 2006"
	if f.c.time[n-1]-f.c.time[0] < (10 * 24 * time.Hour).Milliseconds() {
		layout = "2 Jan 15:04"
	}
	for k := range 5 {
		i := (n - 1) * k / 4
		anchor := [...]string{"start", "middle", "middle", "middle", "end"}[k]
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, f.x(i), height-6, anchor, time.UnixMilli(f.c.time[i]).UTC().Format(layout))
	}
}

// bands draws the band; where there is none it stays open.
func (f *frame) bands(b *strings.Builder) {
	c := f.c
	for i := 0; i < len(c.low); i++ {
		j := i
		for j < len(c.low) && c.lower[j] == c.lower[j] && c.upper[j] == c.upper[j] {
			j++
		}
		if j == i {
			continue
		}
		b.WriteString(`<path class="band" d="M`)
		for k := i; k < j; k++ {
			fmt.Fprintf(b, "%.1f %.1f ", f.x(k), f.y(c.upper[k]))
		}
		for k := j - 1; k >= i; k-- {
			fmt.Fprintf(b, "%.1f %.1f ", f.x(k), f.y(c.lower[k]))
		}
		b.WriteString(`Z"/>`)
		i = j
	}
}

func number(v float64) string {
	if a := math.Abs(v); a >= 1e3 && a < 1e7 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func stamp(t int64) string { return time.UnixMilli(t).UTC().Format("2006-01-02 15:04") }
