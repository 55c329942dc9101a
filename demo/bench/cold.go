package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

const (
	minute = time.Minute
	day    = 24 * time.Hour
	month  = 28 * day
)

func firstWords(s string) string {
	fields := strings.Fields(s)
	return strings.Join(fields[:min(3, len(fields))], " ")
}

// servers makes the servers of one part; nothing runs yet.
func (b *bench) servers(name string, tidemark func(map[string]any), flags ...string) (*stack.Bare, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return stack.NewBare(stack.BareOptions{
		Root: b.root, Bin: b.bin, Tools: b.tools, Dir: dir, Flags: flags,
		EditPrometheus: func(c map[string]any) {
			delete(c, "alerting")
			delete(c, "scrape_configs")
			c["global"] = map[string]any{"scrape_interval": "15s", "evaluation_interval": "1m"}
		},
		EditTidemark: func(c map[string]any) {
			delete(c, "alertmanagers")
			c["discover"] = map[string]any{"rules": false, "presets": []string{}}
			c["watches"] = []any{map[string]any{"name": "load", "expr": level, "interval": "1m"}}
			tidemark(c)
		},
	})
}

// used is the processor time of a process since the moment before.
type used struct {
	p    *stack.Process
	last time.Duration
}

func (u *used) since() (time.Duration, error) {
	now, err := u.p.CPU()
	d := now - u.last
	u.last = now
	return d, err
}

// learnCold measures the learning of four weeks from nothing, and a range query over the same data.
func (b *bench) learnCold(ctx context.Context, r *report) (err error) {
	s, err := b.servers("cold", func(c map[string]any) { c["baseline"] = map[string]any{"history": "28d"} })
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	end := time.Now().Truncate(minute)
	stats, err := history.Write(ctx, s.Prometheus.DataDir(), newFleet(b.cold, end), history.Options{From: end.Add(-month), To: end, Step: minute, Block: 7 * day})
	if err != nil {
		return err
	}
	r.note("the history: %d series, %d million samples, %.2f bytes a sample", stats.Series, stats.Samples/1e6, float64(stats.Bytes)/float64(stats.Samples))
	if err := start(ctx, s.Prometheus); err != nil {
		return err
	}
	prom := &used{p: s.Prometheus.Process}
	if _, err := prom.since(); err != nil {
		return err
	}
	points := 0
	for i := range 100 {
		rows, err := s.Prometheus.QueryRange(ctx, fmt.Sprintf("%s{pod=%q}", level, labelsOf(i)["pod"]), end.Add(-month), end, 5*minute)
		if err != nil {
			return err
		}
		points += len(rows)
	}
	query, err := prom.since()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := start(ctx, s.Tidemark); err != nil {
		return err
	}
	took := time.Since(began)
	learn, err := prom.since()
	if err != nil {
		return err
	}
	ours, err := s.Tidemark.CPU()
	if err != nil {
		return err
	}
	perPoint, perSample := float64(query.Nanoseconds())/float64(points), float64(learn.Nanoseconds())/float64(stats.Samples)
	r.note("query_range at 5 min costs Prometheus %.0f ns a point (%d points of 100 series); the learning costs it %.1f ns a sample", perPoint, points, perSample)
	r.note("learned after %s; Tidemark used %.1f s of processor time, Prometheus %.1f s; %.0f MiB resident", took.Round(time.Second), ours.Seconds(), learn.Seconds(), float64(s.Tidemark.RSS())/(1<<20))
	r.less("Prometheus' processor time per sample learned, against query_range at 5 min", perSample/perPoint, "ratio", 1, 1.0/20, 1.0/100)
	r.less(fmt.Sprintf("cold start: %d series x 28 d x 1 min, both processes", b.cold), (ours + learn).Seconds(), "core-s", 0, 60, 10)
	return nil
}

// learnPatience is how long the learning may take.
const learnPatience = 30 * time.Minute

func start(ctx context.Context, s interface {
	Start() error
	WaitReady(context.Context) error
},
) error {
	ctx, cancel := context.WithTimeout(ctx, learnPatience)
	defer cancel()
	if err := s.Start(); err != nil {
		return err
	}
	return s.WaitReady(ctx)
}
