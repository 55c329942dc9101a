package stack

import (
	"context"
	"net/url"
)

// ScoredPoint is a Point with its raw score.
type ScoredPoint struct {
	Point
	Score *float64
}

// ScoredPoints are the latest samples of a watch's only series, oldest first.
func (t *Tidemark) ScoredPoints(ctx context.Context, watch string) ([]ScoredPoint, error) {
	all, err := t.SeriesPoints(ctx, watch)
	if err != nil {
		return nil, err
	}
	var out []ScoredPoint
	for _, points := range all {
		out = append(out, points...)
	}
	return out, nil
}

// SeriesPoints are the latest samples of every series of a watch, by the series' labels.
func (t *Tidemark) SeriesPoints(ctx context.Context, watch string) (map[string][]ScoredPoint, error) {
	var rows []struct{ Labels string }
	if err := t.get(ctx, "/api/v1/series?watch="+url.QueryEscape(watch), &rows); err != nil {
		return nil, err
	}
	out := map[string][]ScoredPoint{}
	for _, r := range rows {
		q := url.Values{"watch": {watch}, "labels": {r.Labels}}
		var points []ScoredPoint
		if err := t.get(ctx, "/api/v1/series/points?"+q.Encode(), &points); err != nil {
			return nil, err
		}
		out[r.Labels] = points
	}
	return out, nil
}

// SeriesRow is one watched series with its last score; Time is unix milliseconds.
type SeriesRow struct {
	Watch, Labels string
	Time          int64 `json:"time_ms"`
	Value, Upper  *float64
	Active        bool
}

// Series are all watched series.
func (t *Tidemark) Series(ctx context.Context) ([]SeriesRow, error) {
	var rows []SeriesRow
	return rows, t.get(ctx, "/api/v1/series?limit=10000", &rows)
}
