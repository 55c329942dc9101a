package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/baseline/backtest"
	"github.com/tidemark/tidemark/baseline/tuning"
	"github.com/tidemark/tidemark/internal/benchmarks/detect/scoring"
)

// variant is the shipped set of constants with one change.
type variant struct {
	name   string
	change func(*tuning.Params)
}

// silent is a cost that no evidence outweighs.
const silent = 1e6

func without(name string, families ...tuning.Family) variant {
	return variant{"without " + name, func(p *tuning.Params) {
		for _, f := range families {
			p.Cost[f] = silent
		}
	}}
}

// detectors leave one kind of test out.
var detectors = []variant{
	without("season", tuning.Season), without("local", tuning.Local), without("global", tuning.Global), without("record", tuning.Record),
	without("slow", tuning.Slow), without("cusum, short", tuning.CusumShort), without("cusum, long", tuning.CusumLong), without("ramp", tuning.Ramp),
	without("variance", tuning.Variance), without("stuck", tuning.Stuck), without("zero", tuning.Zero), without("likelihood", tuning.Likelihood),
	without("any point test (season, local, global, record)", tuning.Season, tuning.Local, tuning.Global, tuning.Record),
	without("any collective test (slow, cusum, ramp, variance, likelihood)", tuning.Likelihood, tuning.Slow, tuning.CusumShort, tuning.CusumLong, tuning.Ramp, tuning.Variance),
}

// parts leave one part of the composition out.
var parts = []variant{
	{"no season", func(p *tuning.Params) { p.SwitchRatio = 0 }},
	{"no phase neighbourhood", func(p *tuning.Params) { p.Phase = 0 }},
	{"no peak tolerance", func(p *tuning.Params) { p.PeakShare = 0 }},
	{"no volatility", func(p *tuning.Params) { p.VolMin, p.VolMax, p.LocalVolMin, p.LocalVolMax = 1, 1, 1, 1 }},
	{"no floor under the tails' scales", func(p *tuning.Params) {
		for i := range p.Least {
			p.Least[i] = 0.08
		}
	}},
	{"one floor for all tests", func(p *tuning.Params) {
		for i := range p.Least {
			p.Least[i] = 0.39
		}
	}},
	{"no costs of families", func(p *tuning.Params) { p.Cost = [tuning.Families]float64{} }},
	{"tests that agree do not reinforce", func(p *tuning.Params) { p.Norm = 0 }},
	{"beats of one sample", func(p *tuning.Params) { p.BeatMinutes = 0 }},
	{"beats of ten minutes", func(p *tuning.Params) { p.BeatMinutes = 10 }},
	{"series' own places alone", func(p *tuning.Params) { p.Common2 = 0 }},
	{"a place common to all series", func(p *tuning.Params) { p.Common2, p.CommonMost2 = 1, math.Inf(1) }},
	{"rough series' local surprises cost no more", func(p *tuning.Params) { p.Rough = 0 }},
	{"an episode counts in every block that it lasts", func(p *tuning.Params) { p.OnceHours = 0 }},
	{"the other side is not told again", func(p *tuning.Params) { p.Turned = math.Inf(1) }},
	{"a local spread that narrows in calm hours", func(p *tuning.Params) { p.LocalVolMin = 0.6 }},
	{"blocks of six hours", func(p *tuning.Params) { p.BlockHours = 6 }},
	{"75 % quantile of block maxima", func(p *tuning.Params) { p.Quantile = 0.75 }},
	{"second stage hardly clipped", func(p *tuning.Params) { p.Clip2 = 4 }},
	{"a spent budget costs nothing", func(p *tuning.Params) { p.Debt = 0 }},
	{"every score above 1 is an alarm", func(p *tuning.Params) { p.EpisodeHours = 1e-3 }},
	{"no second alarm in an episode", func(p *tuning.Params) { p.Growth = math.Inf(1) }},
	{"a second alarm at less growth", func(p *tuning.Params) { p.Growth = 1.5 }},
	{"a spent budget costs four times as much", func(p *tuning.Params) { p.Debt *= 4 }},
	{"cheaper ramp and stuck tests", func(p *tuning.Params) { p.Cost[tuning.Ramp] -= 0.75; p.Cost[tuning.Stuck] -= 0.75 }},
	{"likelihood weighs more", func(p *tuning.Params) { p.Cost[tuning.Likelihood] -= 0.5 }},
	{"the alarm score does not fade", func(p *tuning.Params) { p.FadeHours = 0 }},
	{"it fades within half an hour", func(p *tuning.Params) { p.FadeHours /= 2 }},
	{"it fades within two hours", func(p *tuning.Params) { p.FadeHours *= 2 }},
}

