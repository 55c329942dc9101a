package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

// rise is a climb in a recorded series that could be that of a disk: over a day and more nearly every hour ended higher
// than the one before, through half of the range of all before, to where the series had not been.
type rise struct {
	from, to int // rows
	hours    int
}

const (
	riseHours = 24
	riseUp    = 0.8 // share of its hours that end higher
	riseRange = 0.5 // share of the range before it
	toothed   = 1.6 // rises for each fall, or falls for each rise, of a saw-tooth
)

// rises finds them. The longest that ends at an hour counts, and one a day.
func (h history) rises() (out []rise) {
	var v []float64 // last value of each hour, and its row
	var row []int
	for i, r := range h.rows {
		if i == len(h.rows)-1 || int64(h.rows[i+1].Time)/3600 != int64(r.Time)/3600 {
			v, row = append(v, r.Value), append(row, i)
		}
	}
	for to := 3 * riseHours; to < len(v); to++ {
		before := slices.Sorted(slices.Values(v[:to-riseHours]))
		low, high := before[len(before)/100], before[len(before)-1-len(before)/100]
		if high <= low || v[to] <= high {
			continue
		}
		longest, up := 0, 0.0
		for n := 1; n <= min(to, 14*24); n++ {
			if v[to-n+1] > v[to-n] {
				up++
			}
			if n >= riseHours && up >= riseUp*float64(n) && v[to]-v[to-n] > riseRange*(high-low) {
				longest = n
			}
		}
		if longest > 0 {
			out = append(out, rise{row[to-longest], row[to], longest})
			to += 24
		}
	}
	return out
}

// toothed says that a series rises much more often than it falls, or the other way round.
func (h history) toothed() bool {
	up, down := 0.0, 0.0
	for i := 1; i < len(h.rows); i++ {
		switch d := h.rows[i].Value - h.rows[i-1].Value; {
		case d > 0:
			up++
		case d < 0:
			down++
		}
	}
	return max(up, down) > toothed*min(up, down)
}

// warned are the hours between the first of both warnings in the twelve hours before the end of a rise, taken as the limit,
// and that end; 0 is none. wrong are the warnings before.
func (h history) warned(x rise) (us, them float64, wrong [2]float64, err error) {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	if err != nil {
		return 0, 0, wrong, err
	}
	s := e.Add("rise", labels.EmptyLabels(), 0, baseline.SeriesOptions{})
	end, edge := h.rows[x.to].Time, h.rows[x.to].Value
	var last [2]float64
	from := 0
	for i, r := range h.rows[:x.to] {
		s.Observe(int64(r.Time*1000), r.Value)
		for h.rows[from].Time <= r.Time-6*3600 {
			from++
		}
		if i-from < 2 || r.Value >= edge || r.Time-h.rows[0].Time < 2*86400 {
			continue
		}
		window := make([]float64, 0, i-from+1)
		for _, y := range h.rows[from : i+1] {
			window = append(window, y.Value)
		}
		step := (r.Time - h.rows[from].Time) / float64(i-from)
		l, ok := s.TimeToLimit(edge)
		for k, on := range [...]bool{ok && l.Seconds < 4*3600, predictLinear(window, 4*3600/step) > edge} {
			first := []*float64{&us, &them}[k]
			switch {
			case !on:
				continue
			case r.Time >= end-12*3600:
				*first = max(*first, (end-r.Time)/3600)
			case r.Time-last[k] > 3600:
				wrong[k]++
			}
			last[k] = r.Time
		}
	}
	return us, them, wrong, nil
}

// realFills looks for fills in the recorded series.
func realFills(all []history) (string, error) {
	var s, rows strings.Builder
	teeth, n := 0, 0
	for _, h := range all {
		if h.toothed() {
			teeth++
		}
		for _, x := range h.rises() {
			us, them, wrong, err := h.warned(x)
			if err != nil {
				return "", err
			}
			n++
			fmt.Fprintf(&rows, "| %s/%s | %d | %.4g | %.1f | %.1f | %.0f | %.0f |\n", h.set, h.name, x.hours, h.rows[x.to].Value, us, them, wrong[0], wrong[1])
		}
	}
	fmt.Fprintf(&s, "\n### Fills in recorded series\n\nOf the %d recorded series %d rise %.1f times as often as they fall, or fall so much more often, as a saw-tooth does. In all of them %d climbs last a day and longer, nearly every hour ending higher than the one before, through half of the range of all before, to where the series had not been. ",
		len(all), teeth, toothed, n)
	s.WriteString("None of the sets says that it holds a disk, a quota or a queue. What the climbs found would be worth as fills, their end taken as the limit: hours between the first warning of the last twelve hours and the end (0: none), and warnings before those.\n\n")
	s.WriteString("| series | hours | end | warned before, hours | by predict_linear | warnings earlier | by predict_linear |\n|---|---:|---:|---:|---:|---:|---:|\n" + rows.String())
	return s.String(), nil
}
