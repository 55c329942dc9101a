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
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/demo/stack"
)

// bench is one run.
type bench struct {
	root, bin, tools, dir string
	cold                  int           // Series whose history is learned.
	live                  []int         // Series that are scored, of each fleet.
	noRules               bool          // Leaves the rules out.
	phase, settle         time.Duration // Of each way of scoring.
}

func main() {
	b := &bench{root: ".."}
	out := flag.String("out", "../docs", "Folder to write the figures and their pages to.")
	flag.StringVar(&b.bin, "bin", "../bin", "Folder of tidemark.")
	flag.IntVar(&b.cold, "cold", 10_000, "Series whose four weeks are learned; 0 leaves that part out.")
	sizes := flag.String("live", "2000,10000", "Series that are scored, of each fleet; empty leaves that part out.")
	flag.BoolVar(&b.noRules, "no-rules", false, "Leave the rules out: for a quick look, without ratios.")
	flag.DurationVar(&b.phase, "phase", longInterval, "How long each way of scoring is measured: a multiple of the five minutes at which some rules are evaluated.")
	flag.DurationVar(&b.settle, "settle", time.Minute, "How long each way runs before.")
	flag.Parse()
	for _, size := range strings.FieldsFunc(*sizes, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "bench: -live: %q: want numbers of series, as in 2000,10000\n", size)
			os.Exit(2)
		}
		b.live = append(b.live, n)
	}
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
	if len(b.live) > 0 {
		r := &report{}
		if err := b.scoreLive(ctx, r); err != nil {
			return fmt.Errorf("live: %w", err)
		}
		return r.write(out, "prometheus-score", "Scoring beside a real Prometheus",
			fmt.Sprintf("%s Scored are fleets of %v series, scraped each 15 s, each minute, over a history of 8 days. Each way ran for %s after %s to settle, and what "+
				"Prometheus used for scraping alone in the same run is taken off.\n\n"+steady, how, b.live, b.phase, b.settle))
	}
	return nil
}

// steady says in what state the rules are measured.
const steady = "The rules are those of grafana/promql-anomaly-detection, adaptive and robust, as `demo/bench/rules.go` writes them anew. They are measured as " +
	"they are for a user after the first eight days: what they recorded and look back on (eight days of the selected input, 26 hours of deviations, a day of " +
	"distances from the median) is in Prometheus' blocks, the groups of five minutes are evaluated as often as those of a minute in the same time allow, " +
	"and the alerts on the bands are evaluated too. A fifth of the series is restless enough for the adaptive rules' filter. They are measured over the series of the first " +
	"fleet, beside a Prometheus of their own with the same data and in the same run; the other fleets are compared with the same cost per series."

// machine says what it was measured on.
func (b *bench) machine(ctx context.Context) string {
	version, _ := exec.CommandContext(ctx, filepath.Join(b.tools, "prometheus"), "--version").CombinedOutput()
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("Written by `%s` (%d CPUs, %s). Processor time of the processes from /proc, on one machine with everything else that ran: its load average was %s when it began.",
		command, runtime.NumCPU(), firstWords(string(version)), strings.Join(strings.Fields(string(load) + " - - -")[:3], ", "))
}
