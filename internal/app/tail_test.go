package app

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// stored is a sample that is in Prometheus from a time on.
type stored struct {
	at, from int64
	v        float64
}

// storage is a Prometheus of stored samples, by series.
type storage struct {
	client *promread.Client
	now    *time.Time
	series map[string][]stored
	names  []string
	widths []time.Duration // Of each read.
}

func (p *storage) labels(name string) labels.Labels {
	return labels.FromStrings("__name__", "x", "job", "j", "pod", name)
}

// window are the samples of a series within [from, to] that have come by now.
func (p *storage) window(name string, from, to int64) (t []int64, v []float64) {
	for _, s := range p.series[name] {
		if s.at >= from && s.at <= to && s.from <= p.now.UnixMilli() {
			t, v = append(t, s.at), append(v, s.v)
		}
	}
	return t, v
}

func (p *storage) Live(expr string) (*promread.Live, bool) { return p.client.Live(expr) }

func (p *storage) Read(_ context.Context, _ []*labels.Matcher, from, to int64, fn func(promread.Series) error) error {
	p.widths = append(p.widths, time.Duration(to-from+1)*time.Millisecond)
	for _, name := range p.names {
		if t, v := p.window(name, from, to); len(t) > 0 {
			if err := fn(promread.Series{Labels: p.labels(name), T: t, V: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Range reads the whole window of each step.
func (p *storage) Range(_ context.Context, expr string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	live, _ := p.client.Live(expr)
	for _, name := range p.names {
		var ts []int64
		var vs []float64
		for at := from.Truncate(step); !at.After(to); at = at.Add(step) {
			t, v := p.window(name, at.UnixMilli()-live.Window+1, at.UnixMilli())
			if x, ok := live.At(at.UnixMilli(), t, v); ok {
				ts, vs = append(ts, at.UnixMilli()), append(vs, x)
			}
		}
		if len(ts) > 0 {
			if err := fn(live.Labels(p.labels(name)), ts, vs); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestATailGivesTheScoresOfWholeWindows(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0).Truncate(time.Minute)
	const steps = 30
	type scrape struct {
		pod int
		at  time.Duration // Since begin.
	}
	usual := func(s scrape) stored {
		at := begin.Add(s.at).UnixMilli()
		return stored{at, at, float64(at/15_000*7%100 + at/1000 + int64(s.pod))}
	}
	stale := math.Float64frombits(value.StaleNaN)
	within := func(s scrape, pod int, from, to time.Duration) bool { return s.pod == pod && s.at > from && s.at <= to }
	for _, tc := range []struct {
		name  string
		of    func(s scrape, x *stored) bool // False: the scrape fails.
		wide  int                            // How many reads are of whole windows: the first one is.
		every time.Duration
	}{
		{name: "regular scrapes", of: func(scrape, *stored) bool { return true }, wide: 1},
		{name: "a scrape that fails", of: func(s scrape, _ *stored) bool { return !within(s, 1, 10*time.Minute, 10*time.Minute+15*time.Second) }, wide: 1},
		{name: "a hole of three minutes", of: func(s scrape, _ *stored) bool { return !within(s, 1, 10*time.Minute, 13*time.Minute) }, wide: 9},
		{name: "no scrapes for ten minutes", of: func(s scrape, _ *stored) bool { return s.at < 10*time.Minute || s.at > 20*time.Minute }, wide: 10},
		{name: "a slow scrape", of: func(s scrape, x *stored) bool {
			if within(s, 1, 10*time.Minute-time.Second, 10*time.Minute) {
				x.from += 9000
			}
			return true
		}, wide: 1},
		{name: "what was sent late after an outage", of: func(s scrape, x *stored) bool {
			if s.at > 10*time.Minute && s.at < 13*time.Minute {
				x.from = begin.Add(13 * time.Minute).UnixMilli()
			}
			return true
		}, wide: 8},
		{name: "a series that says that it ended", of: func(s scrape, x *stored) bool {
			if within(s, 1, 10*time.Minute, 10*time.Minute+15*time.Second) {
				x.v = stale
			}
			return !within(s, 1, 10*time.Minute+15*time.Second, time.Hour)
		}, wide: 1},
		{name: "a series that is gone without a word", of: func(s scrape, _ *stored) bool { return !within(s, 1, 10*time.Minute, time.Hour) }, wide: 10},
		{name: "a series that comes", of: func(s scrape, _ *stored) bool { return !within(s, 1, -time.Hour, 10*time.Minute) }, wide: 1},
		{name: "scrapes each minute", of: func(scrape, *stored) bool { return true }, wide: 1, every: time.Minute},
		{name: "scrapes each two minutes", of: func(scrape, *stored) bool { return true }, wide: 1, every: 2 * time.Minute},
		{name: "samples that come in pairs are read whole in the end", of: func(s scrape, _ *stored) bool { return (int(s.at/(15*time.Second))+800)%8 < 2 }, wide: 12},
	} {
		for _, w := range []rules.Watch{{Expr: `x`}, {Expr: `rate(x[5m])`}, {Expr: `irate(x[5m])`}, {Expr: `rate(x[5m])`, GroupBy: []string{"job"}}} {
			w.Name, w.Interval = "x", model.Duration(time.Minute)
			t.Run(fmt.Sprint(tc.name, ", ", w.Expr, " ", w.GroupBy), func(t *testing.T) {
				cfg := promread.DefaultConfig()
				cfg.URL = &commoncfg.URL{URL: &url.URL{Scheme: "http", Host: "localhost:1"}}
				client, err := promread.New(cfg, promslog.NewNopLogger(), prometheus.NewRegistry())
				require.NoError(t, err)
				now := begin
				p := &storage{client: client, now: &now, series: map[string][]stored{}}
				for pod := range 6 {
					name := fmt.Sprint("p", pod)
					p.names = append(p.names, name)
					every := max(tc.every, 15*time.Second)
					for at := -time.Hour + time.Duration(pod)*4*time.Second; at < steps*time.Minute; at += every {
						s := scrape{pod, at}
						if x := usual(s); tc.of(s, &x) {
							p.series[name] = append(p.series[name], x)
						}
					}
				}
				run := func(raw rawReader) (out [][]string) {
					now = begin.Add(ingestDelay)
					engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
					require.NoError(t, err)
					clock := func() time.Time { return now }
					reg := prometheus.NewRegistry()
					s := newScorer(promslog.NewNopLogger(), reg, p, engine, 30*time.Minute, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
						clock, newStages(clock, reg), func(time.Time, *entry) {})
					s.raw = raw
					require.NoError(t, s.update(t.Context()))
					require.NoError(t, s.learn(t.Context(), s.watches[0]))
					for range steps {
						now = now.Add(time.Minute)
						require.NoError(t, s.score(t.Context(), s.watches[0]))
					}
					for _, e := range s.inOrder(s.watches[0]) {
						var points []string
						for _, x := range e.recentPoints() {
							points = append(points, fmt.Sprintf("%+v", x))
						}
						out = append(out, append([]string{e.series.Labels().String()}, points...))
					}
					return out
				}
				whole := run(nil)
				require.Empty(t, p.widths)
				require.Equal(t, whole, run(p))
				wide := 0
				for _, d := range p.widths {
					if d > 75*time.Second {
						wide++
					}
				}
				require.Equal(t, tc.wide, wide, "whole windows: %v", p.widths)
			})
		}
	}
}
