package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/alecthomas/kingpin/v2"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
)

// backtestCommand scores recorded series as the live process would have.
func backtestCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("backtest", "Score recorded series as the live process would have: every row with what was known before it.")
	var o backtest.Options
	var config string
	var summary bool
	cmd.Flag("in", "Folder with CSV files of the columns timestamp (unix seconds) and value.").Required().ExistingDirVar(&o.In)
	cmd.Flag("out", "Folder for the results, one file per input file.").Required().StringVar(&o.Out)
	cmd.Flag("config", "Configuration file; its section baseline is used.").StringVar(&config)
	cmd.Flag("workers", "Files scored at the same time. The results do not depend on it.").Default(fmt.Sprint(runtime.GOMAXPROCS(0))).IntVar(&o.Workers)
	cmd.Flag("summary", "Print the rate of alarms and the longest anomalies.").BoolVar(&summary)
	return map[string]runFunc{cmd.FullCommand(): func(ctx context.Context, s streams) error {
		var err error
		if o.Config, err = baselineConfig(config); err != nil {
			return err
		}
		sum, err := backtest.Run(ctx, o)
		if err != nil || !summary {
			return err
		}
		return sum.Print(s.out)
	}}
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
