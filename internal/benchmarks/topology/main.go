// Command topology measures how much of a known graph each source gives back from the metrics that systems export of
// it, and writes docs/benchmarks-topology.md and .json.
//
//	go run ./internal/benchmarks/topology
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidemark/tidemark/correlate/topology/topologytest"
	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

const (
	command = "go run ./internal/benchmarks/topology"
	graphs  = 100
	asked   = .95
)

func main() {
	out := flag.String("out", "docs", "Folder to write benchmarks-topology.md and .json to.")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "topology:", err)
		os.Exit(1)
	}
}

// worst is the least of a source over all graphs.
type worst struct {
	name              string
	precision, recall float64
	edges             int
}

func run(out string) error {
	var rows []worst
	for seed := range uint64(graphs) {
		for i, c := range topologytest.Cases(seed) {
			if i == len(rows) {
				rows = append(rows, worst{name: c.Source.Name(), precision: 1, recall: 1})
			}
			p, r := c.Score()
			rows[i].precision, rows[i].recall = min(rows[i].precision, p), min(rows[i].recall, r)
			rows[i].edges += len(c.Want)
		}
	}
	var list []figures.Figure
	page := fmt.Sprintf("# Benchmarks: topology\n\nWritten by `%s`; nothing in it is written by hand.\n\n"+
		"Metric dumps as each system exports them of %d random known graphs (30 services, their pods on 6 nodes), with series of strangers, of what is idle and of both reporters; "+
		"the worst graph counts. Asked of each: %.2f.\n\n| source | true edges | precision | recall | |\n|---|---:|---:|---:|---|\n", command, graphs, asked)
	for _, r := range rows {
		for _, f := range []struct {
			what  string
			value float64
		}{{"precision", r.precision}, {"recall", r.recall}} {
			list = append(list, figures.Figure{Name: "topology from " + r.name + ", " + f.what + " of the worst of 100 graphs", Value: f.value, Unit: "share", Must: figures.Num(asked), Command: command})
		}
		verdict := "reached"
		if min(r.precision, r.recall) < asked {
			verdict = "MISSED"
		}
		page += fmt.Sprintf("| `%s` | %d | %.3f | %.3f | %s |\n", r.name, r.edges, r.precision, r.recall, verdict)
	}
	fmt.Print(page)
	if err := os.WriteFile(filepath.Join(out, "benchmarks-topology.md"), []byte(page), 0o644); err != nil {
		return err
	}
	return figures.Write(filepath.Join(out, "benchmarks-topology.json"), list)
}
