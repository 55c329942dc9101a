package backtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// Lane is a peer's alarms on one series.
type Lane struct {
	Name string
	At   []int64 // unix milliseconds
}

// Alarm is an alarm as the page lists it.
type Alarm struct{ At, Text string }

// section is a series on the page.
type section struct {
	*SeriesSummary
	ID     string
	Chart  template.HTML
	Alarms []Alarm
}

type pageData struct {
	*Summary
	PerWeek  float64
	Sections []section
	Peers    []peerRow
}

type peerRow struct {
	Name string
	Rate float64
}

// WriteHTML writes a page with the summary and a band chart of every series, that needs nothing else.
func (s *Summary) WriteHTML(w io.Writer) error {
	d := pageData{Summary: s, PerWeek: s.Rate(s.Alarms())}
	for i := range s.Series {
		x := &s.Series[i]
		var lanes []Lane
		for _, p := range s.Peers {
			lanes = append(lanes, Lane{p.Name, p.At[x.File]})
		}
		sec := section{SeriesSummary: x, ID: fmt.Sprintf("s%d", i), Chart: x.chart.svg("Values, band and alarms of "+x.File, lanes)}
		for _, a := range x.chart.alarms {
			sec.Alarms = append(sec.Alarms, Alarm{stamp(a.time), a.text})
		}
		d.Sections = append(d.Sections, sec)
	}
	for _, p := range s.Peers {
		d.Peers = append(d.Peers, peerRow{p.Name, s.Rate(p.Alarms)})
	}
	return page.Execute(w, d)
}
