package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/baseline/peers"
)

// described says what each formula of baseline/peers stands for.
var described = map[string]string{
	"three-sigma": "mean and three standard deviations of the last day", "mad": "median and three robust deviations of the last day",
	"seasonal-naive": "the value of a week ago, three robust deviations", "holt-winters": "Holt-Winters of a day with Brutlag's band",
	"grafana-adaptive": "Grafana's PromQL rules, adaptive", "grafana-robust": "Grafana's PromQL rules, robust",
}

// comparison writes what the customary formulas reach on the same series, with the same scorer and threshold.
func (b *bench) comparison(ctx context.Context, page string) error {
	if b.scorer == "" {
		return fmt.Errorf("the comparison needs the scorer: set TIDEMARK_BENCH")
	}
	root, err := os.MkdirTemp("", "tidemark-peers-")
	if err != nil {
		return fmt.Errorf("folder for results: %w", err)
	}
	defer func() { _ = os.RemoveAll(root) }()
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for _, m := range peers.All() {
		g.Go(func() error { return backtest.RunPeer(running, b.data, filepath.Join(root, m.Name), m) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	ours, err := b.backtest(ctx, baseline.DefaultConfig())
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(ours) }()

	var t strings.Builder
	t.WriteString("# Detection beside customary formulas\n\nWritten by `go run ./internal/benchmarks/detect --peers`: every method scores the same labelled series, each sample from its past alone,\n" +
		"with its own customary settings and the threshold 1; the same scorer judges. Means over the sets " + strings.Join(labelled, ", ") + ".\n" +
		"R@1 is the recall at the threshold that would alarm once per series and week without cause: it forgives a badly chosen threshold.\n\n" +
		"| method | recall | false alarms per series-week | F1 | R@1 | R@0.2 |\n|---|---:|---:|---:|---:|---:|\n")
	row := func(name, dir string) error {
		r, err := b.score(ctx, dir, "--no-vus")
		if err != nil {
			return fmt.Errorf("score %s: %w", name, err)
		}
		fmt.Fprintf(&t, "| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", name,
			mean(r, func(x result) float64 { return x.Recall }), mean(r, func(x result) float64 { return x.FA }), mean(r, func(x result) float64 { return x.F1 }),
			mean(r, func(x result) float64 { return x.R1 }), mean(r, func(x result) float64 { return x.R02 }))
		return nil
	}
	if err := row("**Tidemark**", ours); err != nil {
		return err
	}
	for _, m := range peers.All() {
		if err := row(described[m.Name], filepath.Join(root, m.Name)); err != nil {
			return err
		}
	}
	fmt.Print(t.String())
	if err := os.WriteFile(page, []byte(t.String()), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