// steps move one constant each, a quarter up and a fifth down.
var steps = func() (out []variant) {
	for _, c := range []struct {
		name string
		of   func(*tuning.Params) *float64
	}{
		{"LevelHours", func(p *tuning.Params) *float64 { return &p.LevelHours }},
		{"VolHours", func(p *tuning.Params) *float64 { return &p.VolHours }},
		{"Phase", func(p *tuning.Params) *float64 { return &p.Phase }},
		{"PeakShare", func(p *tuning.Params) *float64 { return &p.PeakShare }},
		{"LocalHours", func(p *tuning.Params) *float64 { return &p.LocalHours }},
		{"Norm", func(p *tuning.Params) *float64 { return &p.Norm }},
		{"Memory", func(p *tuning.Params) *float64 { return &p.Memory }},
		{"Memory2", func(p *tuning.Params) *float64 { return &p.Memory2 }},
		{"Clip2", func(p *tuning.Params) *float64 { return &p.Clip2 }},
		{"Growth", func(p *tuning.Params) *float64 { return &p.Growth }},
		{"EpisodeHours", func(p *tuning.Params) *float64 { return &p.EpisodeHours }},
		{"PriorMean2", func(p *tuning.Params) *float64 { return &p.PriorMean2 }},
		{"Common2", func(p *tuning.Params) *float64 { return &p.Common2 }},
		{"Rough", func(p *tuning.Params) *float64 { return &p.Rough }},
		{"OnceHours", func(p *tuning.Params) *float64 { return &p.OnceHours }},
		{"PeakQuantile", func(p *tuning.Params) *float64 { return &p.PeakQuantile }},
		{"LocalSteps", func(p *tuning.Params) *float64 { return &p.LocalSteps }},
		{"RecordAge", func(p *tuning.Params) *float64 { return &p.RecordAge }},
		{"BudgetGain", func(p *tuning.Params) *float64 { return &p.BudgetGain }},
		{"Debt", func(p *tuning.Params) *float64 { return &p.Debt }},
		{"Cost of local", func(p *tuning.Params) *float64 { return &p.Cost[tuning.Local] }},
		{"Least of global", func(p *tuning.Params) *float64 { return &p.Least[tuning.Global] }},
	} {
		for _, by := range []float64{0.8, 1.25} {
			out = append(out, variant{fmt.Sprintf("%s x %g", c.name, by), func(p *tuning.Params) { *c.of(p) *= by }})
		}
	}
	return out
}()

// judged are a variant's results, by set.
type judged struct {
	name string
	of   map[string]scoring.Result
}

// over is the mean of a figure over sets.
func (j judged) over(sets []string, f func(scoring.Result) float64) float64 {
	sum := 0.0
	for _, s := range sets {
		sum += f(j.of[s])
	}
	return sum / float64(len(sets))
}

// f1 is 0 where there was neither a hit nor an alarm.
func f1(r scoring.Result) float64 {
	if math.IsNaN(r.F1) {
		return 0
	}
	return r.F1
}
func bestF1(r scoring.Result) float64    { return r.BestF1 }
func recall(r scoring.Result) float64    { return r.Recall }
func falseRate(r scoring.Result) float64 { return r.FalseRate }
func r1(r scoring.Result) float64        { return r.R1 }
func r02(r scoring.Result) float64       { return r.R02 }
func vus(r scoring.Result) float64       { return r.VUS }

// judge scores every set with a variant and judges it, series in parallel.
func judge(ctx context.Context, sets []scoring.Set, v variant, workers int) (judged, error) {
	p := tuning.Default()
	if v.change != nil {
		v.change(&p)
	}
	scores := make([]scoring.Scores, len(sets))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range sets {
		scores[i] = make(scoring.Scores, len(sets[i].Series))
		for k, s := range sets[i].Series {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				e, err := baseline.NewTuned(baseline.DefaultConfig(), p, nil)
				if err != nil {
					return err
				}
				out := make([]float64, 0, len(s.Rows))
				backtest.Score(e, s.Name, s.Rows, func(_ backtest.Row, sc baseline.Score) { out = append(out, scoring.Written(sc.Alarm)) })
				scores[i][k] = out
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return judged{}, err
	}
	j := judged{v.name, map[string]scoring.Result{}}
	for i := range sets {
		j.of[sets[i].Name] = sets[i].Judge(scores[i])
	}
	return j, nil
}

// twin fails unless the two scorers agree on the shipped constants.
func twin(ctx context.Context, data string, theirs map[string]result) error {
	sets, err := scoring.Load(data, labelled...)
	if err != nil {
		return err
	}
	ours, err := judge(ctx, sets, variant{}, 2)
	if err != nil {
		return err
	}
	for _, set := range labelled {
		a, b := ours.of[set], theirs[set]
		for name, x := range map[string][2]float64{"recall": {a.Recall, b.Recall}, "false alarms": {a.FalseRate, b.FA}, "F1": {f1(a), b.F1}, "R@1": {a.R1, b.R1}, "R@0.2": {a.R02, b.R02}, "VUS-PR": {a.VUS, b.VUS}, "NAB": {a.NAB / 100, b.NAB / 100}} {
			if math.Abs(x[0]-x[1]) > 0.002 {
				return fmt.Errorf("%s on the set %s: %.4f by the scorer in Go, %.4f by the one in Python", name, set, x[0], x[1])
			}
		}
	}
	return nil
}

const ablationCommand = command + " --ablation"

// ablation writes what each detector and each part is worth, and what is left when constants are
// chosen without the set that judges them.
func ablation(ctx context.Context, data, doc string) error {
	sets, err := scoring.Load(data, append(slices.Clone(labelled), "calm")...)
	if err != nil {
		return err
	}
	run := func(list []variant) (out []judged, err error) {
		for _, v := range list {
			j, err := judge(ctx, sets, v, 2)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "%s: F1 %.3f, R@1 %.3f\n", v.name, j.over(labelled, f1), j.over(labelled, r1))
			out = append(out, j)
		}
		return out, nil
	}
	var all []judged
	for _, list := range [][]variant{{{name: "as shipped"}}, detectors, parts, steps} {
		j, err := run(list)
		if err != nil {
			return err
		}
		all = append(all, j...)
	}
	return os.WriteFile(doc, []byte(ablationPage(all)), 0o644)
}

