// Command logs measures log templates on public labelled lines, per system, with the public scorer,
// and writes docs/benchmarks-logs.md and .json.
//
//	TIDEMARK_DATA=… TIDEMARK_BENCH=… go run ./internal/benchmarks/logs
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/correlate/logs"
	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

const command = "go run ./internal/benchmarks/logs"

// goals are partner (the best one-configuration parser measured on these lines), must and moonshot
// of the means; 0 is absent.
var goals = map[string][3]float64{
	"GA": {.76, .88, .95}, "FGA": {.78, .85, .90}, "PA": {.51, .60, 0}, "FTA": {.57, 0, 0},
	"speed": {375_000, 200_000, 0},
}

func main() {
	data := flag.String("data", os.Getenv("TIDEMARK_DATA"), "Folder of the labelled data (default $TIDEMARK_DATA).")
	bench := flag.String("bench", os.Getenv("TIDEMARK_BENCH"), "Folder of the scorers (default $TIDEMARK_BENCH).")
	out := flag.String("out", "docs", "Folder to write benchmarks-logs.md and .json to.")
	flag.Parse()
	if err := run(*data, *bench, *out); err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

func run(data, bench, out string) error {
	if data == "" || bench == "" {
		return errors.New("set TIDEMARK_DATA and TIDEMARK_BENCH, or -data and -bench, to the folders of the data and of the scorers")
	}
	dir, err := os.MkdirTemp("", "templates")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	speed, err := mine(filepath.Join(data, "logs"), dir)
	if err != nil {
		return err
	}
	text, err := score(filepath.Join(bench, "logs", "score.py"), filepath.Join(data, "logs"), dir)
	if err != nil {
		return err
	}
	figures, err := means(text)
	if err != nil {
		return err
	}
	figures = append(figures, withGoal("log lines a second on one core, from an empty miner", speed, "lines/s", "speed"))
	for _, f := range figures {
		fmt.Printf("%-60s %s\n", f.Name, show(&f.Value))
	}
	return write(out, figures, text)
}

// runs per system; the fastest counts, as others use the machine too.
const runs = 9

// mine writes the templates of every system's lines and returns the lines read per second.
func mine(data, out string) (float64, error) {
	paths, err := filepath.Glob(filepath.Join(data, "*", "content.txt"))
	if err != nil {
		return 0, err
	}
	lines, spent := 0, time.Duration(0)
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			return 0, err
		}
		all := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		best := time.Duration(math.MaxInt64)
		for range runs {
			runtime.GC()
			m, t := logs.New(logs.Options{}), time.Now()
			for _, l := range all {
				m.Match(l)
			}
			best = min(best, time.Since(t))
		}
		spent += best
		lines += len(all)
		var b bytes.Buffer
		m := logs.New(logs.Options{})
		for i, l := range all {
			id, text, _ := m.Add(l)
			fmt.Fprintf(&b, "%d\t%d\t%s\n", i+1, id, text)
		}
		if err := os.WriteFile(filepath.Join(out, filepath.Base(filepath.Dir(p))+".tsv"), b.Bytes(), 0o600); err != nil {
			return 0, err
		}
	}
	return float64(lines) / spent.Seconds(), nil
}

func score(script, data, pred string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.Command("python3", script, "--data", data, "--pred", pred)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", filepath.Base(script), err, errs.String())
	}
	return out.String(), nil
}

// means reads the scorer's last line.
func means(text string) ([]figures.Figure, error) {
	rows := strings.Split(strings.TrimSpace(text), "\n")
	f := strings.Fields(rows[len(rows)-1])
	names := []string{"GA", "FGA", "PA", "FTA"}
	if len(f) != len(names)+1 || f[0] != "average" {
		return nil, fmt.Errorf("the scorer's last line is %q, want the averages", rows[len(rows)-1])
	}
	var out []figures.Figure
	for i, name := range names {
		x, err := strconv.ParseFloat(f[i+1], 64)
		if err != nil {
			return nil, fmt.Errorf("reading the scorer's %s: %w", name, err)
		}
		out = append(out, withGoal(fmt.Sprintf("log templates, %s, mean of %d systems", name, len(rows)-2), x, "share", name))
	}
	return out, nil
}

func withGoal(name string, value float64, unit, goal string) figures.Figure {
	f := figures.Figure{Name: name, Value: value, Unit: unit, Command: command}
	g := goals[goal]
	for i, p := range []**float64{&f.Partner, &f.Must, &f.Moonshot} {
		if g[i] != 0 {
			*p = &g[i]
		}
	}
	return f
}

func show(x *float64) string {
	switch {
	case x == nil:
		return ""
	case *x > 1:
		return fmt.Sprintf("%.0f", *x)
	}
	return fmt.Sprintf("%.3f", *x)
}

func write(dir string, list []figures.Figure, scorer string) error {
	if err := figures.Write(filepath.Join(dir, "benchmarks-logs.json"), list); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# Benchmarks: log templates\n\nWritten by `" + command + "`; nothing in it is written by hand. One configuration for all systems; partner is the best parser with one configuration that was measured on the same lines.\n\n| figure | value | partner | must | moonshot |\n|---|---|---|---|---|\n")
	for _, f := range list {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Name, show(&f.Value), show(f.Partner), show(f.Must), show(f.Moonshot))
	}
	b.WriteString("\nThe public scorer:\n\n```\n" + scorer + "```\n")
	if err := os.WriteFile(filepath.Join(dir, "benchmarks-logs.md"), []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}
