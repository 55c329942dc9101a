package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

const command = "go run ./internal/benchmarks/cause"

// report is everything measured.
type report struct {
	figures     []figures.Figure
	faults      []string // Rows of the table by fault type.
	reliability []string // Rows of the reliability table.
	scorer      string   // What the public scorer prints for the product's own answers.
	model       cause.Model
}

// goal is partner, must and moonshot of a figure; zero values are absent.
type goal [3]float64

func (r *report) add(name string, value float64, unit string, g goal) {
	f := figures.Figure{Name: name, Value: value, Unit: unit, Command: command, LessIsBetter: lessIsBetter(name, unit)}
	for i, p := range []**float64{&f.Partner, &f.Must, &f.Moonshot} {
		if g[i] != 0 {
			*p = &g[i]
		}
	}
	r.figures = append(r.figures, f)
}

func measure(s sets, data, bench string) (*report, error) {
	models := modelsFor(s.metrics, s.lists)
	r := &report{model: fitAll(s.metrics, s.lists)}
	given := answers(s.metrics, models, cause.Options{})
	goals := map[string][2]goal{
		"nezha_ob": {{.64, .80, .90}, {.79, .86, .93}},
		"nezha_tt": {{.22, .70, .85}, {.35, .85, .96}},
		"petshop":  {{.31, .75, .85}, {.69, .92, 1}},
	}
	for _, sys := range systemsOf(s.metrics) {
		r.tops("rca "+sys, given, sys, goals[sys])
	}
	r.tops("rca nezha_tt, own fault-free minute alone", answers(s.alone, models, cause.Options{}), "nezha_tt", [2]goal{{0, .55, .65}, {0, .80, .90}})
	lists := answers(s.lists, models, cause.Options{})
	r.tops("alert lists", lists, "", [2]goal{{.32, .52, .62}, {.42, .72, .82}})
	for _, sys := range systemsOf(s.lists) {
		r.tops("alert lists "+sys, lists, sys, [2]goal{})
	}
	r.tops("alert lists without history", answers(s.listsAlone, models, cause.Options{}), "", [2]goal{})
	for _, x := range []struct {
		name string
		opts cause.Options
	}{
		{"start self-found", cause.Options{IgnoreFaultTime: true}},
		{"start self-found, 60 s late", cause.Options{IgnoreFaultTime: true, StartOffset: time.Minute}},
		{"start given 60 s late", cause.Options{StartOffset: time.Minute}},
	} {
		found := answers(s.metrics, models, x.opts)
		for _, sys := range systemsOf(s.metrics) {
			r.tops("rca "+sys+", "+x.name, found, sys, [2]goal{})
		}
		worst := 0.0
		for _, sys := range systemsOf(s.metrics) {
			a, _ := top(given, sys, 1)
			b, _ := top(found, sys, 1)
			worst = max(worst, a-b)
		}
		r.add("top-1 lost at worst, "+x.name, worst, "share", goal{0, .05, 1e-9})
	}
	r.confidence("causes", given, [3]goal{{0, .10, .05}, {0, .85, .90}, {0, .75, .85}})
	r.confidence("alert lists", lists, [3]goal{{0, .12, .08}, {}, {}})
	r.byFault(given)
	r.byFault(lists)
	r.add("one incident of 1 000 series x 60 samples", rankCost(), "ms", goal{0, 100, 10})
	return r, r.score(s, data, bench)
}

// answered is one case with its answer.
type answered struct {
	recorded
	k cause.Ranking
}

func answers(cases []recorded, models map[string]cause.Model, opts cause.Options) []answered {
	out := make([]answered, len(cases))
	for i, r := range cases {
		m := models[r.system]
		opts.Model = &m
		out[i] = answered{r, cause.Rank(r.given, opts)}
	}
	return out
}

// top is the share of a system's cases (all: "") with the cause among the first k, and their number.
func top(all []answered, system string, k int) (share float64, n int) {
	hits := 0
	for _, a := range all {
		if system != "" && a.system != system {
			continue
		}
		n++
		if p := a.rank(a.k); p > 0 && p <= k {
			hits++
		}
	}
	return float64(hits) / float64(max(1, n)), n
}

func (r *report) tops(name string, all []answered, system string, g [2]goal) {
	for i, k := range []int{1, 3} {
		x, n := top(all, system, k)
		r.add(fmt.Sprintf("%s, top-%d of %d", name, k, n), x, "share", g[i])
	}
}

