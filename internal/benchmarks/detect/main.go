// Command detect regenerates docs/benchmarks-detect.md and .json: what the shipped defaults of the baselines
// reach on public labelled series, beside what was asked and the best anchor.
//
// It reads the data from the folder in TIDEMARK_DATA (see docs/detection.md for its layout) and
// runs the scorer in the folder TIDEMARK_BENCH; without the scorer the figures that need labels are
// left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

// figure is one row of the table.
type figure struct {
	figures.Figure
	partner, must, moonshot string // as the page shows them
}

// number is the first number in a text such as ">= .60", nil when there is none.
func number(s string) *float64 {
	for _, f := range strings.Fields(s) {
		if x, err := strconv.ParseFloat(f, 64); err == nil {
			return &x
		}
	}
	return nil
}

// goals turns the texts of the page into numbers; of a range, the upper end.
func goals(partner, must, moonshot string) (p, m, s *float64, less bool) {
	upper := func(text string) *float64 {
		if _, high, ok := strings.Cut(text, " to "); ok {
			less = true
			return number(high)
		}
		less = less || strings.HasPrefix(text, "<")
		return number(text)
	}
	return number(partner), upper(must), upper(moonshot), less
}

const command = "go run ./internal/benchmarks/detect"

func main() {
	doc := flag.String("out", "docs/benchmarks-detect.md", "Markdown file to write.")
	beside := flag.Bool("peers", false, "Write docs/benchmarks-peers.md instead: customary formulas on the same series.")
	apart := flag.Bool("ablation", false, "Write docs/benchmarks-detect-ablation.md instead: what each detector and each part is worth.")
	ahead := flag.Bool("forecasts", false, "Write docs/benchmarks-forecast.md instead: forecasts and times to a limit, set by set, and what each constant is worth.")
	old := flag.Bool("history", false, "Measure only what skimming history costs, and write nothing.")
	named := flag.Bool("kinds", false, "Write docs/benchmarks-kinds.md instead: what kind is named of generated anomalies. Needs no data.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *named {
		if err := kinds(ctx, "docs/benchmarks-kinds.md"); err != nil {
			fmt.Fprintln(os.Stderr, "detect:", err)
			os.Exit(1)
		}
		return
	}
	if *old {
		b := &bench{data: os.Getenv("TIDEMARK_DATA") + "/anomaly", scorer: os.Getenv("TIDEMARK_BENCH")}
		if err := b.filed(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "detect:", err)
			os.Exit(1)
		}
		fmt.Print(b.markdown())
		return
	}
	if err := run(ctx, *doc, *beside, *apart, *ahead); err != nil {
		fmt.Fprintln(os.Stderr, "detect:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, doc string, beside, apart, ahead bool) error {
	data := os.Getenv("TIDEMARK_DATA")
	if data == "" {
		return fmt.Errorf("set TIDEMARK_DATA to the folder that holds anomaly/")
	}
	if apart {
		return ablation(ctx, data+"/anomaly", "docs/benchmarks-detect-ablation.md")
	}
	b := &bench{data: data + "/anomaly", scorer: os.Getenv("TIDEMARK_BENCH")}
	if beside {
		return b.comparison(ctx, "docs/benchmarks-peers.md")
	}
	if ahead {
		return b.foretelling(ctx, "docs/benchmarks-forecast.md")
	}
	for _, part := range []func(context.Context) error{b.scores, b.budgets, b.forecasts, b.limits, b.holidays, b.filed, b.cost} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if err := os.WriteFile(doc, []byte(b.markdown()), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	fmt.Print(b.markdown())
	list := make([]figures.Figure, len(b.figures))
	for i, f := range b.figures {
		list[i] = f.Figure
	}
	return figures.Write(strings.TrimSuffix(doc, ".md")+".json", list)
}
