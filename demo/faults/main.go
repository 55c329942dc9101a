// Command faults plays every fault of the demo several times and writes docs/benchmarks-demo.md: what came
// of each, right or wrong. It plays on when a fault ends badly, and ends with 1 then.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark/tidemark/demo/play"
	"github.com/tidemark/tidemark/demo/shop"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := flag.String("root", "..", "Folder of the repository, with bin/ and examples/.")
	out := flag.String("out", "../docs/benchmarks-demo.md", "Page to write.")
	runs := flag.Int("runs", 3, "How often each fault is played.")
	only := flag.String("faults", "", "Names of faults, parted by commas; all when empty.")
	flag.Parse()
	if err := run(ctx, *root, *out, *only, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// played is one fault, once.
type played struct {
	fault shop.Fault
	play.Outcome
	err error
}

func run(ctx context.Context, root, out, only string, runs int) error {
	var faults []shop.Fault
	for _, f := range shop.Faults {
		if only == "" || slices.Contains(strings.Split(only, ","), f.Name) {
			faults = append(faults, f)
		}
	}
	if len(faults) == 0 {
		_, err := shop.FaultByName(only)
		return err
	}
	var all []played
	var failed []error
	// Round by round, so that what changes on the machine meets every fault alike.
	for n := range runs {
		for _, f := range faults {
			fmt.Fprintf(os.Stderr, "\n=== %s, run %d of %d\n", f.Name, n+1, runs)
			o, err := play.Run(ctx, play.Options{Fault: f, Out: os.Stderr, Root: root, History: 28 * 24 * time.Hour})
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s, run %d: %w", f.Name, n+1, err))
			}
			all = append(all, played{f, o, err})
		}
	}
	var s strings.Builder
	write(&s, faults, all)
	return errors.Join(append(failed, os.WriteFile(filepath.Clean(out), []byte(s.String()), 0o644))...)
}

// write renders the page: a line per fault, then one per run.
func write(w io.Writer, faults []shop.Fault, all []played) {
	fmt.Fprintf(w, "# The demo's faults\n\nWritten by `make bench-demo` on %d CPUs (%s): each fault is played on the demo's whole shop with a real Prometheus and "+
		"Alertmanager, as `make demo FAULT=name` plays it, and judged by the same table. \"Kept\" counts the runs in which every row of that table was ok.\n\n",
		runtime.NumCPU(), runtime.Version())
	fmt.Fprint(w, "| fault | true cause | kept | one incident | cause right | first page right | first alert → first page, median (most) |\n|---|---|---:|---:|---:|---:|---:|\n")
	for _, f := range faults {
		var runs []played
		for _, p := range all {
			if p.fault.Name == f.Name {
				runs = append(runs, p)
			}
		}
		count := func(ok func(played) bool) string {
			n := 0
			for _, p := range runs {
				if ok(p) {
					n++
				}
			}
			return fmt.Sprintf("%d of %d", n, len(runs))
		}
		page, wait := "no static alert", "–"
		if f.Static {
			page = count(func(p played) bool { return p.PageRight })
			waits := make([]time.Duration, 0, len(runs))
			for _, p := range runs {
				if p.Wait > 0 {
					waits = append(waits, p.Wait)
				}
			}
			if slices.Sort(waits); len(waits) > 0 {
				wait = fmt.Sprintf("%.1f s (%.1f s)", waits[(len(waits)-1)/2].Seconds(), waits[len(waits)-1].Seconds())
			}
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Name, f.Cause, count(func(p played) bool { return p.err == nil }),
			count(func(p played) bool { return p.Incidents == 1 }), count(func(p played) bool { return p.CauseRight }), page, wait)
	}
	fmt.Fprint(w, "\nEach run:\n\n| fault | alerts → incidents | cause, confidence | first page | after | learned | memory | whole |\n|---|---:|---|---|---:|---:|---:|---:|\n")
	for _, p := range all {
		page, wait := "–", "–"
		if p.fault.Static {
			page = named(p.PageCause) + mark(p.PageRight)
		}
		if p.Wait > 0 {
			wait = fmt.Sprintf("%.1f s", p.Wait.Seconds())
		}
		fmt.Fprintf(w, "| %s | %d → %d | %s %.2f%s | %s | %s | %d series, %.0f s | %d MB | %s |\n", p.fault.Name, p.Alerts, p.Incidents,
			named(p.Cause), p.Confidence, mark(p.CauseRight), page, wait, p.Series, p.Learned.Seconds(), p.RSS>>20, p.Whole.Round(time.Second))
	}
}

func named(cause string) string {
	if cause == "" {
		return "no clear cause"
	}
	return cause
}

func mark(right bool) string {
	if right {
		return ""
	}
	return " (wrong)"
}
