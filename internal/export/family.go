package export

// extra is a label that a family adds to the series' own.
type extra struct{ name, value string }

// family is one metric family and how to read its samples off a row. These are functions without state
// instead of closures over the writer, so that a gauge allocates nothing.
type family struct {
	name, help string
	count      func(r *row) int
	value      func(p *page, r *row, i int) float64
	extra      func(p *page, r *row, i int) [2]extra // those with a name
}

func one(*row) int { return 1 }

func noExtra(*page, *row, int) [2]extra { return [2]extra{} }

func gauge(name, help string, value func(*row) float64) family {
	return family{name, help, one, func(_ *page, r *row, _ int) float64 { return value(r) }, noExtra}
}

func forecast(name, help string, value func(*Forecast) float64) family {
	return family{
		name, help,
		func(r *row) int { return r.forecasts.len() },
		func(p *page, r *row, i int) float64 { return value(&p.forecasts[r.forecasts.from+i]) },
		func(p *page, r *row, i int) [2]extra {
			return [2]extra{{"horizon", p.forecasts[r.forecasts.from+i].Horizon}}
		},
	}
}

func limit(name, help string, value func(*Limit) float64) family {
	return family{
		name, help,
		func(r *row) int { return r.limits.len() },
		func(p *page, r *row, i int) float64 { return value(&p.limits[r.limits.from+i]) },
		func(p *page, r *row, i int) [2]extra { return [2]extra{{"limit", p.limits[r.limits.from+i].Name}} },
	}
}

// families are the metrics of a watched series, in the order of the page.
var families = []family{
	gauge("tidemark_observed", "Last value of the watched series.", func(r *row) float64 { return r.observed }),
	gauge("tidemark_expected", "Value that the learned baseline expected of the last sample.", func(r *row) float64 { return r.expected }),
	gauge("tidemark_lower", "Lower edge of the learned band.", func(r *row) float64 { return r.lower }),
	gauge("tidemark_upper", "Upper edge of the learned band.", func(r *row) float64 { return r.upper }),
	gauge("tidemark_anomaly_score", "How far the series is from normal: 1 is the edge of what the false-alarm budget allows, 2 twice as far.", func(r *row) float64 { return r.score }),
	gauge("tidemark_anomaly_alarm_score", "The anomaly score with one alarm per episode: falls back under 1 after the alarm unless the evidence grows.", func(r *row) float64 { return r.alarm }),
	{
		"tidemark_anomaly_active", "1 while an anomaly of this kind lasts.",
		func(r *row) int { return r.active.len() },
		func(*page, *row, int) float64 { return 1 },
		func(p *page, r *row, i int) [2]extra {
			a := &p.active[r.active.from+i]
			return [2]extra{{"kind", a.Kind}, {"detector", a.Detector}}
		},
	},
	gauge("tidemark_false_alarm_budget_ratio", "Observed rate of alarms over the rate that the budget allows.", func(r *row) float64 { return r.budgetRatio }),
	forecast("tidemark_forecast", "Expected value one horizon ahead of now.", func(f *Forecast) float64 { return f.Expected }),
	forecast("tidemark_forecast_lower", "Lower edge of the forecast's 90 % interval.", func(f *Forecast) float64 { return f.Lower }),
	forecast("tidemark_forecast_upper", "Upper edge of the forecast's 90 % interval.", func(f *Forecast) float64 { return f.Upper }),
	limit("tidemark_limit_seconds", "Seconds until the forecast crosses the declared limit, which the label names; 0 beyond it, absent when it does not within 30 days.", func(l *Limit) float64 { return l.Seconds }),
	limit("tidemark_limit_seconds_lower", "Earliest plausible crossing of the declared limit, in seconds.", func(l *Limit) float64 { return l.Lower }),
	limit("tidemark_limit_seconds_upper", "Latest plausible crossing of the declared limit, in seconds.", func(l *Limit) float64 { return l.Upper }),
}

// vmanomaly are the same values under the names that vmanomaly writes; the watch's name stands in
// the label `for`.
var vmanomaly = []family{
	forName("anomaly_score", "Anomaly score, vmanomaly's name.", func(r *row) float64 { return r.score }),
	forName("y", "Observed value, vmanomaly's name.", func(r *row) float64 { return r.observed }),
	forName("yhat", "Expected value, vmanomaly's name.", func(r *row) float64 { return r.expected }),
	forName("yhat_lower", "Lower edge of the band, vmanomaly's name.", func(r *row) float64 { return r.lower }),
	forName("yhat_upper", "Upper edge of the band, vmanomaly's name.", func(r *row) float64 { return r.upper }),
}

func forName(name, help string, value func(*row) float64) family {
	f := gauge(name, help, value)
	f.extra = func(_ *page, r *row, _ int) [2]extra { return [2]extra{{"for", r.watch}} }
	return f
}

// aggregate is a family of whole watches. These are always written, so that a fleet of which no series is worth
// gauges of its own can be seen.
type aggregate struct {
	name, help string
	value      func(w *watchSum) float64
}

func perWatch(name, help string, value func(w *watchSum) float64) aggregate {
	return aggregate{name, help, value}
}

var aggregates = []aggregate{
	perWatch("tidemark_watch_series", "Series of the watch.", func(w *watchSum) float64 { return float64(w.series) }),
	perWatch("tidemark_watch_anomalous_series", "Series of the watch that are anomalous now.", func(w *watchSum) float64 { return float64(w.anomalous) }),
	perWatch("tidemark_watch_anomaly_score_max", "Largest anomaly score of any series of the watch.", func(w *watchSum) float64 { return w.most }),
	perWatch("tidemark_watch_anomaly_score_avg", "Mean anomaly score of the series of the watch.", func(w *watchSum) float64 { return w.sum / max(1, float64(w.scored)) }),
}
