package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/baseline/peers"
	"github.com/tidemark/tidemark/internal/progress"
)

// backtestCommand scores recorded series as the live process would have.
func backtestCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("backtest", "Score recorded series as the live process would have: every row with what was known before it.")
	var o backtest.Options
	var config, page, history string
	var summary, withPeers bool
	cmd.Flag("in", "Folder with CSV files of the columns timestamp (unix seconds) and value.").Required().ExistingDirVar(&o.In)
	cmd.Flag("out", "Folder for the results, one file per input file.").Required().StringVar(&o.Out)
	cmd.Flag("config", "Configuration file; its section baseline is used.").StringVar(&config)
	cmd.Flag("window", "How far each value looks back: the range of the rate that made them, as 5m. Rows whose window reaches over a hole are not scored.").Default("0s").DurationVar(&o.Window)
	cmd.Flag("history", "Begin each file with so much history, learned as a live process learns what it finds at its start: all but its end is skimmed (baseline.observe) and has no scores.").Default("0s").StringVar(&history)
	cmd.Flag("siblings", "Compare the files of each folder with each other, as a watch with group_by does.").BoolVar(&o.Siblings)
	cmd.Flag("workers", "Files scored at the same time. The results do not depend on it.").Default(fmt.Sprint(runtime.GOMAXPROCS(0))).IntVar(&o.Workers)
	cmd.Flag("summary", "Print the rate of alarms and the longest anomalies.").BoolVar(&summary)
	cmd.Flag("html", "Also write a page with a band chart of every series.").StringVar(&page)
	cmd.Flag("peers", "Write ours to OUT/tidemark, and beside it what the customary formulas say.").BoolVar(&withPeers)
	return map[string]runFunc{cmd.FullCommand(): func(ctx context.Context, s streams) error {
		var err error
		if o.Config, err = baselineConfig(config); err != nil {
			return err
		}
		past, err := model.ParseDuration(history)
		if err != nil {
			return fmt.Errorf("--history is %q; it must be a duration such as 28d: %w", history, err)
		}
		o.History = time.Duration(past)
		if withPeers {
			if err := runPeers(ctx, o); err != nil {
				return err
			}
			o.Out = filepath.Join(o.Out, "tidemark")
		}
		bar := progress.New(s.err, "Backtesting")
		o.Progress = bar.Of
		sum, err := backtest.Run(ctx, o)
		bar.Done()
		if err != nil {
			return err
		}
		if page != "" {
			if err := writePage(page, sum); err != nil {
				return err
			}
		}
		if summary {
			return sum.Print(s.out)
		}
		return nil
	}}
}

func runPeers(ctx context.Context, o backtest.Options) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, o.Workers))
	for _, m := range peers.All() {
		g.Go(func() error { return backtest.RunPeer(ctx, o.In, filepath.Join(o.Out, m.Name), m) })
	}
	return g.Wait()
}

func writePage(path string, sum *backtest.Summary) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return sum.WriteHTML(f)
}

// baselineConfig is the section baseline of a configuration file, or the defaults.
func baselineConfig(file string) (baseline.Config, error) {
	sections := struct {
		Baseline baseline.Config `yaml:"baseline"`
	}{Baseline: baseline.DefaultConfig()}
	if file == "" {
		return sections.Baseline, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return sections.Baseline, fmt.Errorf("read configuration: %w", err)
	}
	if err := yaml.Unmarshal(b, &sections); err != nil {
		return sections.Baseline, fmt.Errorf("read configuration %s: %w", file, err)
	}
	return sections.Baseline, nil
}
