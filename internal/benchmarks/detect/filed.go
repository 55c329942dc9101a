package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
)

// observed are the values of the option baseline.observe that are measured: what is shipped, and a week.
var observed = [...]model.Duration{baseline.DefaultConfig().Observe, model.Duration(7 * 24 * time.Hour)}

// skimmedAtLeast is how much of a history must be left to be skimmed for a series to count.
const skimmedAtLeast = 72 * time.Hour

// filed measures what the option baseline.observe costs, by which only the end of the history is observed: the
// second half of every series is scored after a first half that was observed whole, and again after one of
// which all but the end was skimmed, of as much of it as a live process reads. Series whose first half is hardly longer than that are left out of both.
func (b *bench) filed(ctx context.Context) error {
	if b.scorer == "" {
		return nil
	}
	for _, d := range observed {
		least := time.Duration(d) + skimmedAtLeast
		var r [2]map[string]result
		series := 0
		for i, keep := range [...]model.Duration{0, d} {
			dir, err := os.MkdirTemp("", "tidemark-filed-")
			if err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(dir) }()
			if series, err = b.halves(ctx, dir, keep, least); err != nil {
				return err
			}
			if r[i], err = b.score(ctx, dir); err != nil {
				return err
			}
		}
		share := func(f func(result) float64) float64 { return mean(r[1], f) / mean(r[0], f) }
		name := func(what string) string {
			return fmt.Sprintf("baseline.observe: %s (%d series): %s, over that of observing all", d, series, what)
		}
		b.add(name("recall at 1.0"), share(func(x result) float64 { return x.Recall }), "ratio", "1", ">= .99", "1")
		b.add(name("false alarms"), share(func(x result) float64 { return x.FA }), "ratio", "1", "<= 1.01", "1")
		b.add(name("F1 at 1.0"), share(func(x result) float64 { return x.F1 }), "ratio", "1", ">= .99", "1")
		b.add(name("recall at <= 1 false alarm a week"), share(func(x result) float64 { return x.R1 }), "ratio", "1", ">= .99", "1")
	}
	return nil
}

// halves writes the scores of every second half, and says of how many series.
func (b *bench) halves(ctx context.Context, dir string, keep model.Duration, least time.Duration) (int, error) {
	files, err := backtest.Files(b.data)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, rel := range files {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		used, err := b.half(filepath.Join(b.data, rel), filepath.Join(dir, rel), keep, least)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", rel, err)
		}
		if used {
			n++
		}
	}
	return n, nil
}

func (b *bench) half(in, out string, keep model.Duration, least time.Duration) (used bool, err error) {
	f, err := os.Open(in)
	if err != nil {
		return false, err
	}
	defer f.Close()
	rows, err := backtest.Read(f)
	if err != nil {
		return false, err
	}
	cfg := baseline.DefaultConfig()
	cfg.Observe = keep
	e, err := baseline.NewEngine(cfg, nil)
	if err != nil {
		return false, err
	}
	cut := len(rows) / 2
	t, v := make([]int64, len(rows)), make([]float64, len(rows))
	for i, r := range rows {
		t[i], v[i] = int64(math.Round(r.Time*1000)), r.Value
	}
	step := time.Duration(t[1]-t[0]) * time.Millisecond
	used = time.Duration(t[cut]-t[0])*time.Millisecond > least
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return false, err
	}
	o, err := os.Create(out)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	w := bufio.NewWriter(o)
	_, _ = w.WriteString(backtest.Header) // the error stays in w
	s := e.Add("w", labels.FromStrings("i", "0"), step, baseline.SeriesOptions{})
	begin := sort.Search(cut, func(i int) bool { return t[i] >= t[cut]-time.Duration(cfg.History).Milliseconds() })
	s.Learn(t[begin:cut], v[begin:cut], e.ObserveFrom(time.UnixMilli(t[cut]), false), nil)
	var buf []byte
	for i, r := range rows {
		sc := baseline.Score{}
		if i >= cut && used {
			sc = s.Observe(t[i], v[i])
		}
		buf = backtest.Append(buf[:0], r, sc)
		_, _ = w.Write(buf)
	}
	return used, w.Flush()
}
