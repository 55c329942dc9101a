package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
)

func hours(cfg baseline.Config) float64 { return time.Duration(cfg.Budget.Window).Hours() }

// forecasts compares the forecast a day ahead with the value of a day ago.
func (b *bench) forecasts(ctx context.Context) error {
	for _, set := range []string{"calm", "mscloud"} {
		files, err := filepath.Glob(filepath.Join(b.data, set, "*.csv"))
		if err != nil {
			return err
		}
		var inside, n, mase, series float64
		for _, p := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			rows, err := readFile(p)
			if err != nil {
				return err
			}
			var x forecastError
			if err := measureForecast(rows, &x); err != nil {
				return err
			}
			if x.n == 0 {
				continue
			}
			mase += x.mase()
			series++
			inside += x.inside
			n += x.n
		}
		b.add("forecast 24 h ahead, "+set+": error over that of yesterday's value", mase/series, "ratio", "1", "< .85", "< .8")
		b.add("forecast 24 h ahead, "+set+": coverage of the 90 % interval", inside/n, "", "", ".87 to .93", "")
	}
	return nil
}

func readFile(path string) ([]backtest.Row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return backtest.Read(f)
}
