package backtest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/baseline"
)

// Episode is one anomaly of a series.
type Episode struct {
	File       string
	Start, End int64   // unix milliseconds, first and last sample above 1
	Peak       float64 // largest raw score
	Detector   string  // at the peak
	Text       string  // what was said at its last alarm, when Options.Explain asks for it
}

// Began is the start in UTC.
func (e *Episode) Began() string { return stamp(e.Start) }

// Lasted is the time between the first and the last sample above 1.
func (e *Episode) Lasted() string {
	return model.Duration((time.Duration(e.End-e.Start) * time.Millisecond).Round(time.Second)).String()
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

// add counts a score; why explains its alarms when it is not nil.
func (s *SeriesSummary) add(sc baseline.Score, why *baseline.Series) {
	if s.Samples == 0 {
		s.First = sc.Time
	}
	s.Samples++
	s.Last = max(s.Last, sc.Time)
	if sc.Raw > 1 {
		n := len(s.Episodes)
		if n == 0 || s.Episodes[n-1].Start != sc.Since {
			s.Episodes = append(s.Episodes, Episode{File: s.File, Start: sc.Since})
			n++
		}
		e := &s.Episodes[n-1]
		e.End = sc.Time
		if sc.Raw > e.Peak {
			e.Peak, e.Detector = sc.Raw, sc.Detector
		}
		if sc.Alarm > 1 && why != nil {
			e.Text = why.Explain().Text
			s.chart.say(sc, e.Text)
		}
	}
	if sc.Alarm > 1 {
		s.Alarms++
	}
	s.chart.add(sc)
}

// Weeks is the time the series covers.
func (s *SeriesSummary) Weeks() float64 {
	return time.Duration((s.Last-s.First)*1e6).Hours() / 168
}

// Summary is what a run found.
type Summary struct {
	Series  []SeriesSummary
	Allowed float64 // alarms a week and series that the budget allows
	Peers   []PeerSummary
}

// Samples is the number of samples of all series.
func (s *Summary) Samples() (n int) {
	for i := range s.Series {
		n += s.Series[i].Samples
	}
	return n
}

// Weeks is the time that all series cover together, in series-weeks.
func (s *Summary) Weeks() (w float64) {
	for i := range s.Series {
		w += s.Series[i].Weeks()
	}
	return w
}

// Alarms is the number of alarms on all series.
func (s *Summary) Alarms() (n int) {
	for i := range s.Series {
		n += s.Series[i].Alarms
	}
	return n
}

// Rate is a number of alarms per week and series.
func (s *Summary) Rate(alarms int) float64 {
	if w := s.Weeks(); w > 0 {
		return float64(alarms) / w
	}
	return 0
}

// longest is how many anomalies a summary names.
const longest = 10

// Longest are the anomalies that lasted longest, the longest first.
func (s *Summary) Longest() []Episode {
	all := s.episodes()
	slices.SortStableFunc(all, func(a, b Episode) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	return all[:min(longest, len(all))]
}

// Anomalies is the number of episodes on all series.
func (s *Summary) Anomalies() int { return len(s.episodes()) }

func (s *Summary) episodes() (all []Episode) {
	for i := range s.Series {
		all = append(all, s.Series[i].Episodes...)
	}
	return all
}

// Print writes rates, those of the peers beside them, and the longest anomalies as text.
func (s *Summary) Print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%d series, %d samples, %.1f series-weeks: %d alarms (%.2f a week and series, the budget allows %.2f false ones), %d anomalies\n",
		len(s.Series), s.Samples(), s.Weeks(), s.Alarms(), s.Rate(s.Alarms()), s.Allowed, s.Anomalies()); err != nil {
		return err
	}
	if len(s.Peers) > 0 {
		if _, err := fmt.Fprintf(w, "\nalarms a week and series, beside the customary formulas:\n  %-18s %8.2f\n", "tidemark", s.Rate(s.Alarms())); err != nil {
			return err
		}
		for _, p := range s.Peers {
			if _, err := fmt.Fprintf(w, "  %-18s %8.2f\n", p.Name, s.Rate(p.Alarms)); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintf(w, "\nlongest anomalies:\n"); err != nil {
		return err
	}
	for _, e := range s.Longest() {
		if _, err := fmt.Fprintf(w, "  %s from %s for %s, score %.2f by %s\n", e.File, e.Began(), e.Lasted(), e.Peak, e.Detector); err != nil {
			return err
		}
		if e.Text != "" {
			if _, err := fmt.Fprintf(w, "    %s\n", e.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
