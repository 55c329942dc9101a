// Command cause measures the ranking of root causes on public labelled data, per system, and
// writes docs/benchmarks-cause.md and .json. With -fit it prints the constants for
// correlate/cause/fitted.go instead; with -cases one line per case.
//
//	TIDEMARK_DATA=… TIDEMARK_BENCH=… go run ./internal/benchmarks/cause
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tidemark/tidemark/correlate/cause"
)

func main() {
	data := flag.String("data", os.Getenv("TIDEMARK_DATA"), "Folder of the labelled data (default $TIDEMARK_DATA).")
	bench := flag.String("bench", os.Getenv("TIDEMARK_BENCH"), "Folder of the scorers (default $TIDEMARK_BENCH).")
	out := flag.String("out", "docs", "Folder to write benchmarks-cause.md and .json to.")
	fit := flag.Bool("fit", false, "Print the fitted constants and stop.")
	cases := flag.Bool("cases", false, "Print one line per case and stop.")
	flag.Parse()
	if err := run(*data, *bench, *out, *fit, *cases, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "cause:", err)
		os.Exit(1)
	}
}

func run(data, bench, out string, fit, perCase bool, w io.Writer) error {
	if data == "" {
		return errors.New("no data: set TIDEMARK_DATA or -data to the folder with rca and alerts")
	}
	s, err := loadSets(data)
	if err != nil {
		return err
	}
	switch {
	case fit:
		return printFit(w, fitAll(s.metrics, s.lists))
	case perCase:
		return printCases(w, s)
	}
	if bench == "" {
		return errors.New("no scorers: set TIDEMARK_BENCH or -bench to their folder")
	}
	r, err := measure(s, data, bench)
	if err != nil {
		return err
	}
	if err := r.write(out); err != nil {
		return err
	}
	return r.print(w)
}

// sets are the labelled cases, with the references that each figure allows.
type sets struct {
	metrics    []recorded // Logs and spans against earlier windows.
	alone      []recorded // The same, each with its own fault-free window only.
	lists      []recorded // Alert lists.
	listsAlone []recorded // The same without any history.
}

func loadSets(data string) (sets, error) {
	var s sets
	var err error
	for _, x := range []struct {
		into *[]recorded
		dir  string
		ref  cause.Reference
	}{
		{&s.metrics, "rca", cause.ReferenceEarlier},
		{&s.alone, "rca", cause.ReferenceOwn},
		{&s.lists, filepath.Join("alerts", "faults"), cause.ReferenceEarlier},
	} {
		if *x.into, err = load(filepath.Join(data, x.dir), x.ref); err != nil {
			return sets{}, err
		}
	}
	s.listsAlone = withoutHistory(s.lists)
	return s, nil
}

// printFit writes the constants in the shape of fitted.go.
func printFit(w io.Writer, m cause.Model) error {
	weights := func(a cause.AlertWeights) string {
		return fmt.Sprintf("AlertWeights{Own: %.2f, Lift: %.2f, Host: %.2f, Node: %.2f, Service: %.2f}", a.Own, a.Lift, a.Host, a.Node, a.Service)
	}
	logistic := func(l cause.Logistic) string {
		return fmt.Sprintf("Logistic{Bias: %.2f, Weights: [2]float64{%.2f, %.2f}}", l.Bias, l.Weights[0], l.Weights[1])
	}
	c := m.Confidence
	_, err := fmt.Fprintf(w, `		Alerts:      %s,
		AlertsAlone: %s,
		Confidence: ConfidenceModel{
			Evidence: %s,
			Alerts:   %s,
			Alone:    %s,
		},
		NoClearCause: %.2f,
`, weights(m.Alerts), weights(m.AlertsAlone), logistic(c.Evidence), logistic(c.Alerts), logistic(c.Alone), m.NoClearCause)
	return err
}

// printCases shows every answer with models that did not see the case's system.
func printCases(w io.Writer, s sets) error {
	models := modelsFor(s.metrics, s.lists)
	for _, r := range append(append([]recorded(nil), s.metrics...), s.lists...) {
		m := models[r.system]
		k := cause.Rank(r.given, cause.Options{Model: &m})
		mark := " "
		if r.rank(k) != 1 {
			mark = "*"
		}
		if _, err := fmt.Fprintf(w, "%s %-32s %-16s by %-12s confidence %.2f rank %2d of %s; said %s\n", mark, r.given.ID, r.fault, k.DecidedBy, k.Candidates[0].Confidence, r.rank(k), r.truth[0], k.Candidates[0].Entity); err != nil {
			return err
		}
	}
	return nil
}
