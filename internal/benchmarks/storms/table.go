package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark/tidemark/correlate/stormtest"
)

type table struct {
	title string
	rows  []string
	names []string
	note  string
}

func (t *table) add(name string, f stormtest.Figures) {
	root := func(n int) string {
		if f.Roots == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", float64(n)/float64(f.Roots))
	}
	t.names = append(t.names, name)
	t.rows = append(t.rows, fmt.Sprintf("| %-14s | %6d | %6d | %6d | %.3f | %.3f | %.3f | %.2f | %.2f | %s | %s | %.3f | %.2f |",
		name, f.Alerts, f.Groups, f.True, f.PairF1, f.B3F1, f.Mixed, f.Split, f.Reduction(), root(f.Root1), root(f.Root3), f.ECE(), f.AUROC()))
}

const header = "| storms         | alerts | groups | truth  | pair F1 | B³ F1 | mixed | split | reduction | root@1 | root@3 | ECE | AUROC |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"

func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n%s\n%s\n\n", t.title, header, strings.Join(t.rows, "\n"))
	if t.note != "" {
		fmt.Fprintln(w, t.note)
	}
}

func ptr(x float64) *float64 { return &x }

// goal is what is asked of a figure.
type goal struct{ partner, must, moonshot *float64 }

// figuresOf lists the figures of a set by name; goals are of the recorded storms.
func figuresOf(set string, f stormtest.Figures, goals map[string]goal) []result {
	values := []struct {
		name string
		unit string
		v    float64
		less bool
	}{
		{"pair F1", "ratio", f.PairF1, false},
		{"B-cubed F1", "ratio", f.B3F1, false},
		{"mixed groups", "ratio", f.Mixed, true},
		{"groups per incident", "count", f.Split, true},
		{"reduction over the truth's", "ratio", f.Reduction(), false},
		{"root@1", "ratio", float64(f.Root1) / float64(max(1, f.Roots)), false},
		{"calibration error", "ratio", f.ECE(), true},
	}
	var out []result
	for _, v := range values {
		g := goals[v.name]
		out = append(out, result{
			Name: set + ": " + v.name, Value: v.v, Unit: v.unit, LessIsBetter: v.less, Partner: g.partner, Must: g.must, Moonshot: g.moonshot, Command: command,
		})
	}
	return out
}

func printResults(w io.Writer, all []result) {
	opt := func(x *float64) string {
		if x == nil {
			return ""
		}
		return fmt.Sprintf("%.4g", *x)
	}
	fmt.Fprintln(w, "| figure | value | unit | partner | must | moonshot | |\n|---|---|---|---|---|---|---|")
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %.4g | %s | %s | %s | %s | %s |\n", r.Name, r.Value, r.Unit, opt(r.Partner), opt(r.Must), opt(r.Moonshot), r.reached())
	}
}

// reached compares a figure with what is asked of it.
func (r *result) reached() string {
	meets := func(goal *float64) bool {
		if goal == nil {
			return false
		}
		if r.LessIsBetter {
			return r.Value <= *goal
		}
		return r.Value >= *goal
	}
	switch {
	case r.Must == nil:
		return ""
	case meets(r.Moonshot):
		return "moonshot"
	case meets(r.Must):
		return "reached"
	}
	return "missed"
}

func writeDocs(dir string, tables []table, all []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks: storms\n\nWritten by `%s`; nothing in it is written by hand. What the figures mean: [correlation](correlation.md).\n\n", command)
	b.WriteString("Partner is the best simple method measured on the same storms. The constants of correlation were chosen on generated storms with seeds below 1000, not on any of these.\n\n")
	printResults(&b, all)
	for _, t := range tables {
		b.WriteString("\n## ")
		t.print(&b)
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks-storms.md"), []byte(strings.TrimRight(b.String(), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks-storms.json"), append(data, '\n'), 0o644)
}
