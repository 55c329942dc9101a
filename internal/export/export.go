// Package export turns what is known of each watched series into Prometheus metrics: the text page
// that Prometheus scrapes and the samples that remote write sends.
package export

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Names selects the metric names that are written.
type Names string

// The two sets of names: ours alone, or ours and those of VictoriaMetrics' vmanomaly beside them, so
// that dashboards and alerts made for it keep working (docs.victoriametrics.com, anomaly-detection).
const (
	NamesTidemark  Names = "tidemark"
	NamesVmanomaly Names = "vmanomaly"
)

// Mode selects which series get bands and scores of their own.
type Mode string

// ModeFull writes every series, ModeSparse those that are anomalous, were so in the last six hours
// or are pinned, ModeAuto is full up to AutoLimit series and sparse above.
const (
	ModeAuto   Mode = "auto"
	ModeFull   Mode = "full"
	ModeSparse Mode = "sparse"
)

// AutoLimit is the number of series up to which ModeAuto writes all of them: about 10 gauges each,
// what one busy exporter adds to a Prometheus.
const AutoLimit = 2000

// Config is the section `export` of the configuration file.
type Config struct {
	// Names are the names of the metrics: tidemark, or vmanomaly to add those that its dashboards and
	// alerts use (`anomaly_score`, `yhat` and so on).
	Names Names `yaml:"names,omitempty"`
	// Mode says which series stand on /metrics: full is all, sparse those that are or were anomalous in
	// the last six hours or are pinned, auto is full up to 2 000 series and sparse above.
	Mode Mode `yaml:"mode,omitempty"`
	// Pinned are selectors such as {service="checkout"} over the exported labels, watch included: series that match
	// are written in every mode.
	Pinned []string `yaml:"pinned,omitempty"`
	// MaxSeries bounds the watched series that are written, some twenty gauges each; anomalous and pinned ones come
	// first, what is left out is counted.
	MaxSeries int `yaml:"max_series,omitempty"`
	// RemoteWrite sends the samples of every series to a remote-write endpoint as well; not sent when absent.
	RemoteWrite *RemoteWriteConfig `yaml:"remote_write,omitempty"`
}

// DefaultConfig is the configuration of an empty section.
func DefaultConfig() Config {
	return Config{Names: NamesTidemark, Mode: ModeAuto, MaxSeries: 100_000}
}

// UnmarshalYAML implements yaml.Unmarshaler; what the section leaves out keeps its default.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	switch c.Names {
	case NamesTidemark, NamesVmanomaly:
	default:
		return fmt.Errorf("export.names is %q: want %q or %q", c.Names, NamesTidemark, NamesVmanomaly)
	}
	switch c.Mode {
	case ModeAuto, ModeFull, ModeSparse:
	default:
		return fmt.Errorf("export.mode is %q: want %q, %q or %q", c.Mode, ModeAuto, ModeFull, ModeSparse)
	}
	if c.MaxSeries < 1 {
		return errors.New("export.max_series must be above zero: leave it out for the default")
	}
	for _, p := range c.Pinned {
		if _, err := parseSelector(p); err != nil {
			return fmt.Errorf("export.pinned: %w", err)
		}
	}
	return nil
}

// Active is one anomaly that lasts now.
type Active struct{ Kind, Detector string }

// Forecast is the expected value some time ahead of the last sample, with its interval.
type Forecast struct {
	Horizon                string
	Expected, Lower, Upper float64
}

// Limit is the time until the forecast crosses a declared limit, in seconds.
type Limit struct {
	Name                  string
	Seconds, Lower, Upper float64
}

