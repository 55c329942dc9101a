// Package export turns what is known of each watched series into Prometheus metrics: the text page
// that Prometheus scrapes and the samples that remote write sends.
package export

import (
	"fmt"
	"math"

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
	// RemoteWrite sends the samples of every series to a remote-write endpoint as well; not sent when absent.
	RemoteWrite *RemoteWriteConfig `yaml:"remote_write,omitempty"`
}

// DefaultConfig is the configuration of an empty section.
func DefaultConfig() Config { return Config{Names: NamesTidemark, Mode: ModeAuto} }

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
	// Interesting marks a series that sparse mode writes: anomalous, recently so, or pinned.
	Interesting bool
}

// Source hands out every watched series; the pointer is valid during the call of fn only.
type Source interface {
	// Each calls fn for every series in a stable order.
	Each(fn func(s *Series))
	// Len is the number of watched series.
	Len() int
}

// extra is a label that a family adds to the series' own.
type extra struct{ name, value string }

// family is one metric family and how to read its values off a series.
type family struct {
	name, help string
	emit       func(s *Series, add func(v float64, e ...extra))
}

func gauge(name, help string, value func(*Series) float64) family {
	return family{name, help, func(s *Series, add func(float64, ...extra)) { add(value(s)) }}
}

func forecast(name, help string, value func(Forecast) float64) family {
	return family{name, help, func(s *Series, add func(float64, ...extra)) {
		for _, f := range s.Forecasts {
			add(value(f), extra{"horizon", f.Horizon})
		}
	}}
}

func limit(name, help string, value func(Limit) float64) family {
	return family{name, help, func(s *Series, add func(float64, ...extra)) {
		for _, l := range s.Limits {
			add(value(l), extra{"limit", l.Name})
		}
	}}
}

// families are the metrics of a watched series, in the order of the page.
var families = []family{
	gauge("tidemark_observed", "Last value of the watched series.", func(s *Series) float64 { return s.Observed }),
	gauge("tidemark_expected", "Value that the learned baseline expected of the last sample.", func(s *Series) float64 { return s.Expected }),
	gauge("tidemark_lower", "Lower edge of the learned band.", func(s *Series) float64 { return s.Lower }),
	gauge("tidemark_upper", "Upper edge of the learned band.", func(s *Series) float64 { return s.Upper }),
	gauge("tidemark_anomaly_score", "How far the series is from normal: 1 is the edge of what the false-alarm budget allows, 2 twice as far.", func(s *Series) float64 { return s.Score }),
	gauge("tidemark_anomaly_alarm_score", "The anomaly score with one alarm per episode: falls back under 1 after the alarm unless the evidence grows.", func(s *Series) float64 { return s.Alarm }),
	{"tidemark_anomaly_active", "1 while an anomaly of this kind lasts.", func(s *Series, add func(float64, ...extra)) {
		for _, a := range s.Active {
			add(1, extra{"kind", a.Kind}, extra{"detector", a.Detector})
		}
	}},
	gauge("tidemark_false_alarm_budget_ratio", "Observed rate of alarms over the rate that the budget allows.", func(s *Series) float64 { return s.BudgetRatio }),
	forecast("tidemark_forecast", "Expected value one horizon ahead of now.", func(f Forecast) float64 { return f.Expected }),
	forecast("tidemark_forecast_lower", "Lower edge of the forecast's 90 % interval.", func(f Forecast) float64 { return f.Lower }),
	forecast("tidemark_forecast_upper", "Upper edge of the forecast's 90 % interval.", func(f Forecast) float64 { return f.Upper }),
	limit("tidemark_limit_seconds", "Seconds until the forecast crosses the declared limit; absent when it does not within the horizon.", func(l Limit) float64 { return l.Seconds }),
	limit("tidemark_limit_seconds_lower", "Earliest plausible crossing of the declared limit, in seconds.", func(l Limit) float64 { return l.Lower }),
	limit("tidemark_limit_seconds_upper", "Latest plausible crossing of the declared limit, in seconds.", func(l Limit) float64 { return l.Upper }),
}

// vmanomaly are the same values under the names that vmanomaly writes; the watch's name stands in
// the label `for`.
var vmanomaly = []family{
	forName("anomaly_score", "Anomaly score, vmanomaly's name.", func(s *Series) float64 { return s.Score }),
	forName("y", "Observed value, vmanomaly's name.", func(s *Series) float64 { return s.Observed }),
	forName("yhat", "Expected value, vmanomaly's name.", func(s *Series) float64 { return s.Expected }),
	forName("yhat_lower", "Lower edge of the band, vmanomaly's name.", func(s *Series) float64 { return s.Lower }),
	forName("yhat_upper", "Upper edge of the band, vmanomaly's name.", func(s *Series) float64 { return s.Upper }),
}

func forName(name, help string, value func(*Series) float64) family {
	return family{name, help, func(s *Series, add func(float64, ...extra)) { add(value(s), extra{"for", s.Watch}) }}
}

// Exporter writes the series of a source.
type Exporter struct {
	families []family
	mode     Mode
	source   Source
}

// New makes an exporter of source as cfg says.
func New(cfg Config, source Source) *Exporter {
	e := &Exporter{families: families, mode: cfg.Mode, source: source}
	if cfg.Names == NamesVmanomaly {
		e.families = append(append([]family{}, families...), vmanomaly...)
	}
	return e
}

// sparse says whether only interesting series are written now.
func (e *Exporter) sparse() bool {
	return e.mode == ModeSparse || e.mode == ModeAuto && e.source.Len() > AutoLimit
}

// each walks the series that are written.
func (e *Exporter) each(fn func(*Series)) {
	sparse := e.sparse()
	e.source.Each(func(s *Series) {
		if !sparse || s.Interesting {
			fn(s)
		}
	})
}

// Samples calls fn for every sample of every written series: the labels with the metric's name, the
// value and the time stamp of the series' last sample in milliseconds.
func (e *Exporter) Samples(fn func(ls labels.Labels, t int64, v float64)) {
	b := labels.NewBuilder(labels.EmptyLabels())
	e.each(func(s *Series) {
		for _, f := range e.families {
			f.emit(s, func(v float64, extras ...extra) {
				if math.IsNaN(v) {
					return
				}
				b.Reset(s.Labels)
				b.Set(model.MetricNameLabel, f.name)
				for _, x := range extras {
					b.Set(x.name, x.value)
				}
				fn(b.Labels(), s.Time, v)
			})
		}
	})
}
