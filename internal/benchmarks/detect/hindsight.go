package main

import (
	"fmt"
	"math"
	"strings"
)

// hindsight says how well a linear forecast a day ahead could do that knows the whole series
// beforehand: least absolute deviations, fitted to the very values that it is judged on. What causal
// forecasts reach on such data cannot be much below.
func hindsight(all []history) string {
	var s strings.Builder
	s.WriteString("\n### What hindsight reaches on the calm set\n\nA linear forecast a day ahead, fitted by least absolute deviations to the very values that it is judged on, so with what no forecast can know; error over that of yesterday's value.\n\n| series |")
	names := []string{"mean of the last week", "and the day before, day off or not", "and the last 23 hours against those a day before, the same time last week"}
	for _, n := range names {
		s.WriteString(" " + n + " |")
	}
	s.WriteString("\n|---|" + strings.Repeat("---:|", len(names)) + "\n")
	mean, series := make([]float64, len(names)), 0.0
	for _, h := range all {
		if h.set != "calm" {
			continue
		}
		series++
		fmt.Fprintf(&s, "| %s |", h.name)
		for i := range names {
			x := fitted(h, i)
			mean[i] += x
			fmt.Fprintf(&s, " %.3f |", x)
		}
		s.WriteString("\n")
	}
	s.WriteString("| **mean** |")
	for _, x := range mean {
		fmt.Fprintf(&s, " **%.3f** |", x/series)
	}
	s.WriteString("\n")
	return s.String()
}

// fitted is the error of the best linear forecast of an hourly series, over that of yesterday's value.
func fitted(h history, more int) float64 {
	const day, week = 24, 168
	v := make([]float64, len(h.rows))
	for i, r := range h.rows {
		v[i] = r.Value
	}
	off := func(i int) float64 { // Saturday and Sunday in the zones' own time
		if d := (int64(h.rows[i].Time) - 5*3600) / 86400 % 7; d == 2 || d == 3 {
			return 1
		}
		return 0
	}
	var x [][]float64
	var y []float64
	naive := 0.0
	for t := week + 2*day; t+day < len(v); t++ {
		mean := 0.0
		for d := range 7 {
			mean += v[t-day*d] / 7
		}
		row := []float64{1, mean - v[t]}
		if more > 0 {
			row = append(row, v[t-day]-v[t], off(t+day)-off(t))
		}
		if more > 1 {
			row = append(row, v[t+day-week]-v[t])
			for k := 1; k < day; k++ {
				row = append(row, v[t-k]-v[t-k-day])
			}
		}
		x, y = append(x, row), append(y, v[t+day]-v[t])
		naive += math.Abs(v[t+day] - v[t])
	}
	sum := 0.0
	b := leastAbsolute(x, y)
	for i, row := range x {
		sum += math.Abs(y[i] - dot(b, row))
	}
	return sum / naive
}

func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// leastAbsolute fits y by least absolute deviations: least squares weighted by the inverse of the last
// residuals, again and again (Schlossmacher 1973).
func leastAbsolute(x [][]float64, y []float64) []float64 {
	n := len(x[0])
	b := make([]float64, n)
	for range 60 {
		a := make([][]float64, n)
		for i := range a {
			a[i] = make([]float64, n+1)
		}
		for k, row := range x {
			w := 1 / max(math.Abs(y[k]-dot(b, row)), 1e-3)
			for i := range row {
				for j := range row {
					a[i][j] += w * row[i] * row[j]
				}
				a[i][n] += w * row[i] * y[k]
			}
		}
		solve(a, b)
	}
	return b
}

// solve finds b of a system whose right side is the last column, by elimination with pivots.
func solve(a [][]float64, b []float64) {
	for i := range a {
		for j := i + 1; j < len(a); j++ {
			if math.Abs(a[j][i]) > math.Abs(a[i][i]) {
				a[i], a[j] = a[j], a[i]
			}
		}
		for j := range a {
			if j == i {
				continue
			}
			f := a[j][i] / a[i][i]
			for k := i; k < len(a[i]); k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	for i := range b {
		b[i] = a[i][len(a)] / a[i][i]
	}
}
