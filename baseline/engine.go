// Package baseline learns what series usually do, scores what they do now against a false-alarm
// budget, and forecasts them.
package baseline

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/season"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// Direction says which side of the band matters.
type Direction uint8

// The directions.
const (
	Both Direction = iota
	Up
	Down
)

// SeriesOptions are what a watch says of its series.
type SeriesOptions struct {
	Direction Direction
	Limit     *float64 // a declared limit, for TimeToLimit
	GroupBy   []string // labels that make siblings: peers and joint anomalies are found among them
}

// Engine holds the baselines of many series. All methods are safe for concurrent use; different
// series are observed in parallel, samples of one series one after the other.
type Engine struct {
	cfg    Config
	params tuning.Params
	log    *slog.Logger
	cal    *season.Calendar

	mu     sync.RWMutex
	series map[key]*Series
	groups map[string]*group
	saved  map[string]*together // of groups, from a state that was loaded; taken up at a group's next tick

	inputs sync.Pool // of *detect.Input, so that a sample allocates nothing

	tickMu sync.Mutex
	stood  []int64 // times of the alarms of the last week that stood

	ratesMu sync.RWMutex
	rates   map[int64]*tuning.Rates // by step in milliseconds
	shapes  map[int]*season.Shape   // by slots of a day

	pager pager
}

type key struct {
	watch string
	hash  uint64
	n     int // disambiguates equal hashes
}

// NewEngine makes an engine. A nil logger is silent.
func NewEngine(cfg Config, logger *slog.Logger) (*Engine, error) {
	return NewTuned(cfg, tuning.Default(), logger)
}

// NewTuned makes an engine with other constants than the shipped ones; benchmarks use it to show
// what each is worth.
func NewTuned(cfg Config, p tuning.Params, logger *slog.Logger) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	loc, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("baseline: load time zone: %w", err)
	}
	weekend, err := cfg.weekend()
	if err != nil {
		return nil, err
	}
	holiday, err := cfg.Holidays.compile()
	if err != nil {
		return nil, err
	}
	return &Engine{
		inputs: sync.Pool{New: func() any { return new(detect.Input) }},
		cfg:    cfg, params: p, log: logger.With("component", "baseline"),
		cal:    season.NewCalendar(loc, holiday).WithWeekend(weekend),
		series: map[key]*Series{}, groups: map[string]*group{}, saved: map[string]*together{},
		rates: map[int64]*tuning.Rates{}, shapes: map[int]*season.Shape{},
	}, nil
}

// Add makes the series of a watch with these labels, or returns the one that exists. step 0 lets
// the samples tell.
func (e *Engine) Add(watch string, ls labels.Labels, step time.Duration, opts SeriesOptions) *Series {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.find(watch, ls); s != nil {
		s.mu.Lock()
		regroup := !slices.Equal(s.opts.GroupBy, opts.GroupBy)
		s.opts = opts
		s.mu.Unlock()
		if regroup {
			e.leave(s)
			e.join(s)
		}
		return s
	}
	s := newSeries(e, watch, ls, step, opts)
	e.insert(s)
	return s
}

// find returns a series that exists; the lock is held.
func (e *Engine) find(watch string, ls labels.Labels) *Series {
	for k := (key{watch: watch, hash: ls.Hash()}); ; k.n++ {
		s, ok := e.series[k]
		if !ok {
			return nil
		}
		if labels.Equal(s.labels, ls) {
			return s
		}
	}
}

// insert files a series unless it exists; the lock is held.
func (e *Engine) insert(s *Series) {
	k := key{watch: s.watch, hash: s.labels.Hash()}
	for ; e.series[k] != nil; k.n++ {
		if labels.Equal(e.series[k].labels, s.labels) {
			return
		}
	}
	s.key = k
	e.series[k] = s
	e.pager.grown(len(e.series))
	e.join(s)
}

// Remove forgets a series.
func (e *Engine) Remove(s *Series) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.series[s.key] != s {
		return
	}
	// The last series of the same hash fills the gap, so that a search meets no hole before it.
	last := s.key
	for next := last; e.series[next] != nil; next.n++ {
		last = next
	}
	moved := e.series[last]
	moved.key = s.key
	e.series[s.key] = moved
	delete(e.series, last)
	e.leave(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.pager.release(s.place)
	s.place = nowhere
}

// ratesOf returns the weights for a step in milliseconds.
func (e *Engine) ratesOf(step int64) *tuning.Rates {
	e.ratesMu.RLock()
	r := e.rates[step]
	e.ratesMu.RUnlock()
	if r != nil {
		return r
	}
	e.ratesMu.Lock()
	defer e.ratesMu.Unlock()
	if r = e.rates[step]; r == nil {
		r = tuning.NewRates(e.params, float64(step)/1000)
		r.Budget = e.budget(r)
		e.rates[step] = r
	}
	return r
}

// shapeOf returns the shape for a step in milliseconds.
func (e *Engine) shapeOf(step int64) *season.Shape {
	e.ratesMu.Lock()
	defer e.ratesMu.Unlock()
	n := season.Slots(&e.params, step)
	sh := e.shapes[n]
	if sh == nil {
		sh = season.NewShape(e.cal, &e.params, step)
		e.shapes[n] = sh
	}
	return sh
}
