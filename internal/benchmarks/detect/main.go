// Command detect regenerates docs/benchmarks-detect.md: what the shipped defaults of the baselines
// reach on public labelled series, beside what was asked and the best anchor.
//
// It reads the data from the folder in TIDEMARK_DATA (see docs/detection.md for its layout) and
// runs the scorer in the folder TIDEMARK_BENCH; without the scorer the figures that need labels are
// left out.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
)

// figure is one row of the table.
type figure struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit"`
	Partner  *float64 `json:"partner"` // the best anchor
	Must     *float64 `json:"must"`
	Moonshot *float64 `json:"moonshot"`
	Command  string   `json:"command"`

	partner, must, moonshot string // as the page shows them
}

// number is the first number in a text such as ">= .60", nil when there is none.
func number(s string) *float64 {
	for _, f := range strings.Fields(s) {
		if x, err := strconv.ParseFloat(strings.TrimRight(f, "x"), 64); err == nil {
			return &x
		}
	}
	return nil
}

const command = "go run ./internal/benchmarks/detect"

func main() {
	doc := flag.String("out", "docs/benchmarks-detect.md", "Markdown file to write.")
	list := flag.Bool("json", false, "Print the figures as JSON in place of Markdown.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *doc, *list); err != nil {
		fmt.Fprintln(os.Stderr, "detect:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, doc string, list bool) error {
	data := os.Getenv("TIDEMARK_DATA")
	if data == "" {
		return fmt.Errorf("set TIDEMARK_DATA to the folder that holds anomaly/")
	}
	b := &bench{data: data + "/anomaly", scorer: os.Getenv("TIDEMARK_BENCH")}
	for _, part := range []func(context.Context) error{b.scores, b.budgets, b.forecasts, b.limits, b.holidays, b.cost} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if err := os.WriteFile(doc, []byte(b.markdown()), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	if !list {
		fmt.Print(b.markdown())
		return nil
	}
	text, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	return nil
}
