// Package baseline learns what series usually do, scores what they do now against a false-alarm
// budget, and forecasts them.
package baseline

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

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

// side is the sign of the deviations that matter, 0 for both.
func (d Direction) side() int { return [...]int{Both: 0, Up: 1, Down: -1}[d] }

// SeriesOptions are what a watch says of its series.
type SeriesOptions struct {
	Direction Direction
	Limit     *float64 // a declared limit, for TimeToLimit
	GroupBy   []string // labels that make siblings: peers and joint anomalies are found among them
	// Window is how far each value looks back: the range of a rate, 0 for a plain sample.
	Window time.Duration
}

// Engine holds the baselines of many series. All methods are safe for concurrent use; different
// series are observed in parallel, samples of one series one after the other.
type Engine struct {
	cfg    Config
	params tuning.Params
	log    *slog.Logger
	cal    *season.Calendar

	mu     sync.RWMutex
	series index
	groups map[string]*group
	saved  map[string]*together // of groups, from a state that was loaded; taken up at a group's next tick

	work  sync.Pool // of *work
	rares sync.Pool // of *rare, empty
	views sync.Pool // of *seasonView, the same for an hour's end
	runs  sync.Pool // of *skimmed

	blind atomic.Int64 // see Blind

	tickMu sync.Mutex
	stood  []int64 // times of the alarms of the last week that stood

	ratesMu sync.RWMutex
	rates   map[int64]*tuning.Rates // by step in milliseconds
	shapes  map[int]*season.Shape   // by slots of a day

	pager   pager
	symbols symbols

	namesMu sync.Mutex
	names   map[string]*watchName
	opts    map[string]*SeriesOptions // by watch, those of the series added last
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
		work:  sync.Pool{New: func() any { return new(work) }},
		rares: sync.Pool{New: func() any { return new(rare) }},
		views: sync.Pool{New: func() any { return new(seasonView) }},
		runs:  sync.Pool{New: func() any { return new(skimmed) }},
		cfg:   cfg, params: p, log: logger.With("component", "baseline"),
		cal:    season.NewCalendar(loc, holiday).WithWeekend(weekend),
		groups: map[string]*group{}, saved: map[string]*together{},
		rates: map[int64]*tuning.Rates{}, shapes: map[int]*season.Shape{},
		names: map[string]*watchName{}, opts: map[string]*SeriesOptions{},
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
		s.opts = e.options(watch, opts)
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
	w := e.watchName(watch)
	return e.series.find(w.key(ls), w, ls)
}

// insert files a series unless it exists; the lock is held.
func (e *Engine) insert(s *Series) bool {
	ls := s.labelSet()
	k := s.name.key(ls)
	if e.series.find(k, s.name, ls) != nil {
		return false
	}
	e.series.insert(k, s)
	if e.pager.grown(e.series.n) {
		for s := range e.series.each {
			s.putAway()
		}
	}
	e.join(s)
	return true
}

// Remove forgets a series.
func (e *Engine) Remove(s *Series) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ls := s.labelSet()
	if !e.series.remove(s.name.key(ls), s) {
		return
	}
	e.leave(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.symbols.release(s.packed())
	s.folded = fold(textual(ls))
	e.pager.release(s.place)
	s.place = nowhere
	if s.rare != nil {
		*s.rare = rare{}
		s.shed()
	}
}

// watchName is the name of a watch, held once for its series.
type watchName struct {
	engine *Engine
	name   string
	hash   uint64
}

// seed makes the hashes of watch names; they live no longer than the process.
var seed = maphash.MakeSeed()

// watchName holds the name of a watch once.
func (e *Engine) watchName(name string) *watchName {
	e.namesMu.Lock()
	defer e.namesMu.Unlock()
	w := e.names[name]
	if w == nil {
		w = &watchName{engine: e, name: name, hash: maphash.String(seed, name)}
		e.names[name] = w
	}
	return w
}

// options holds the options of a watch's series once, as long as they are the same.
func (e *Engine) options(watch string, o SeriesOptions) *SeriesOptions {
	e.namesMu.Lock()
	defer e.namesMu.Unlock()
	last := e.opts[watch]
	if last == nil || !last.equal(&o) {
		last = &o
		e.opts[watch] = last
	}
	return last
}

func (o *SeriesOptions) equal(p *SeriesOptions) bool {
	return o.Direction == p.Direction && o.Window == p.Window && slices.Equal(o.GroupBy, p.GroupBy) &&
		(o.Limit == p.Limit || o.Limit != nil && p.Limit != nil && *o.Limit == *p.Limit)
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
