// Package scoring judges causal anomaly scores against labelled series: by labelled windows and
// alarms a week, by the volume under the precision-recall surface, and by the NAB score. It is the
// Go twin of the Python scorer in the folder TIDEMARK_BENCH (the benchmark compares the two), so
// that many configurations can be judged in one process.
package scoring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/tidemark/tidemark/baseline/backtest"
)

// Window is a labelled stretch of time in unix seconds, both ends in it.
type Window [2]float64

// Series is a labelled series. Rows and windows in ignored stretches and before the start of
// scoring are left out of all figures.
type Series struct {
	Name  string
	Rows  []backtest.Row
	Step  float64  // seconds
	Weeks float64  // of scored, unlabelled time
	Kinds []string // of each window, where the set says so

	all     []Window // every labelled window
	windows []Window // those that are scored
	keep    []int    // rows that are scored
	times   []float64
	label   []bool // of each scored row
	period  func() int
}

// Set is a folder of labelled series.
type Set struct {
	Name   string
	Series []*Series
}

// Load reads the sets under dir: <set>/<series>.csv with labels.json, meta.json and, where there
// are any, ignore.json and kinds.json.
func Load(dir string, names ...string) ([]Set, error) {
	var sets []Set
	for _, name := range names {
		s, err := load(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("load the set %s: %w", name, err)
		}
		s.Name = name
		sets = append(sets, s)
	}
	return sets, nil
}

func load(dir string) (Set, error) {
	var labels, ignore map[string][]Window
	var kinds map[string][]string
	var meta map[string]struct {
		EvalFrom float64 `json:"eval_from"`
		Step     float64 `json:"step"`
	}
	for name, v := range map[string]any{"labels.json": &labels, "meta.json": &meta, "ignore.json": &ignore, "kinds.json": &kinds} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && (name == "ignore.json" || name == "kinds.json") {
			continue
		}
		if err != nil {
			return Set{}, err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return Set{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	var set Set
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		f, err := os.Open(filepath.Join(dir, name+".csv"))
		if err != nil {
			return Set{}, err
		}
		rows, err := backtest.Read(f)
		_ = f.Close()
		if err != nil {
			return Set{}, fmt.Errorf("read %s: %w", name, err)
		}
		m := meta[name]
		set.Series = append(set.Series, newSeries(name, rows, max(1, m.Step), m.EvalFrom, labels[name], ignore[name], kinds[name]))
	}
	return set, nil
}

func newSeries(name string, rows []backtest.Row, step, from float64, labels, ignore []Window, kinds []string) *Series {
	s := &Series{Name: name, Rows: rows, Step: step, Kinds: kinds, all: labels}
	if len(rows) == 0 {
		return s
	}
	span := rows[len(rows)-1].Time - from
	for _, w := range labels {
		if w[1] >= from {
			w[0] = max(w[0], from)
			s.windows = append(s.windows, w)
			span -= w[1] - w[0] + step
		}
	}
	for _, w := range ignore {
		if w[1] >= from {
			span -= max(0, w[1]-max(w[0], from)+step)
		}
	}
	s.Weeks = max(0, span/604800)
	var values []float64
	for i, r := range rows {
		if r.Time < from || within(ignore, r.Time) {
			continue
		}
		s.keep = append(s.keep, i)
		s.times = append(s.times, r.Time)
		s.label = append(s.label, within(labels, r.Time))
		values = append(values, r.Value)
	}
	s.period = sync.OnceValue(func() int { return period(values) })
	return s
}

func within(list []Window, t float64) bool {
	for _, w := range list {
		if t >= w[0] && t <= w[1] {
			return true
		}
	}
	return false
}

// Scores are one score per row of each series of a set, in their order.
type Scores [][]float64

// Written is the score as a backtest writes it to a file.
func Written(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 7, 64), 64)
	if err != nil {
		return 1e300
	}
	return min(y, 1e300)
}
