package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

type bench struct {
	data, scorer string
	figures      []figure
	tables       []string
}

func (b *bench) add(name string, value float64, unit, partner, must, moonshot string) {
	f := figure{Figure: figures.Figure{Name: name, Value: value, Unit: unit, Command: command}, partner: partner, must: must, moonshot: moonshot}
	f.Partner, f.Must, f.Moonshot, f.LessIsBetter = goals(partner, must, moonshot)
	b.figures = append(b.figures, f)
}

// labelled are the sets of the means.
var labelled = []string{"nab", "mscloud", "smd", "asd", "kpi", "inject"}

// result is what the scorer says of a set.
type result struct {
	Events    int                `json:"events"`
	Weeks     float64            `json:"weeks"`
	Recall    float64            `json:"rec"`
	FA        float64            `json:"fa"`
	F1        float64            `json:"f1"`
	R1        float64            `json:"R1"`
	R02       float64            `json:"R02"`
	VUS       float64            `json:"vus"`
	NAB       float64            `json:"nab_standard_fixed"`
	Precision float64            `json:"prec"`
	Kinds     map[string]float64 `json:"kinds"`
}

// backtest scores all sets with a configuration into a new folder.
func (b *bench) backtest(ctx context.Context, cfg baseline.Config) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "tidemark-detect-"); err != nil {
		return "", err
	}
	_, err = backtest.Run(ctx, backtest.Options{In: b.data, Out: dir, Config: cfg, Workers: 2})
	return dir, err
}

// score runs the scorer over a folder of results.
func (b *bench) score(ctx context.Context, dir string, args ...string) (map[string]result, error) {
	out := filepath.Join(dir, "score.json")
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", append([]string{filepath.Join(b.scorer, "detect", "score.py"), b.data, dir, "--json", out}, args...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run the scorer: %w", err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	text = []byte(strings.ReplaceAll(strings.ReplaceAll(string(text), "-Infinity", "0"), "Infinity", "0"))
	text = []byte(strings.ReplaceAll(string(text), "NaN", "0"))
	var r map[string]result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read what the scorer said: %w", err)
	}
	return r, nil
}

func mean(r map[string]result, f func(result) float64) float64 {
	sum := 0.0
	for _, s := range labelled {
		sum += f(r[s])
	}
	return sum / float64(len(labelled))
}

// scores are the figures of the shipped defaults at threshold 1.
func (b *bench) scores(ctx context.Context) error {
	if b.scorer == "" {
		fmt.Fprintln(os.Stderr, "detect: TIDEMARK_BENCH is not set: figures that need labels are left out")
		return nil
	}
	dir, err := b.backtest(ctx, baseline.DefaultConfig())
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := b.score(ctx, dir)
	if err != nil {
		return err
	}
	if err := twin(ctx, b.data, r); err != nil {
		return err
	}
	worst := 0.0
	for _, s := range labelled {
		worst = max(worst, r[s].FA)
	}
	b.add("NAB standard at 1.0", r["nab"].NAB, "points", "53.7", ">= 60", "70")
	b.add("VUS-PR", mean(r, func(x result) float64 { return x.VUS }), "", ".361", ">= .45", ".50")
	b.add("recall at <= 1 false alarm a week", mean(r, func(x result) float64 { return x.R1 }), "", ".34", ">= .60", ".65")
	b.add("recall at <= 0.2 false alarms a week", mean(r, func(x result) float64 { return x.R02 }), "", ".18", ">= .33", ".45")
	b.add("F1 at 1.0", mean(r, func(x result) float64 { return x.F1 }), "", ".31", ">= .55", ".60")
	b.add("recall at 1.0", mean(r, func(x result) float64 { return x.Recall }), "", ".34", ">= .55", ".60")
	b.add("false alarms at 1.0", mean(r, func(x result) float64 { return x.FA }), "per series-week", ".67", "<= .8", ".5")
	b.add("false alarms, worst set", worst, "per series-week", "1.0", "<= 1.3", "1.0")
	b.add("false alarms, calm set", r["calm"].FA, "per series-week", "1.1", "<= .5", ".5")
	b.add("inject: recall at 1.0", r["inject"].Recall, "", ".15", ">= .60", ".75")
	kinds := r["inject"].Kinds
	least := math.Inf(1)
	for _, k := range kinds {
		least = min(least, k)
	}
	b.add("inject: worst kind", least, "", ".00", ">= .40", ".50")
	b.add("inject: zero", kinds["zero"], "", ".39", ">= .95", ".95")
	b.add("inject: context", kinds["context"], "", ".17", ">= .75", ".80")
	t := "| set | events | recall | false alarms a week | precision | F1 | R@1 | R@0.2 | VUS-PR |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
	for _, s := range append(slices.Clone(labelled), "web", "calm") {
		x := r[s]
		t += fmt.Sprintf("| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.3f |\n", s, x.Events, x.Recall, x.FA, x.Precision, x.F1, x.R1, x.R02, x.VUS)
	}
	t += "\nRecall by kind on `inject`:"
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t += fmt.Sprintf(" %s %.2f,", k, kinds[k])
	}
	b.tables = append(b.tables, "## Per set\n\n"+strings.TrimSuffix(t, ",")+".\n")
	return b.delays(dir)
}

