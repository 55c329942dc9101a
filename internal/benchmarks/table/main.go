// Command table gathers the figures of all benchmarks (docs/benchmarks-*.json) into
// docs/benchmarks.json and renders docs/benchmarks.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

// part is one benchmark: the figures it writes, under the name in its files.
type part struct{ name, title, target string }

// parts is the order of the page. A new benchmark is a command that writes its figures, and a row here.
var parts = []part{
	{"detect", "Detection, forecasts, limits", "bench-detect"},
	{"speed", "Speed and size", "bench-speed"},
	{"scale", "A large fleet", "bench-scale"},
	{"prometheus-learn", "Learning beside a real Prometheus", "bench-prometheus"},
	{"prometheus-score", "Scoring beside a real Prometheus", "bench-prometheus"},
	{"cause", "Causes and confidence", "bench-cause"},
	{"storms", "Grouping of alert storms", "bench-storms"},
	{"topology", "Topology from metrics", "bench-topology"},
	{"logs", "Log templates", "bench-logs"},
}

const intro = "# Figures\n\n" +
	"Rendered by `go run ./internal/benchmarks/table` from what the benchmarks wrote; [benchmarks.json](benchmarks.json) holds the same. " +
	"Every figure is written by the command of its part, next to what was asked, a stretch (moonshot), and the best published or measured anchor (partner). " +
	"The pages of the parts say on what machine and data.\n\n" +
	"The accuracy figures need labelled data that is not part of the project (public sets: Numenta Anomaly Benchmark, Microsoft's cloud monitoring set, SMD, ASD, AIOps KPI; " +
	"PetShop, Nezha; alert storms; loghub) in the folder that `TIDEMARK_DATA` names, and its scorers in `TIDEMARK_BENCH`. `make bench` runs all parts but the million series.\n"

func main() {
	docs := flag.String("docs", "docs", "Folder of the documents.")
	flag.Parse()
	if err := run(*docs); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(docs string) error {
	var all []figures.Figure
	page := []byte(intro)
	for _, p := range parts {
		name := filepath.Join(docs, "benchmarks-"+p.name+".json")
		if _, err := os.Stat(name); os.IsNotExist(err) {
			continue
		}
		list, err := figures.Read(name)
		if err != nil {
			return err
		}
		all = append(all, list...)
		page = fmt.Appendf(page, "\n## %s\n\n`make %s`; [more](benchmarks-%s.md).\n\n| figure | measured | partner | asked | moonshot | |\n|---|---:|---:|---:|---:|---|\n", p.title, p.target, p.name)
		for _, f := range list {
			page = append(page, row(f)...)
		}
	}
	if err := figures.Write(filepath.Join(docs, "benchmarks.json"), all); err != nil {
		return err
	}
	missed := slices.DeleteFunc(all, func(f figures.Figure) bool { return f.Must == nil || f.Reached(f.Must) })
	page = fmt.Appendf(page, "\n## Missed\n\n%d figures are not what was asked:\n\n", len(missed))
	for _, f := range missed {
		page = fmt.Appendf(page, "- %s: %s, asked %s\n", f.Name, value(&f.Value, f.Unit), value(f.Must, f.Unit))
	}
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), page, 0o644); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func row(f figures.Figure) string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", f.Name, value(&f.Value, f.Unit), value(f.Partner, ""), value(f.Must, ""), value(f.Moonshot, ""), f.Verdict())
}

func value(x *float64, unit string) string {
	if x == nil {
		return ""
	}
	text := fmt.Sprintf("%.3g", *x)
	if a := *x; a >= 1000 {
		text = fmt.Sprintf("%.0f", a)
	}
	return strings.TrimSpace(text + " " + unit)
}
