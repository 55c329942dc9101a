package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidemark/tidemark/correlate/stormtest"
)

type table struct {
	title string
	rows  []string
	names []string
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
	}{
		{"pair F1", "ratio", f.PairF1},
		{"B-cubed F1", "ratio", f.B3F1},
		{"mixed groups", "ratio", f.Mixed},
		{"groups per incident", "count", f.Split},
		{"reduction over the truth's", "ratio", f.Reduction()},
		{"root@1", "ratio", float64(f.Root1) / float64(max(1, f.Roots))},
		{"calibration error", "ratio", f.ECE()},
	}
	var out []result
	for _, v := range values {
		g := goals[v.name]
		out = append(out, result{Name: set + ": " + v.name, Value: v.v, Unit: v.unit, Partner: g.partner, Must: g.must, Moonshot: g.moonshot, Command: command})
	}
	return out
}

func printResults(w io.Writer, all []result) {
	opt := func(x *float64) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf("%.4g", *x)
	}
	fmt.Fprintln(w, "| figure | value | unit | best anchor | asked | stretch |\n|---|---|---|---|---|---|")
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %.4g | %s | %s | %s | %s |\n", r.Name, r.Value, r.Unit, opt(r.Partner), opt(r.Must), opt(r.Moonshot))
	}
}

func writeDoc(path string, tables []table, all []result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Figures of correlation\n\nWritten by `%s -doc %s`; do not edit. What the figures mean: `docs/correlation.md`.\n\n", command, path)
	for _, t := range tables {
		b.WriteString("## ")
		t.print(&b)
	}
	b.WriteString("## All figures\n\n")
	printResults(&b, all)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
