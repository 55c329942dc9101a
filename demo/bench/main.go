// Command bench measures what Tidemark costs beside a real Prometheus, in processor time of both processes: the
// learning of four weeks from nothing, and the scoring of a fleet by reading and by remote write, against the
// recording rules that a user would write instead. It writes docs/benchmarks-prometheus.json and .md.
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
	cold, live            int           // series
	phase, settle         time.Duration // of each way of scoring
	report
}

func main() {
	b := &bench{root: ".."}
	out := flag.String("out", "../docs", "Folder to write benchmarks-prometheus.json and .md to.")
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
	if b.cold > 0 {
		if err := b.learnCold(ctx); err != nil {
			return fmt.Errorf("cold start: %w", err)
		}
	}
	if b.live > 0 {
		if err := b.scoreLive(ctx); err != nil {
			return fmt.Errorf("live: %w", err)
		}
	}
	if b.cold == 0 || b.live == 0 {
		return nil // Half a run writes nothing.
	}
	return b.write(out, b.how(ctx))
}

// how says what was done on what.
func (b *bench) how(ctx context.Context) string {
	version, _ := exec.CommandContext(ctx, filepath.Join(b.tools, "prometheus"), "--version").CombinedOutput()
	first := string(version)
	if len(first) > 60 {
		first = first[:60]
	}
	return fmt.Sprintf("Written by `%s` (%d CPUs, %s). Processor time of the processes from /proc, on one machine with everything else. "+
		"The learning is of %d series over 28 days at 1 minute. The scoring is of %d series scraped each 15 s and scored each minute, over a history of 8 days; each way ran for %s after %s to settle, "+
		"and what Prometheus used for scraping alone in the same run is taken off. The rules are `demo/bench/rules.go`.",
		command, runtime.NumCPU(), firstWords(first), b.cold, b.live, b.phase, b.settle)
}
