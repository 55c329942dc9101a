// Command storms measures correlation: on the recorded storms under TIDEMARK_DATA, on generated ones
// of every type, and what it costs. It prints a table, or the list that `make bench` collects.
//
//	TIDEMARK_DATA=DIR [TIDEMARK_BENCH=DIR] go run ./internal/benchmarks/storms
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/stormtest"
)

const command = "go run ./internal/benchmarks/storms"

// result is one figure.
type result struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit"`
	Partner  *float64 `json:"partner"`  // the best simple anchor, where there is one
	Must     *float64 `json:"must"`     // asked
	Moonshot *float64 `json:"moonshot"` // stretch
	Command  string   `json:"command"`

	LessIsBetter bool `json:"less_is_better,omitempty"`
}

type options struct {
	data, bench, out string
	types            string
	once             bool
	seeds            int
	from             uint64
	cost             bool
	only             string
	profile          string
	alertmanager     string
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", os.Getenv("TIDEMARK_DATA"), "folder with alerts/storms; empty: only generated storms")
	flag.StringVar(&o.bench, "bench", os.Getenv("TIDEMARK_BENCH"), "folder with alerts/score.py, to score the recorded storms with it as well")
	flag.StringVar(&o.out, "out", "docs", "folder for benchmarks-storms.md and benchmarks-storms.json; empty: print only")
	flag.BoolVar(&o.once, "once", false, "explain recorded storms once at their end: the same answer but for what the retention forgot, faster")
	flag.BoolVar(&o.cost, "cost", true, "measure the cost")
	flag.StringVar(&o.types, "types", "", "only these types of generated storms, with commas; mixed is all of them together")
	flag.IntVar(&o.seeds, "seeds", 40, "generated storms per type")
	flag.Uint64Var(&o.from, "from", 1000, "first seed; the constants were chosen on seeds below 1000")
	flag.StringVar(&o.only, "only", "", "processes: measure only real processes, and print")
	flag.StringVar(&o.profile, "profile", "", "with -only processes, a file for the profile of Tidemark's processor time")
	flag.StringVar(&o.alertmanager, "alertmanager", tool("alertmanager"), "the Alertmanager that Tidemark's processor time is compared with, as `make tools` builds it; empty: not compared")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "storms:", err)
		os.Exit(1)
	}
}

// tool is a program among those that make tools builds; empty where there is none.
func tool(name string) string {
	dir := os.Getenv("TIDEMARK_TOOLS")
	if cache, err := os.UserCacheDir(); dir == "" && err == nil {
		dir = filepath.Join(cache, "tidemark", "tools")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

func run(ctx context.Context, o options, w io.Writer) error {
	if o.only == "processes" {
		rs, err := processes(ctx, o.alertmanager, o.profile)
		printResults(w, rs)
		return err
	}
	var all []result
	var tables []table
	if o.data != "" {
		t, rs, err := recorded(ctx, o)
		if err != nil {
			return err
		}
		all, tables = append(all, rs...), append(tables, t)
	}
	t, rs, err := generated(ctx, o)
	if err != nil {
		return err
	}
	all, tables = append(all, rs...), append(tables, t)
	if o.cost {
		rs, err := cost(ctx)
		if err != nil {
			return err
		}
		all = append(all, rs...)
		if o.alertmanager == "" {
			return errors.New("no Alertmanager to compare with: run make tools, or give --alertmanager")
		}
		if rs, err = processes(ctx, o.alertmanager, o.profile); err != nil {
			return err
		}
		all = append(all, rs...)
	}
	if o.out != "" {
		if err := writeDocs(o.out, tables, all); err != nil {
			return err
		}
	}
	for _, t := range tables {
		t.print(w)
	}
	printResults(w, all)
	return nil
}

// answer replays a storm, or explains it once at its end.
func answer(ctx context.Context, s *stormtest.Storm, once bool) (stormtest.Answer, error) {
	if !once {
		return s.Run(ctx, correlate.DefaultConfig(), correlate.Deps{})
	}
	return s.RunOnce(correlate.DefaultConfig(), correlate.Deps{}), ctx.Err()
}

// generated measures every type on its own, alone and mixed.
func generated(ctx context.Context, o options) (table, []result, error) {
	t := table{title: "Generated storms, by the type of their faults (seeds not used to choose constants)"}
	var all []stormtest.Figures
	kinds := append(slices.Clone(stormtest.Types), "mixed")
	if o.types != "" {
		kinds = strings.Split(o.types, ",")
	}
	for _, kind := range kinds {
		var figures []stormtest.Figures
		for i := range o.seeds {
			opts := stormtest.Options{Types: []string{kind}, Incidents: 1}
			seed := o.from + uint64(i)
			if kind == "mixed" {
				opts = stormtest.Options{}
			}
			s := stormtest.Generate(seed, opts)
			if err := ctx.Err(); err != nil {
				return t, nil, err
			}
			// At once: the order of arrival changes nothing (tests), and it is a hundred times faster.
			a := s.RunOnce(correlate.DefaultConfig(), correlate.Deps{})
			figures = append(figures, s.Score(a))
		}
		m := stormtest.Mean(figures)
		t.add(kind, m)
		if kind == "mixed" {
			all = figures
		}
	}
	return t, figuresOf("generated mixed storms", stormtest.Mean(all), nil), nil
}

// timed runs f and says how long it took.
func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
