// Command scale runs the sidecar over a large fleet on two processors: it learns four weeks at five
// minutes, scores, is stopped and started again. It writes docs/benchmarks-scale.json and .md.
//
// The history comes from a stand-in for Prometheus that serves made-up chunks by the protocol of remote
// read; everything else is the sidecar itself, a process of its own (see source).
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
)

const command = "make bench-scale"

type bench struct {
	series  int
	observe string
	skim    string
	steps   int
	list    []figures.Figure
}

func main() {
	b := &bench{}
	out := flag.String("out", "docs", "Folder to write benchmarks-scale.md and .json to; empty: print only.")
	binary := flag.String("binary", "bin/tidemark", "The sidecar.")
	flag.IntVar(&b.series, "series", 1_000_000, "Series of the fleet.")
	flag.StringVar(&b.observe, "observe", "", "baseline.observe, for example 7d; empty: as shipped.")
	flag.StringVar(&b.skim, "skim", "", "baseline.skim, for example 0s; empty: as shipped.")
	flag.IntVar(&b.steps, "steps", 4, "Steps to score.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, *binary, *out); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, binary, out string) (err error) {
	dir, err := os.MkdirTemp("", "tidemark-scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	src, err := newSource(b.series, time.Now())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: src, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // Ends with Close.
	defer func() { _ = server.Close() }()
	if err := b.configure(dir, "http://"+listener.Addr().String()); err != nil {
		return err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	if err := b.measure(ctx, binary, dir, addr); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "tidemark.log")) // The end of the log says why.
		return fmt.Errorf("%w; the log ends with:\n%s", err, text[max(0, len(text)-3000):])
	}
	fmt.Print(b.markdown())
	if out == "" {
		return nil
	}
	if err := figures.Write(filepath.Join(out, "benchmarks-scale.json"), b.list); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "benchmarks-scale.md"), []byte(b.markdown()), 0o644)
}

func (b *bench) configure(dir, url string) error {
	var c strings.Builder
	fmt.Fprintf(&c, "prometheus:\n  url: %s\nalertmanagers: []\nbaseline:\n  history: 28d\n  interval: 5m\n", url)
	if b.observe != "" {
		fmt.Fprintf(&c, "  observe: %s\n", b.observe)
	}
	if b.skim != "" {
		fmt.Fprintf(&c, "  skim: %s\n", b.skim)
	}
	fmt.Fprintf(&c, "limits:\n  max_series: %d\nwatches:\n", b.series+1000)
	for k := range fleet.Metrics {
		fmt.Fprintf(&c, "  - name: w%02d\n    expr: '%s'\n    interval: 5m\n", k, fleet.Metric(k))
	}
	return os.WriteFile(filepath.Join(dir, "tidemark.yml"), []byte(c.String()), 0o644)
}

// measure learns, scores one step, and starts again.
func (b *bench) measure(ctx context.Context, binary, dir, addr string) error {
	n := float64(b.series)
	begin := time.Now()
	p, err := start(ctx, binary, dir, addr)
	if err != nil {
		return err
	}
	if err := p.await(ctx, "tidemark_series", n); err != nil {
		return errors.Join(err, p.stop())
	}
	if err := p.await(ctx, "tidemark_learning_ratio", 1); err != nil {
		return errors.Join(err, p.stop())
	}
	ready := time.Since(begin)
	learned, err := p.cpu()
	if err != nil {
		return errors.Join(err, p.stop())
	}
	b.add("minutes to ready", ready.Minutes(), "min", math.NaN(), math.NaN())
	b.add("processor time to learn", learned, "core-s", math.NaN(), math.NaN())
	if paused, ok := p.metric(ctx, "tidemark_prometheus_learning_paused_seconds_total"); ok {
		b.add("time for which learning left Prometheus alone", paused, "s", math.NaN(), math.NaN())
	}

	if err := b.score(ctx, p); err != nil {
		return errors.Join(err, p.stop())
	}
	list, err := p.get(ctx, "/api/v1/series?limit=200")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	b.add("a page of the list of series", list.Seconds()*1000, "ms", math.NaN(), math.NaN())
	search, err := p.get(ctx, "/api/v1/series?limit=200&q=team-07+checkout-service-107")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	b.add("a search in the list of series", search.Seconds()*1000, "ms", math.NaN(), math.NaN())
	rss, err := p.status("VmRSS")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	most, err := p.status("VmHWM")
	if err != nil {
		return errors.Join(err, p.stop())
	}
	if live, ok := p.metric(ctx, "go_memstats_heap_alloc_bytes"); ok {
		b.add("heap in use per series, between two collections", live/n, "bytes", math.NaN(), math.NaN())
	}
	b.add("resident memory", rss/(1<<20), "MiB", 2048, 1024)
	b.add("resident memory, most", most/(1<<20), "MiB", math.NaN(), math.NaN())

	begin = time.Now()
	if err := p.stop(); err != nil {
		return err
	}
	b.add("time to stop, baselines saved", time.Since(begin).Seconds(), "s", math.NaN(), math.NaN())
	if info, err := os.Stat(filepath.Join(dir, "data", "baselines.bin")); err == nil {
		b.add("saved state per series, labels included", float64(info.Size())/n, "bytes", math.NaN(), math.NaN())
	}
	begin = time.Now()
	if p, err = start(ctx, binary, dir, addr); err != nil {
		return err
	}
	if err := p.await(ctx, "tidemark_series", n); err != nil {
		return errors.Join(err, p.stop())
	}
	if err := p.await(ctx, "tidemark_learning_ratio", 1); err != nil {
		return errors.Join(err, p.stop())
	}
	b.add("restart: loaded, the gap caught up, scoring", time.Since(begin).Seconds(), "s", 60, math.NaN())
	return p.stop()
}