func (r *report) confidence(name string, all []answered, g [3]goal) {
	var s []said
	for _, a := range all {
		s = append(s, said{a.k.Candidates[0].Confidence, a.rank(a.k) == 1})
	}
	ece, sure, n, auroc := calibration(s)
	r.add("confidence of "+name+", calibration error", ece, "share", g[0])
	r.add(fmt.Sprintf("confidence of %s, right when it says .8 or more (%d of %d)", name, n, len(s)), sure, "share", g[1])
	r.add("confidence of "+name+", AUROC", auroc, "share", g[2])
	for b := range 5 {
		n, p, y := 0, 0.0, 0
		for _, x := range s {
			if min(4, int(x.p*5)) == b {
				n++
				p += x.p
				if x.right {
					y++
				}
			}
		}
		if n > 0 {
			r.reliability = append(r.reliability, fmt.Sprintf("| %s | %.1f to %.1f | %d | %.2f | %.2f |", name, float64(b)/5, float64(b+1)/5, n, p/float64(n), float64(y)/float64(n)))
		}
	}
}

func (r *report) byFault(all []answered) {
	type key struct{ system, fault string }
	var keys []key
	by := map[key][]answered{}
	for _, a := range all {
		k := key{a.system, a.fault}
		if by[k] == nil {
			keys = append(keys, k)
		}
		by[k] = append(by[k], a)
	}
	for _, k := range keys {
		one, n := top(by[k], "", 1)
		three, _ := top(by[k], "", 3)
		r.faults = append(r.faults, fmt.Sprintf("| %s | %s | %d | %.2f | %.2f |", k.system, k.fault, n, one, three))
	}
}

// rankCost is the time of ranking one generated incident of 1 000 series, in milliseconds: the fastest
// of several runs, as others use the machine too.
func rankCost() float64 {
	c := generated()
	best := time.Duration(math.MaxInt64)
	for range 25 {
		t := time.Now()
		cause.Rank(c, cause.Options{})
		best = min(best, time.Since(t))
	}
	return float64(best.Microseconds()) / 1000
}

// generated is an incident of 200 entities with five series of 60 samples each.
func generated() cause.Case {
	rng := rand.New(rand.NewPCG(1, 2))
	c := cause.Case{AlertTime: time.Unix(1_800_003_420, 0), Symptom: cause.Symptom{Entity: "s000", Metric: "latency:mean"}}
	for e := range 200 {
		name := fmt.Sprintf("s%03d", e)
		for k := 1; k <= 3; k++ {
			if to := 3*e + k; to < 200 {
				c.Graph = append(c.Graph, cause.Edge{From: name, To: fmt.Sprintf("s%03d", to), Kind: cause.EdgeCall})
			}
		}
		for _, m := range []string{"latency:mean", "requests_total", "errors_total", "cpu_usage", "memory_bytes"} {
			s := cause.Series{Entity: name, Metric: m, Query: name + m}
			for i := range int64(60) {
				x := 1 + .1*rng.NormFloat64()
				if i >= 55 && e == 150 {
					x *= 3
				}
				s.T, s.V = append(s.T, (1_800_000_000+i*60)*1000), append(s.V, x)
			}
			c.Series = append(c.Series, s)
		}
	}
	return c
}

// score lets the public scorer judge the product's own answers, with the constants it ships.
func (r *report) score(s sets, data, bench string) error {
	for _, x := range []struct {
		dir   string
		cases []recorded
	}{{"rca", s.metrics}, {filepath.Join("alerts", "faults"), s.lists}} {
		out := map[string]cause.Ranking{}
		for _, c := range x.cases {
			out[c.given.ID] = cause.Rank(c.given, cause.Options{})
		}
		raw, err := json.Marshal(out)
		if err != nil {
			return err
		}
		f, err := os.CreateTemp("", "rankings*.json")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(f.Name()) }()
		if _, err := f.Write(raw); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		text, err := python(filepath.Join(bench, "rca", "score.py"), "--data", filepath.Join(data, x.dir), "--pred", f.Name())
		if err != nil {
			return err
		}
		r.scorer += text
	}
	return nil
}

func python(script string, args ...string) (string, error) {
	if _, err := os.Stat(script); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no scorer at %s", script)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command("python3", append([]string{script}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", filepath.Base(script), err, errs.String())
	}
	return out.String(), nil
}
