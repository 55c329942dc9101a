package backtest

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

// byFolder are the files of each folder, in the order of their names.
func byFolder(files []string) (out [][]int) {
	at := map[string]int{}
	for i, f := range files {
		dir := filepath.Dir(f)
		n, ok := at[dir]
		if !ok {
			n = len(out)
			at[dir], out = n, append(out, nil)
		}
		out[n] = append(out[n], i)
	}
	return out
}

// folder scores the files of a folder as siblings on one engine, tick by tick as a live process would: a row depends
// on earlier rows, on itself, and on the rows of the other files at the same time. Their rows are held in memory.
func (o *Options) folder(files []string, of []int, sum []SeriesSummary) error {
	engine, err := o.New()
	if err != nil {
		return err
	}
	const watch, shared = "backtest", "folder"
	ticks := engine.Ticks(watch)
	rows, scores := make([][]Row, len(of)), make([][]baseline.Score, len(of))
	place := map[*baseline.Series]int{}
	series, times, values := make([]*baseline.Series, len(of)), make([][]int64, len(of)), make([][]float64, len(of))
	var first []Row // of the file that begins first: there the history begins
	for n, i := range of {
		if rows[n], err = o.read(files[i]); err != nil {
			return fmt.Errorf("backtest %s: %w", files[i], err)
		}
		t, v := make([]int64, len(rows[n])), make([]float64, len(rows[n]))
		for k, r := range rows[n] {
			if t[k], v[k] = milli(r), r.Value; k > 0 && t[k] <= t[k-1] {
				return fmt.Errorf("backtest %s: row %d is not later than the one before; siblings need rows in order of time", files[i], k+2)
			}
		}
		s := engine.Add(watch, labels.FromStrings(model.MetricNameLabel, "backtest", shared, filepath.Dir(files[i]), "file", filepath.Base(files[i])), 0,
			baseline.SeriesOptions{GroupBy: []string{shared}, Window: o.Window})
		place[s] = n
		series[n], times[n], values[n] = s, t, v
		if len(rows[n]) > 0 && (len(first) == 0 || milli(rows[n][0]) < milli(first[0])) {
			first = rows[n]
		}
	}
	for n, s := range series {
		old := 0
		if len(first) > 0 {
			old = learn(s, rows[n], observeFrom(engine, first, o.History, true))
		}
		for _, r := range rows[n][:old] {
			scores[n] = append(scores[n], unscored(r))
		}
		ticks.Add(s, times[n][old:], values[n][old:])
	}
	ticks.Feed(math.MinInt64, func(s *baseline.Series, sc baseline.Score) {
		n := place[s]
		scores[n] = append(scores[n], sc)
	}, func(f baseline.Finding) {
		all := scores[place[f.Series]]
		all[len(all)-1] = f.Score
	})
	for n, i := range of {
		err := o.write(files[i], &sum[i], func(put func(Row, baseline.Score)) {
			for k, r := range rows[n] {
				put(r, scores[n][k])
			}
		})
		if err != nil {
			return fmt.Errorf("backtest %s: %w", files[i], err)
		}
	}
	return nil
}
