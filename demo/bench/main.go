// Command bench measures what Tidemark costs beside a real Prometheus, in processor time of both processes: the
// learning of four weeks from nothing, and the scoring of a fleet by reading and by remote write, against the
// recording rules that a user would write instead. It writes docs/benchmarks-prometheus-learn and -score, .json and .md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tidemark/tidemark/demo/stack"
)

// bench is one run.
type bench struct {
	root, bin, tools, dir string
	cold, live            int           // Series.
	phase, settle         time.Duration // Of each way of scoring.
}

func main() {
	b := &bench{root: ".."}
	out := flag.String("out", "../docs", "Folder to write the figures and their pages to.")
	flag.StringVar(&b.bin, "bin", "../bin", "Folder of tidemark.")
	flag.IntVar(&b.cold, "cold", 10_000, "Series whose four weeks are learned; 0 leaves that part out.")
	flag.IntVar(&b.live, "live", 2000, "Series that are scored; 0 leaves that part out.")
	flag.DurationVar(&b.phase, "phase", 4*time.Minute, "How long each way of scoring is measured.")
	flag.DurationVar(&b.settle, "settle", time.Minute, "How long each way runs before.")
	flag.Parse()
	if err := b.run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(out string) (err error) {
	ctx := context.Background()
	for _, p := range []*string{&b.root, &b.bin} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	if b.tools, err = stack.Tools(ctx, b.root); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "tidemark-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	how := b.machine(ctx)
	if b.cold > 0 {
		r := &report{}
		if err := b.learnCold(ctx, r); err != nil {
			return fmt.Errorf("cold start: %w", err)
		}
		if err := r.write(out, "prometheus-learn", "Learning beside a real Prometheus",
			fmt.Sprintf("%s Learned are %d series over 28 days at 1 minute, from nothing.", how, b.cold)); err != nil {
			return err
		}
	}
	if b.live > 0 {
		r := &report{}
		if err := b.scoreLive(ctx, r); err != nil {
			return fmt.Errorf("live: %w", err)
		}
		return r.write(out, "prometheus-score", "Scoring beside a real Prometheus",
			fmt.Sprintf("%s Scored are %d series, scraped each 15 s, each minute, over a history of 8 days. Each way ran for %s after %s to settle, and what "+
				"Prometheus used for scraping alone in the same run is taken off. The rules are `demo/bench/rules.go`.", how, b.live, b.phase, b.settle))
	}
	return nil
}

// machine says what it was measured on.
func (b *bench) machine(ctx context.Context) string {
	version, _ := exec.CommandContext(ctx, filepath.Join(b.tools, "prometheus"), "--version").CombinedOutput()
	return fmt.Sprintf("Written by `%s` (%d CPUs, %s). Processor time of the processes from /proc, on one machine with everything else that ran.",
		command, runtime.NumCPU(), firstWords(string(version)))
}
