// Command speed measures what a sample costs: learning, scoring, exporting, and the heap that a series
// takes. It writes docs/benchmarks-speed.json and docs/benchmarks-speed.md.
//
// Times are processor time of the whole process at GOMAXPROCS=1, taken as the least of many slices
// that alternate with a partner's in the same run, since a busy machine moves absolute times more
// than it moves such ratios. D is Prometheus' own chunk iterator (tsdb/chunkenc) on the same chunks.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

const command = "go run ./internal/benchmarks/speed"

// bench gathers the figures.
type bench struct {
	rounds  int
	million int
	d       float64
	list    []figures.Figure
	notes   []figures.Figure
}

func main() {
	out := flag.String("out", "docs", "Folder to write benchmarks-speed.md and .json to.")
	rounds := flag.Int("rounds", 101, "Slices of each part.")
	million := flag.Int("series", 1_000_000, "Series of the large fleet.")
	only := flag.String("only", "", "Measure this part alone (learn, score, export) and write nothing.")
	profile := flag.String("profile", "", "File to write a processor profile to, for pprof.")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "speed:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	b := &bench{rounds: *rounds, million: *million}
	if err := b.run(*only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(1)
	}
}

func (b *bench) run(only, out string) error {
	for _, p := range []struct {
		name string
		fn   func() error
	}{{"learn", b.learn}, {"export", b.export}, {"score", b.score}, {"split", b.split}} {
		if only != "" && only != p.name {
			continue
		}
		if err := p.fn(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	fmt.Print(b.markdown())
	if only != "" {
		return nil
	}
	if err := figures.Write(filepath.Join(out, "benchmarks-speed.json"), b.list); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "benchmarks-speed.md"), []byte(b.markdown()), 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// less files a figure of which less is better; partner is NaN where there is none.
func (b *bench) less(name string, value float64, unit string, partner, must, moonshot float64) {
	f := figures.Figure{Name: name, Value: value, Unit: unit, Must: &must, Moonshot: &moonshot, Command: command, LessIsBetter: true}
	if !math.IsNaN(partner) {
		f.Partner = &partner
	}
	b.list = append(b.list, f)
	fmt.Fprintf(os.Stderr, "%s: %.3g %s %s\n", name, value, unit, f.Verdict())
}

// note files a value that nothing was asked of.
func (b *bench) note(name string, value float64, unit string) {
	b.notes = append(b.notes, figures.Figure{Name: name, Value: value, Unit: unit})
	fmt.Fprintf(os.Stderr, "%s: %.3g %s\n", name, value, unit)
}

func (b *bench) markdown() string {
	var s strings.Builder
	fmt.Fprintf(&s, "# Speed and size\n\nWritten by `%s` on %s. Processor time at GOMAXPROCS=1, the least of %d slices that alternate with the partner's in the same run. "+
		"D is Prometheus' own chunk iterator on the same chunks.\n\n| figure | measured | asked | moonshot | |\n|---|---:|---:|---:|---|\n", command, figures.Machine(), b.rounds)
	for _, f := range b.list {
		fmt.Fprintf(&s, "| %s | %.3g %s | %.3g | %.3g | %s |\n", f.Name, f.Value, f.Unit, *f.Must, *f.Moonshot, f.Verdict())
	}
	s.WriteString("\n| part | measured |\n|---|---:|\n")
	for _, f := range b.notes {
		fmt.Fprintf(&s, "| %s | %.3g %s |\n", f.Name, f.Value, f.Unit)
	}
	return s.String()
}
