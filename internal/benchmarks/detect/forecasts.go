package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/baseline/tuning"
)

func hours(cfg baseline.Config) float64 { return time.Duration(cfg.Budget.Window).Hours() }

// forecasts compares the forecast a day ahead with the value of a day ago.
func (b *bench) forecasts(ctx context.Context) error {
	all, err := b.histories("calm", "mscloud")
	if err != nil {
		return err
	}
	f, err := foretell(ctx, all, "as shipped", tuning.Default())
	if err != nil {
		return err
	}
	for _, set := range []string{"calm", "mscloud"} {
		x := f.of[set][dayAhead]
		b.add("forecast 24 h ahead, "+set+": error over that of yesterday's value", x.error, "ratio", "1", "< .85", "< .8")
		b.add("forecast 24 h ahead, "+set+": coverage of the 90 % interval", x.coverage, "", "", ".87 to .93", "")
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

// guess is a change to the constants of forecasts.
type guess struct {
	name   string
	change func(*tuning.Forecasts)
}

// guesses leave one expert out, or move one constant.
var guesses = func() (out []guess) {
	for i, name := range []string{"profile and level", "profile and a fading residual", "profile and the residual of now", "the median of the last day", "the median of the last days at that time", "the last day at that time"} {
		out = append(out, guess{"without " + name, func(f *tuning.Forecasts) { f.Trust[i] = 0 }})
	}
	for _, c := range []struct {
		name string
		of   func(*tuning.Forecasts) *float64
	}{
		{"SlowHours", func(f *tuning.Forecasts) *float64 { return &f.SlowHours }},
		{"Fade", func(f *tuning.Forecasts) *float64 { return &f.Fade }},
		{"Clip", func(f *tuning.Forecasts) *float64 { return &f.Clip }},
		{"Power", func(f *tuning.Forecasts) *float64 { return &f.Power }},
		{"Long", func(f *tuning.Forecasts) *float64 { return &f.Long }},
		{"Short", func(f *tuning.Forecasts) *float64 { return &f.Short }},
		{"Floor", func(f *tuning.Forecasts) *float64 { return &f.Floor }},
	} {
		for _, by := range []float64{0.5, 0.8, 1.25, 1.6} {
			out = append(out, guess{fmt.Sprintf("%s x %g", c.name, by), func(f *tuning.Forecasts) { *c.of(f) *= by }})
		}
	}
	return out
}()

// worth is what constants of forecasts are chosen by: the geometric mean over sets of the error a day ahead.
func (f foretold) worth(sets []string) float64 {
	sum := 0.0
	for _, s := range sets {
		sum += math.Log(f.of[s][dayAhead].error)
	}
	return math.Exp(sum / float64(len(sets)))
}

func least(all []foretold, sets []string) foretold {
	return slices.MinFunc(all, func(a, b foretold) int {
		switch x, y := a.worth(sets), b.worth(sets); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}

// foretelling writes the page of forecasts and times to a limit.
func (b *bench) foretelling(ctx context.Context, doc string) error {
	histories, err := b.histories(forecastSets...)
	if err != nil {
		return err
	}
	var all []foretold
	for _, g := range append([]guess{{name: "as shipped"}}, guesses...) {
		p := tuning.Default()
		if g.change != nil {
			g.change(&p.Forecasts)
		}
		f, err := foretell(ctx, histories, g.name, p)
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "# Forecasts and times to a limit, measured\n\nWritten by `%s --forecasts`: shipped defaults, causal, one forecast an hour from the tenth day of each series on. How they are made: [detection.md](detection.md).\n", command)
	s.WriteString("\n## Set by set\n\nThe error is the mean absolute error over that of the value at the same time of the last day that is known (seasonal-naive; an hour and six hours ahead, in brackets, over that of the value of the moment), mean over the series; then the share of values inside the 90 % interval.\n\n")
	s.WriteString("| set | series | 1 h | inside | 6 h | inside | 24 h | inside | 7 d | inside |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, set := range forecastSets {
		x := all[0].of[set]
		fmt.Fprintf(&s, "| %s | %.0f |", set, x[dayAhead].series)
		for k := range distances {
			fmt.Fprintf(&s, " %.3f", x[k].error)
			if k < dayAhead {
				fmt.Fprintf(&s, " (%.3f)", x[k].overNow)
			}
			fmt.Fprintf(&s, " | %.3f |", x[k].coverage)
		}
		s.WriteString("\n")
	}
	s.WriteString(hindsight(histories))
	disks, err := shapes(ctx)
	if err != nil {
		return err
	}
	s.WriteString(disks)
	real, err := realFills(histories)
	if err != nil {
		return err
	}
	s.WriteString(real)
	s.WriteString("\n## Each expert and each constant of forecasts\n\nError a day ahead, by set; the last column is their geometric mean, by which constants were chosen.\n\n| change |")
	for _, set := range forecastSets {
		fmt.Fprintf(&s, " %s |", set)
	}
	s.WriteString(" all |\n|---|" + strings.Repeat("---:|", len(forecastSets)+1) + "\n")
	for _, f := range all {
		fmt.Fprintf(&s, "| %s |", f.name)
		for _, set := range forecastSets {
			fmt.Fprintf(&s, " %.3f |", f.of[set][dayAhead].error)
		}
		fmt.Fprintf(&s, " %.4f |\n", f.worth(forecastSets))
	}
	everywhere := least(all, forecastSets)
	fmt.Fprintf(&s, "\n### Leaving one set out\n\nOf the %d rows above, the best on six sets, judged on the seventh; beside it the shipped constants, and the row that is best on all seven (%s).\n\n| set left out | chosen on the others | error | shipped | best on all seven |\n|---|---|---:|---:|---:|\n", len(all), everywhere.name)
	var sum [3]float64
	for _, set := range forecastSets {
		chosen := least(all, slices.DeleteFunc(slices.Clone(forecastSets), func(x string) bool { return x == set }))
		fmt.Fprintf(&s, "| %s | %s |", set, chosen.name)
		for i, f := range []foretold{chosen, all[0], everywhere} {
			x := f.of[set][dayAhead].error
			sum[i] += math.Log(x) / float64(len(forecastSets))
			fmt.Fprintf(&s, " %.3f |", x)
		}
		s.WriteString("\n")
	}
	fmt.Fprintf(&s, "| **geometric mean** | | **%.3f** | **%.3f** | **%.3f** |\n", math.Exp(sum[0]), math.Exp(sum[1]), math.Exp(sum[2]))
	return os.WriteFile(doc, []byte(s.String()), 0o644)
}