// score measures steps, each from just before it is due until it is scored: those of a slot of the day, so that one of
// them ends it.
func (b *bench) score(ctx context.Context, p *process) error {
	var all, most, longest float64
	for range b.steps {
		next := time.Now().Truncate(step).Add(step)
		if err := sleep(ctx, time.Until(next.Add(-2*time.Second))); err != nil {
			return err
		}
		scored, _ := p.metric(ctx, "tidemark_samples_scored_total")
		before, err := p.cpu()
		if err != nil {
			return err
		}
		if err := p.await(ctx, "tidemark_samples_scored_total", scored+float64(b.series)); err != nil {
			return err
		}
		longest = max(longest, time.Since(next).Seconds())
		if err := sleep(ctx, 3*time.Second); err != nil {
			return err
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "the step at %s: %.3g core-s\n", next.UTC().Format("15:04"), after-before)
		all, most = all+after-before, max(most, after-before)
	}
	mean := all / float64(b.steps)
	b.add(fmt.Sprintf("processor time of a step, all series read and scored, mean of %d", b.steps), mean, "core-s", math.NaN(), math.NaN())
	b.add("processor time of a step, the dearest", most, "core-s", math.NaN(), math.NaN())
	b.add("share of a core when a step is scored each minute", mean/60, "core", math.NaN(), 0.05)
	b.add("time until a step was scored, the longest", longest, "s", math.NaN(), math.NaN())
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// add files a figure; NaN is no goal.
func (b *bench) add(name string, value float64, unit string, must, moonshot float64) {
	f := figures.Figure{Name: fmt.Sprintf("%d series, 28 days at 5 minutes: %s", b.series, name), Value: value, Unit: unit, Command: command, LessIsBetter: true}
	if b.series < 1_000_000 { // The goals are those of a million.
		must, moonshot = math.NaN(), math.NaN()
	}
	if !math.IsNaN(must) {
		f.Must = &must
	}
	if !math.IsNaN(moonshot) {
		f.Moonshot = &moonshot
	}
	b.list = append(b.list, f)
	fmt.Fprintf(os.Stderr, "%s: %.3g %s %s\n", name, value, unit, f.Verdict())
}

func (b *bench) markdown() string {
	var s strings.Builder
	few := ""
	if b.series < 1_000_000 {
		few = "Asked is a million series: of fewer nothing is judged."
	}
	observe := "as shipped"
	if b.observe != "" || b.skim != "" {
		observe = fmt.Sprintf("`baseline.observe: %s` and `baseline.skim: %s`", cmp.Or(b.observe, "as shipped"), cmp.Or(b.skim, "as shipped"))
	}
	fmt.Fprintf(&s, "# A large fleet\n\nWritten by `%s` on %s, with %s. The sidecar is a process of its own; the chunks come by remote read from a stand-in for Prometheus on the same machine, "+
		"which serves made-up values (whole chunks of 120 samples, as Prometheus streams them, of %d patterns in whole numbers; the labels are each series' own), and uses the processors too. "+
		"Live samples are read, not sent. %s\n\n| figure | measured | asked | moonshot | |\n|---|---:|---:|---:|---|\n", command, figures.Machine(), observe, patterns, few)
	for _, f := range b.list {
		goal := func(x *float64) string {
			if x == nil {
				return ""
			}
			return fmt.Sprintf("%g", *x)
		}
		fmt.Fprintf(&s, "| %s | %.3g %s | %s | %s | %s |\n", f.Name, f.Value, f.Unit, goal(f.Must), goal(f.Moonshot), f.Verdict())
	}
	return s.String()
}
