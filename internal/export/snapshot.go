package export

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// page is what one scrape writes, taken at one moment: the families of a page stand one after the other, and all of
// them must show the same moment. Its memory is used again.
type page struct {
	rows      []row
	active    []Active
	forecasts []Forecast
	limits    []Limit
	watches   []watchSum
	byName    map[string]int // in watches
	plain     int            // rows that nobody asked for
	refused   int
}

// row is one written series.
type row struct {
	block, watch string
	labels       labels.Labels
	time         int64
	wanted       bool // anomalous, pinned or asked for

	observed, expected, lower, upper float64
	score, alarm, budgetRatio        float64

	active, forecasts, limits span
}

type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// watchSum is what is written of a watch as a whole.
type watchSum struct {
	name                      string
	series, anomalous, scored int
	most, sum                 float64
	time                      int64
}

// take reads the source. When asked is not nil, the page holds what it selects, whatever the mode.
func (e *Exporter) take(asked []selector) *page {
	p := e.pages.Get().(*page)
	p.reset()
	sparse := e.sparse()
	fill, _ := e.source.(Filler)
	namer, _ := e.source.(Namer)
	selects := asked != nil || len(e.pinned) > 0
	e.source.Each(func(s *Series) {
		p.count(s)
		if namer != nil && s.Block == "" && (selects || s.Interesting || !sparse) {
			namer.Name(s)
		}
		wanted := s.Interesting || matchAny(e.pinned, s.Labels)
		switch {
		case asked != nil:
			if wanted = matchAny(asked, s.Labels); !wanted {
				return
			}
		case sparse && !wanted:
			return
		}
		if len(p.rows) >= e.maxSeries && !p.room(wanted) {
			p.refused++
			return
		}
		if fill != nil {
			fill.Fill(s)
		}
		p.add(s, wanted)
	})
	e.refused.Add(float64(p.refused))
	slices.SortFunc(p.watches, func(a, b watchSum) int { return cmp.Compare(a.name, b.name) })
	return p
}

func (e *Exporter) give(p *page) { e.pages.Put(p) }

func (p *page) reset() {
	p.rows, p.active, p.forecasts, p.limits, p.watches = p.rows[:0], p.active[:0], p.forecasts[:0], p.limits[:0], p.watches[:0]
	p.plain, p.refused = 0, 0
	if p.byName == nil {
		p.byName = map[string]int{}
	}
	clear(p.byName)
}

// room gives up a series that nobody asked for to one that is wanted.
func (p *page) room(wanted bool) bool {
	if !wanted || p.plain == 0 {
		return false
	}
	for i := len(p.rows) - 1; i >= 0; i-- {
		if !p.rows[i].wanted {
			p.rows = slices.Delete(p.rows, i, i+1)
			p.plain--
			p.refused++
			return true
		}
	}
	return false
}

// count adds a series to the sums of its watch.
func (p *page) count(s *Series) {
	at, ok := p.byName[s.Watch]
	if !ok {
		at = len(p.watches)
		p.byName[s.Watch] = at
		p.watches = append(p.watches, watchSum{name: s.Watch})
	}
	w := &p.watches[at]
	w.series++
	w.time = max(w.time, s.Time)
	if len(s.Active) > 0 {
		w.anomalous++
	}
	if !math.IsNaN(s.Score) {
		w.scored++
		w.sum += s.Score
		w.most = max(w.most, s.Score)
	}
}

func (p *page) add(s *Series, wanted bool) {
	if !wanted {
		p.plain++
	}
	p.rows = append(p.rows, row{
		block: s.Block, watch: s.Watch, labels: s.Labels, time: s.Time, wanted: wanted,
		observed: s.Observed, expected: s.Expected, lower: s.Lower, upper: s.Upper,
		score: s.Score, alarm: s.Alarm, budgetRatio: s.BudgetRatio,
		active:    span{len(p.active), len(p.active) + len(s.Active)},
		forecasts: span{len(p.forecasts), len(p.forecasts) + len(s.Forecasts)},
		limits:    span{len(p.limits), len(p.limits) + len(s.Limits)},
	})
	p.active = append(p.active, s.Active...)
	p.forecasts = append(p.forecasts, s.Forecasts...)
	p.limits = append(p.limits, s.Limits...)
}

// selector picks series by their exported labels.
type selector []*labels.Matcher

func parseSelector(s string) (selector, error) {
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no selector such as {service=\"checkout\"}: %w", s, err)
	}
	return ms, nil
}

func (s selector) matches(ls labels.Labels) bool {
	for _, m := range s {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

func matchAny(all []selector, ls labels.Labels) bool {
	for _, s := range all {
		if s.matches(ls) {
			return true
		}
	}
	return false
}