// Series is what is written of one watched series. NaN fields are left out.
type Series struct {
	// Block is the series' labels in text form, as Block makes it; kept by the owner so that a
	// scrape copies instead of escaping.
	Block string
	// Labels are the same labels for remote write.
	Labels labels.Labels
	// Watch is the name of the watch that the series belongs to.
	Watch string
	// Time is the time stamp of the last sample, in milliseconds.
	Time int64

	Observed, Expected, Lower, Upper float64
	Score, Alarm, BudgetRatio        float64

	Active    []Active
	Forecasts []Forecast
	Limits    []Limit
	// Interesting marks a series that sparse mode writes: anomalous, or recently so.
	Interesting bool
	// Owner is the source's own; see Filler.
	Owner any
}

// Source hands out every watched series; the pointer is valid during the call of fn only.
type Source interface {
	// Each calls fn for every series in a stable order.
	Each(fn func(s *Series))
	// Len is the number of watched series.
	Len() int
}

// Namer is a Source whose series may come without Block and Labels, which it adds to those that are written or that a
// selector looks at.
type Namer interface {
	Name(s *Series)
}

// Filler is a Source that adds forecasts, limits and the budget ratio only to the series that are written: they cost more
// than all else of a series.
type Filler interface {
	Fill(s *Series)
}

// Exporter writes the series of a source. It is safe for concurrent use.
type Exporter struct {
	families  []family
	mode      Mode
	source    Source
	pinned    []selector
	maxSeries int
	pages     sync.Pool // of *page
	buffers   sync.Pool // of *pageBuffer
	refused   prometheus.Counter
}

// New makes an exporter of source as cfg says.
func New(cfg Config, source Source) *Exporter {
	e := &Exporter{families: families, mode: cfg.Mode, source: source, maxSeries: cfg.MaxSeries}
	e.pages.New = func() any { return new(page) }
	e.buffers.New = func() any { return &pageBuffer{b: make([]byte, 0, bufferSize+4096)} }
	if cfg.Names == NamesVmanomaly {
		e.families = append(append([]family{}, families...), vmanomaly...)
	}
	for _, p := range cfg.Pinned {
		if s, err := parseSelector(p); err == nil { // UnmarshalYAML has told it.
			e.pinned = append(e.pinned, s)
		}
	}
	e.refused = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_export_refused_series_total", Help: "Watched series left out of what is exported because of export.max_series, counted each time.",
	})
	return e
}

// Describe implements prometheus.Collector.
func (e *Exporter) Describe(ch chan<- *prometheus.Desc) { e.refused.Describe(ch) }

// Collect implements prometheus.Collector.
func (e *Exporter) Collect(ch chan<- prometheus.Metric) { e.refused.Collect(ch) }

// sparse says whether only interesting series are written now.
func (e *Exporter) sparse() bool {
	return e.mode == ModeSparse || e.mode == ModeAuto && e.source.Len() > AutoLimit
}

// Samples calls fn for every sample of every written series, and of the watches: the labels with the metric's
// name, the value and the time stamp of the last sample in milliseconds.
func (e *Exporter) Samples(fn func(ls labels.Labels, t int64, v float64)) {
	p := e.take(nil)
	defer e.give(p)
	b := labels.NewBuilder(labels.EmptyLabels())
	for i := range p.rows {
		r := &p.rows[i]
		for k := range e.families {
			e.families[k].samples(b, p, r, fn)
		}
	}
	for _, a := range aggregates {
		for i := range p.watches {
			if w := &p.watches[i]; w.time > 0 {
				fn(labels.FromStrings(model.MetricNameLabel, a.name, "watch", w.name), w.time, a.value(w))
			}
		}
	}
}

func (f *family) samples(b *labels.Builder, p *page, r *row, fn func(ls labels.Labels, t int64, v float64)) {
	for n := range f.count(r) {
		v := f.value(p, r, n)
		if math.IsNaN(v) {
			continue
		}
		b.Reset(r.labels)
		b.Set(model.MetricNameLabel, f.name)
		for _, x := range f.extra(p, r, n) {
			if x.name != "" {
				b.Set(x.name, x.value)
			}
		}
		fn(b.Labels(), r.time, v)
	}
}
