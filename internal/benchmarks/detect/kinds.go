package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

const kindsCommand = command + " --kinds"

// ground is a generated series before anything happens to it.
type ground struct {
	name   string
	step   time.Duration
	days   int
	noise  float64 // its standard deviation
	memory float64 // of the noise, from one sample to the next
	at     func(day float64) float64
	season bool
}

func wave(day float64) float64 { return math.Sin(2 * math.Pi * day) }

var grounds = []ground{
	{"day wave, 5 min", 5 * time.Minute, 21, 3, 0, func(d float64) float64 { return 120 + 50*wave(d) }, true},
	{"working days, 5 min", 5 * time.Minute, 28, 4, 0.5, func(d float64) float64 {
		peak := 80.0
		if day := int(d) % 7; day >= 5 {
			peak = 25
		}
		return 60 + peak*math.Exp(-math.Pow((d-math.Floor(d)-0.55)/0.16, 2))
	}, true},
	{"day wave, 1 min, restless", time.Minute, 14, 6, 0.8, func(d float64) float64 { return 200 + 60*wave(d) + 20*wave(2*d) }, true},
	{"day wave, 1 h", time.Hour, 42, 4, 0.3, func(d float64) float64 { return 150 + 60*wave(d) }, true},
	{"level, 1 min", time.Minute, 10, 2, 0, func(float64) float64 { return 60 }, false},
	{"level, 5 min, with a memory", 5 * time.Minute, 14, 3, 0.8, func(float64) float64 { return 80 }, false},
}

// event is something that happens to a series, and the kind of anomaly that an operator would call it.
type event struct {
	name   string
	want   baseline.Kind
	hours  float64 // how long, or so many samples if that is longer
	least  int
	season bool // on series with a season alone
	value  func(g *ground, r *rand.Rand, share, size, base, noise float64, day float64) float64
}

// events: share is how much of the event is over, size is from 1 to 2, base and noise make the value without it.
var events = []event{
	{"spike", baseline.Point, 0, 2, false, func(g *ground, _ *rand.Rand, _, size, base, noise, _ float64) float64 {
		return base + noise + (110+8*g.noise)*size
	}},
	{"dip", baseline.Point, 0, 2, false, func(g *ground, _ *rand.Rand, _, size, base, noise, _ float64) float64 {
		return base + noise - 12*g.noise*size
	}},
	{"zero", baseline.Flatline, 2, 12, false, func(*ground, *rand.Rand, float64, float64, float64, float64, float64) float64 { return 0 }},
	{"shift up", baseline.Shift, 8, 12, false, func(g *ground, _ *rand.Rand, _, size, base, noise, _ float64) float64 {
		return base + noise + 8*g.noise*size
	}},
	{"shift down", baseline.Shift, 8, 12, false, func(g *ground, _ *rand.Rand, _, size, base, noise, _ float64) float64 {
		return base + noise - 8*g.noise*size
	}},
	{"ramp", baseline.Collective, 8, 12, false, func(g *ground, _ *rand.Rand, share, size, base, noise, _ float64) float64 {
		return base + noise + 15*g.noise*size*share
	}},
	{"variance change", baseline.Collective, 4, 12, false, func(_ *ground, _ *rand.Rand, _, size, base, noise, _ float64) float64 {
		return base + noise*(2.5+2*size)
	}},
	{"stuck", baseline.Flatline, 4, 12, false, nil},
	{"missing", baseline.Absence, 4, 6, false, nil},
	{"another time of day", baseline.Contextual, 1.5, 3, true, func(g *ground, _ *rand.Rand, _, _, _, noise, day float64) float64 {
		return g.at(day+0.5) + noise
	}},
}

// happens plays one event at the end of a series and returns the kind that is named of it at its end, empty
// when nothing was found.
func happens(g *ground, ev *event, seed uint64) (baseline.Kind, error) {
	r := rand.New(rand.NewPCG(seed, 17))
	e, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	if err != nil {
		return "", err
	}
	s := e.Add("kinds", labels.EmptyLabels(), g.step, baseline.SeriesOptions{})
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	perDay := int(24 * time.Hour / g.step)
	n := max(int(ev.hours*float64(time.Hour)/float64(g.step)), ev.least)
	from := g.days*perDay + r.IntN(perDay)
	if ev.season { // where half a day makes a difference
		from = g.days*perDay + perDay*(15+6*r.IntN(2)-9*int(seed%2))/24
	}
	size, noise, last := 1+r.Float64(), 0.0, 0.0
	named := baseline.Kind("")
	for i := range from + n {
		at := start.Add(time.Duration(i) * g.step).UnixMilli()
		day := float64(i) / float64(perDay)
		base := g.at(day)
		noise = g.memory*noise + math.Sqrt(1-g.memory*g.memory)*g.noise*r.NormFloat64()
		var sc baseline.Score
		switch {
		case i < from:
			last = base + noise
			s.Observe(at, last)
			continue
		case ev.name == "missing":
			sc = s.Absent(at)
		case ev.value == nil:
			sc = s.Observe(at, last)
		default:
			sc = s.Observe(at, ev.value(g, r, float64(i-from)/float64(n), size, base, noise, day))
		}
		if sc.Raw > 1 {
			named = sc.Kind
		}
	}
	return named, nil
}

// kinds writes what kind is named of anomalies of every kind.
func kinds(ctx context.Context, doc string) error {
	const seeds = 8
	order := []baseline.Kind{baseline.Point, baseline.Contextual, baseline.Collective, baseline.Shift, baseline.Flatline, baseline.Absence, ""}
	var s strings.Builder
	fmt.Fprintf(&s, `# Kinds of anomalies, named

Written by `+"`%s`"+` (make bench-kinds): an event at the end of generated series of six sorts, %d of each; the kind that the last score above 1 within the event bears.
Bold is what an operator would call it.

| event |`, kindsCommand, seeds)
	for _, k := range order[:len(order)-1] {
		fmt.Fprintf(&s, " %s |", k)
	}
	s.WriteString(" not found | right, of those found |\n|---|" + strings.Repeat("---:|", len(order)+1) + "\n")
	right, found := 0, 0
	wrong := map[string]int{}
	for i := range events {
		ev := &events[i]
		count := map[baseline.Kind]int{}
		n := 0
		for k := range grounds {
			if ev.season && !grounds[k].season {
				continue
			}
			for seed := range uint64(seeds) {
				if err := ctx.Err(); err != nil {
					return err
				}
				named, err := happens(&grounds[k], ev, 1000*uint64(i)+100*uint64(k)+seed)
				if err != nil {
					return err
				}
				count[named]++
				n++
				if named != "" && named != ev.want {
					wrong[fmt.Sprintf("%s on %s: %s", ev.name, grounds[k].name, named)]++
				}
			}
		}
		fmt.Fprintf(&s, "| %s |", ev.name)
		for _, k := range order {
			if k == ev.want {
				fmt.Fprintf(&s, " **%d** |", count[k])
			} else {
				fmt.Fprintf(&s, " %d |", count[k])
			}
		}
		seen := n - count[""]
		right, found = right+count[ev.want], found+seen
		fmt.Fprintf(&s, " %.0f %% |\n", 100*float64(count[ev.want])/float64(max(1, seen)))
	}
	fmt.Fprintf(&s, "| **all** |%s **%.0f %%** |\n", strings.Repeat(" |", len(order)), 100*float64(right)/float64(found))
	for what, n := range wrong {
		fmt.Fprintf(os.Stderr, "%d x %s\n", n, what)
	}
	return os.WriteFile(doc, []byte(s.String()), 0o644)
}
