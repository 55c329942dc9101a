package main

import (
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
)

// forecastError is the error of our forecasts a day ahead on one series, over that of the value a
// day before (the seasonal-naive forecast): a mean absolute scaled error, and the share of values
// inside the 90 % interval. Forecasts are made with what was known at the time, once an hour, from
// the tenth day on.
type forecastError struct {
	ours, naive float64 // sums of absolute errors
	inside, n   float64
}

func (f *forecastError) mase() float64 { return f.ours / f.naive }
func measureForecast(rows []backtest.Row, f *forecastError) error {
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	if err != nil {
		return err
	}
	const day = 24 * time.Hour
	type promise struct {
		at int64
		baseline.Forecast
	}
	var open []promise
	past := map[int64]float64{} // value by time in milliseconds, for the naive forecast
	s := e.Add("bench", labels.EmptyLabels(), 0, baseline.SeriesOptions{})
	var first, hour int64
	for _, r := range rows {
		t := int64(r.Time * 1000)
		if first == 0 {
			first = t
		}
		for len(open) > 0 && open[0].at <= t {
			p := open[0]
			open = open[1:]
			was, ok := past[t-day.Milliseconds()]
			if p.at != t || !ok || math.IsNaN(p.Expected) {
				continue
			}
			f.ours += math.Abs(r.Value - p.Expected)
			f.naive += math.Abs(r.Value - was)
			if r.Value >= p.Lower && r.Value <= p.Upper {
				f.inside++
			}
			f.n++
		}
		s.Observe(t, r.Value)
		past[t] = r.Value
		if h := t / 3600e3; h != hour && t-first > 9*day.Milliseconds() {
			hour = h
			open = append(open, promise{t + day.Milliseconds(), s.Forecast(day)})
		}
	}
	return nil
}