// delays is the median number of samples between the start of a labelled injection and the first
// alarm in it, over spike, dip, zero and shift.
func (b *bench) delays(dir string) error {
	var windows map[string][][2]float64
	var kinds map[string][]string
	for name, v := range map[string]any{"labels.json": &windows, "kinds.json": &kinds} {
		text, err := os.ReadFile(filepath.Join(b.data, "inject", name))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	var all []float64
	for name, list := range windows {
		rows, err := readScored(filepath.Join(dir, "inject", name+".csv"))
		if err != nil {
			return err
		}
		for i, w := range list {
			if !slices.Contains([]string{"spike", "dip", "zero", "shift"}, kinds[name][i]) {
				continue
			}
			n := 0.0
			for _, r := range rows {
				if r.Time < w[0] || r.Time > w[1] {
					continue
				}
				if r.Value > 1 {
					all = append(all, n)
					break
				}
				n++
			}
		}
	}
	slices.Sort(all)
	if len(all) > 0 {
		b.add("median delay of spike, dip, zero, shift", all[len(all)/2], "samples", "0", "<= 3", "")
	}
	return nil
}

// readScored reads timestamp and score of a result.
func readScored(path string) ([]backtest.Row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return backtest.Read(strings.NewReader(strings.Replace(string(text), "timestamp,value,score", "timestamp,observed,value", 1)))
}

// budgets are the observed over the allowed rates of alarms for three budgets, on the calm set and
// on the unlabelled parts of the labelled sets.
func (b *bench) budgets(ctx context.Context) error {
	if b.scorer == "" {
		return nil
	}
	for _, perWeek := range []float64{1, 0.25, 0.05} {
		cfg := baseline.DefaultConfig()
		cfg.Budget.PerSeries = perWeek * hours(cfg) / 168
		dir, err := b.backtest(ctx, cfg)
		if err != nil {
			return err
		}
		r, err := b.score(ctx, dir, "--no-vus")
		_ = os.RemoveAll(dir)
		if err != nil {
			return err
		}
		alarms, weeks := 0.0, 0.0
		for _, s := range append(slices.Clone(labelled), "calm") {
			alarms += r[s].FA * r[s].Weeks
			weeks += r[s].Weeks
		}
		b.add(fmt.Sprintf("observed over allowed, budget %g a week (n = %.0f)", perWeek, alarms), alarms/weeks/perWeek, "ratio", "", "0.7 to 1.4", "0.8 to 1.2")
	}
	return nil
}