func ablationPage(all []judged) string {
	var s strings.Builder
	fmt.Fprintf(&s, `# Detection, taken apart

Written by `+"`%s`"+`: the shipped constants with one change each, threshold 1.0, means over the sets %s.
What the tests and parts are: [detection.md](detection.md). Best F1 is that at the best single threshold of each set, which nobody knows beforehand.

`, ablationCommand, strings.Join(labelled, ", "))
	at := 1
	s.WriteString("## Each detector\n\nPoint tests overlap, and so do collective ones: each alone looks dispensable, all of a kind together are not.\n\n")
	ablationTable(&s, all[:1], all[at:at+len(detectors)])
	at += len(detectors)
	s.WriteString("\n## Each part\n\n")
	ablationTable(&s, all[:1], all[at:at+len(parts)])
	at += len(parts)
	s.WriteString("\n## Each constant moved\n\nA quarter up, a fifth down. Flat is good: what a constant is, within such steps, should not matter much.\n\n")
	ablationTable(&s, all[:1], all[at:])
	s.WriteString("\n## Leaving one set out\n\n")
	s.WriteString(leaveOneOut(all))
	return s.String()
}

func ablationTable(s *strings.Builder, rows ...[]judged) {
	s.WriteString("| change | F1 | best F1 | recall | false alarms a week | worst set | calm | R@1 | R@0.2 | VUS-PR | NAB |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, j := range slices.Concat(rows...) {
		worst := 0.0
		for _, set := range labelled {
			worst = max(worst, j.of[set].FalseRate)
		}
		fmt.Fprintf(s, "| %s | %.3f | %.3f | %.3f | %.2f | %.2f | %.2f | %.3f | %.3f | %.3f | %.1f |\n", j.name, j.over(labelled, f1), j.over(labelled, bestF1), j.over(labelled, recall),
			j.over(labelled, falseRate), worst, j.of["calm"].FalseRate, j.over(labelled, r1), j.over(labelled, r02), j.over(labelled, vus), j.of["nab"].NAB)
	}
}

// worth is what constants are chosen by: the mean of F1, R@1 and R@0.2, less what false alarms
// there are above 0.8 a week on average.
func (j judged) worth(sets []string) float64 {
	return (j.over(sets, f1)+j.over(sets, r1)+j.over(sets, r02))/3 - max(0, j.over(sets, falseRate)-0.8)
}

func best(all []judged, sets []string) judged {
	return slices.MaxFunc(all, func(a, b judged) int {
		switch x, y := a.worth(sets), b.worth(sets); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}

// leaveOneOut chooses among all variants on five sets and looks at the sixth.
func leaveOneOut(all []judged) string {
	var s strings.Builder
	everywhere := best(all, labelled)
	fmt.Fprintf(&s, "Of the %d rows above, the best on five sets (by the mean of F1, R@1 and R@0.2, less the false alarms above 0.8 a week), judged on the sixth; beside it the shipped constants, and the row that is best on all six (%s).\n\n", len(all), everywhere.name)
	s.WriteString("| set left out | chosen on the others | F1 | R@1 | R@0.2 | shipped: F1 | R@1 | R@0.2 | best on all six: F1 | R@1 | R@0.2 |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	var sum [9]float64
	for _, set := range labelled {
		others := slices.DeleteFunc(slices.Clone(labelled), func(x string) bool { return x == set })
		chosen := best(all, others)
		fmt.Fprintf(&s, "| %s | %s |", set, chosen.name)
		for i, j := range []judged{chosen, all[0], everywhere} {
			r := j.of[set]
			for k, x := range []float64{f1(r), r.R1, r.R02} {
				sum[3*i+k] += x
				fmt.Fprintf(&s, " %.3f |", x)
			}
		}
		s.WriteString("\n")
	}
	s.WriteString("| **mean** | |")
	for _, x := range sum {
		fmt.Fprintf(&s, " **%.3f** |", x/float64(len(labelled)))
	}
	s.WriteString("\n")
	return s.String()
}
