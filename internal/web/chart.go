package web

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/tidemark/tidemark/rules"
)

// Point is one scored sample of a series.
type Point struct {
	Time                          int64 // Milliseconds.
	Value, Expected, Lower, Upper float64
	Score                         float64
}

// Span is a stretch of time that a chart shades, in milliseconds.
type Span struct{ From, To int64 }

const (
	chartWidth, chartHeight = 1000.0, 240.0
	marginLeft, marginRight = 92.0, 10.0
	marginTop, marginBottom = 18.0, 24.0
)

// residuals are points less what was expected of each.
func residuals(points []Point) []Point {
	out := make([]Point, 0, len(points))
	for _, p := range points {
		e := p.Expected
		out = append(out, Point{Time: p.Time, Value: p.Value - e, Lower: p.Lower - e, Upper: p.Upper - e, Score: p.Score})
	}
	return out
}

// scale maps time and value onto the drawing.
type scale struct {
	t0, t1 int64
	lo, hi float64
}

func (s scale) x(t int64) float64 {
	if s.t1 == s.t0 {
		return marginLeft
	}
	return marginLeft + (chartWidth-marginLeft-marginRight)*float64(t-s.t0)/float64(s.t1-s.t0)
}

func (s scale) y(v float64) float64 {
	v = math.Min(math.Max(v, s.lo), s.hi)
	return marginTop + (chartHeight-marginTop-marginBottom)*(1-(v-s.lo)/(s.hi-s.lo))
}

// BandChart draws points as an SVG: the band, what was expected, what came, and the shaded spans. It
// needs no script. The title is what a screen reader says, unit that of the values.
func BandChart(title, unit string, points []Point, shaded ...Span) template.HTML {
	sc, ok := scaleOf(points)
	if !ok {
		return template.HTML(`<p class="muted">No samples to draw yet.</p>`)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg role="img" viewBox="0 0 %g %g" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(title))
	for _, s := range shaded {
		from, to := max(s.From, sc.t0), min(s.To, sc.t1)
		if to > from {
			fmt.Fprintf(&b, `<rect x="%.1f" y="%g" width="%.1f" height="%g" fill="var(--mark)"/>`, sc.x(from), marginTop, sc.x(to)-sc.x(from), chartHeight-marginTop-marginBottom)
		}
	}
	axes(&b, sc, unit)
	b.WriteString(band(points, sc))
	b.WriteString(line(points, sc, func(p Point) float64 { return p.Expected }, `stroke="var(--muted)" stroke-dasharray="6 6"`))
	b.WriteString(line(points, sc, func(p Point) float64 { return p.Value }, `stroke="var(--ok)" stroke-width="1.8"`))
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // Built of numbers and one escaped title.
}

func scaleOf(points []Point) (scale, bool) {
	sc := scale{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, p := range points {
		for _, v := range []float64{p.Value, p.Lower, p.Upper} {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				sc.lo, sc.hi = math.Min(sc.lo, v), math.Max(sc.hi, v)
			}
		}
	}
	if sc.lo > sc.hi {
		return sc, false
	}
	sc.t0, sc.t1 = points[0].Time, points[len(points)-1].Time
	if pad := (sc.hi - sc.lo) * 0.05; pad > 0 && !math.IsInf(pad, 0) {
		low := sc.lo - pad
		if sc.lo >= 0 {
			low = max(low, 0) // What counts things is never drawn below nothing.
		}
		sc.lo, sc.hi = low, sc.hi+pad
	} else {
		sc.lo, sc.hi = sc.lo-1, sc.hi+1
	}
	return sc, true
}

// axes draws three value marks and four time marks.
func axes(b *strings.Builder, sc scale, unit string) {
	for i := range 3 {
		v := sc.lo + (sc.hi-sc.lo)*float64(i)/2
		y := sc.y(v)
		fmt.Fprintf(b, `<line class="lane" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`,
			marginLeft, y, chartWidth-marginRight, y, marginLeft-6, y+4, rules.Quantity(v, unit))
	}
	layout := "15:04"
	if sc.t1-sc.t0 > 36*time.Hour.Milliseconds() {
		layout = "Mon 15:04"
	}
	for i := range 4 {
		t := sc.t0 + (sc.t1-sc.t0)*int64(i)/3
		anchor := []string{"start", "middle", "middle", "end"}[i]
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, sc.x(t), chartHeight-6, anchor, time.UnixMilli(t).UTC().Format(layout))
	}
}

// band draws the area between the lower and the upper edge; gaps in the band stay open.
func band(points []Point, sc scale) string {
	var b strings.Builder
	for i := 0; i < len(points); {
		if !hasBand(points[i]) {
			i++
			continue
		}
		j := i
		for j < len(points) && hasBand(points[j]) {
			j++
		}
		b.WriteString(`<path fill="var(--band)" fill-opacity=".55" d="M`)
		for k := i; k < j; k++ {
			fmt.Fprintf(&b, "%.1f %.1f ", sc.x(points[k].Time), sc.y(points[k].Upper))
		}
		for k := j - 1; k >= i; k-- {
			fmt.Fprintf(&b, "%.1f %.1f ", sc.x(points[k].Time), sc.y(points[k].Lower))
		}
		b.WriteString(`Z"/>`)
		i = j
	}
	return b.String()
}

func hasBand(p Point) bool { return !math.IsNaN(p.Lower) && !math.IsNaN(p.Upper) }

// line draws one value over time, broken where it is not a number.
func line(points []Point, sc scale, value func(Point) float64, style string) string {
	var b strings.Builder
	b.WriteString(`<path fill="none" ` + style + ` d="`)
	pen := "M"
	for _, p := range points {
		v := value(p)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, sc.x(p.Time), sc.y(v))
		pen = "L"
	}
	b.WriteString(`"/>`)
	return b.String()
}

// Number writes v as people read it: four significant digits and a metric prefix.
func Number(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "–"
	case a >= 1e15 || a > 0 && a < 1e-4:
		return fmt.Sprintf("%.3g", v)
	case a >= 1e12:
		return fmt.Sprintf("%.4gT", v/1e12)
	case a >= 1e9:
		return fmt.Sprintf("%.4gG", v/1e9)
	case a >= 1e6:
		return fmt.Sprintf("%.4gM", v/1e6)
	case a >= 1e4:
		return fmt.Sprintf("%.4gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}
