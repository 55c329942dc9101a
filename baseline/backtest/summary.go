package backtest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tidemark/tidemark/baseline"
)

// Episode is one anomaly of a series.
type Episode struct {
	Start, End int64   // unix milliseconds, first and last sample above 1
	Peak       float64 // largest raw score
	Detector   string  // at the peak
}

// SeriesSummary is what a run found on one series.
type SeriesSummary struct {
	File     string
	Samples  int
	First    int64
	Last     int64
	Alarms   int
	Episodes []Episode

	chart chart
}

func (s *SeriesSummary) add(sc baseline.Score) {
	if s.Samples == 0 {
		s.First = sc.Time
	}
	s.Samples++
	s.chart.add(sc)
	s.Last = max(s.Last, sc.Time)
	if sc.Alarm > 1 {
		s.Alarms++
	}
	if sc.Raw <= 1 {
		return
	}
	n := len(s.Episodes)
	if n == 0 || s.Episodes[n-1].Start != sc.Since {
		s.Episodes = append(s.Episodes, Episode{Start: sc.Since})
		n++
	}
	e := &s.Episodes[n-1]
	e.End = sc.Time
	if sc.Raw > e.Peak {
		e.Peak, e.Detector = sc.Raw, sc.Detector
	}
}

// Weeks is the time the series covers.
func (s *SeriesSummary) Weeks() float64 {
	return time.Duration((s.Last-s.First)*1e6).Hours() / 168
}

// Summary is what a run found.
type Summary struct{ Series []SeriesSummary }

// Print writes rates and the longest anomalies as text.
func (s *Summary) Print(w io.Writer) error {
	var samples, alarms int
	var weeks float64
	type long struct {
		file string
		Episode
	}
	var all []long
	for i := range s.Series {
		x := &s.Series[i]
		samples += x.Samples
		alarms += x.Alarms
		weeks += x.Weeks()
		for _, e := range x.Episodes {
			all = append(all, long{x.File, e})
		}
	}
	slices.SortStableFunc(all, func(a, b long) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	rate := 0.0
	if weeks > 0 {
		rate = float64(alarms) / weeks
	}
	if _, err := fmt.Fprintf(w, "%d series, %d samples, %.1f series-weeks: %d alarms (%.2f a week and series), %d anomalies\n",
		len(s.Series), samples, weeks, alarms, rate, len(all)); err != nil {
		return err
	}
	for _, l := range all[:min(10, len(all))] {
		if _, err := fmt.Fprintf(w, "  %-48s %s for %s, score %.2f by %s\n", l.file,
			time.UnixMilli(l.Start).UTC().Format(time.RFC3339), time.Duration((l.End-l.Start)*1e6).Round(time.Second), l.Peak, l.Detector); err != nil {
			return err
		}
	}
	return nil
}
