package main

import (
	"context"
	"math"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// distances are those at which forecasts are judged.
var distances = [...]time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

const dayAhead = 2 // in distances

// forecastError is the error of our forecasts at one distance on one series, over that of the value at the
// same time of the last day that is known (the seasonal-naive forecast): a relative mean absolute error,
// and the share of values inside the 90 % interval. Forecasts are made with what was known at the
// time, once an hour, from the tenth day on.
type forecastError struct {
	ours, naive, now float64 // sums of absolute errors; now: of the value of the moment
	inside, n        float64
}

// promise is a forecast that is due.
type promise struct {
	at          int64
	made        baseline.Forecast
	naive, last float64
}

func (f *forecastError) add(p promise, v float64) {
	f.ours += math.Abs(v - p.made.Expected)
	f.naive += math.Abs(v - p.naive)
	f.now += math.Abs(v - p.last)
	if v >= p.made.Lower && v <= p.made.Upper {
		f.inside++
	}
	f.n++
}

func measureForecast(rows []backtest.Row, p tuning.Params) (out [len(distances)]forecastError, err error) {
	e, err := baseline.NewTuned(baseline.DefaultConfig(), p, nil)
	if err != nil {
		return out, err
	}
	const day = 24 * time.Hour
	var open [len(distances)][]promise
	past := map[int64]float64{} // value by time in milliseconds, for the naive forecast
	s := e.Add("bench", labels.EmptyLabels(), 0, baseline.SeriesOptions{})
	var first, hour int64
	for _, r := range rows {
		t := int64(r.Time * 1000)
		if first == 0 {
			first = t
		}
		for i := range open {
			for len(open[i]) > 0 && open[i][0].at <= t {
				p := open[i][0]
				open[i] = open[i][1:]
				if p.at == t && !math.IsNaN(p.naive) && !math.IsNaN(p.made.Expected) {
					out[i].add(p, r.Value)
				}
			}
		}
		s.Observe(t, r.Value)
		past[t] = r.Value
		if h := t / 3600e3; h != hour && t-first > 9*day.Milliseconds() {
			hour = h
			for i, d := range distances {
				at := t + d.Milliseconds()
				naive, ok := past[at-max(day, d).Milliseconds()]
				if !ok {
					naive = math.NaN()
				}
				open[i] = append(open[i], promise{at, s.Forecast(d), naive, r.Value})
			}
		}
	}
	return out, nil
}

// foretold are the forecasts of all sets with one set of constants: by set, the mean over its series of the
// relative error at each distance, and the share of all values inside the interval.
type foretold struct {
	name string
	of   map[string][len(distances)]setError
}

// setError is the mean over the series of a set.
type setError struct{ error, overNow, coverage, series, n float64 }

// series of a set that forecasts are judged on, read once.
type history struct {
	set, name string
	rows      []backtest.Row
}

var forecastSets = []string{"calm", "mscloud", "nab", "smd", "asd", "kpi", "web"}

func (b *bench) histories(sets ...string) (out []history, err error) {
	for _, set := range sets {
		files, err := filepath.Glob(filepath.Join(b.data, set, "*.csv"))
		if err != nil {
			return nil, err
		}
		for _, p := range files {
			rows, err := readFile(p)
			if err != nil {
				return nil, err
			}
			out = append(out, history{set, filepath.Base(p), rows})
		}
	}
	return out, nil
}

func foretell(ctx context.Context, all []history, name string, p tuning.Params) (foretold, error) {
	each := make([][len(distances)]forecastError, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for i, h := range all {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			each[i], err = measureForecast(h.rows, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return foretold{}, err
	}
	f := foretold{name, map[string][len(distances)]setError{}}
	for i, h := range all {
		sum := f.of[h.set]
		for k, x := range each[i] {
			if x.n == 0 || x.naive == 0 {
				continue
			}
			sum[k].series++
			sum[k].n += x.n
			sum[k].coverage += x.inside
			sum[k].error += x.ours / x.naive
			sum[k].overNow += x.ours / max(x.now, 1e-9*x.ours)
		}
		f.of[h.set] = sum
	}
	for set, sum := range f.of {
		for k := range sum {
			sum[k].coverage /= sum[k].n
			sum[k].error /= sum[k].series
			sum[k].overNow /= sum[k].series
		}
		f.of[set] = sum
	}
	return f, nil
}
