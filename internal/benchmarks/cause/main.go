// Command cause measures the ranking of root causes on labelled cases, per system.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidemark/tidemark/correlate/cause"
)

func main() {
	ref := flag.String("reference", "earlier", "")
	sys := flag.String("system", "", "")
	auto := flag.Bool("auto", false, "")
	late := flag.Duration("late", 0, "")
	asof := flag.Duration("asof", -1, "")
	flag.Parse()
	metrics, err := load(filepath.Join(os.Getenv("TIDEMARK_DATA"), "rca"), cause.Reference(*ref))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	lists, err := load(filepath.Join(os.Getenv("TIDEMARK_DATA"), "alerts/faults"), cause.Reference(*ref))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	models := modelsFor(metrics, lists)
	fmt.Printf("#all %+v\n", fitAll(metrics, lists))
	for s, m := range models {
		fmt.Printf("#%s %+v\n", s, m)
	}
	for _, set := range [][]recorded{metrics, lists} {
		var ans []said
		by := map[string][]said{}
		for _, r := range set {
			if *sys != "" && r.system != *sys {
				continue
			}
			m := models[r.system]
			if *asof >= 0 {
				for i := range r.given.Series {
					x := &r.given.Series[i]
					for len(x.T) > 0 && x.T[len(x.T)-1] > r.given.AlertTime.Add(*asof).UnixMilli() {
						x.T, x.V = x.T[:len(x.T)-1], x.V[:len(x.V)-1]
					}
				}
			}
			k := cause.Rank(r.given, cause.Options{IgnoreFaultTime: *auto, StartOffset: *late, Model: &m})
			n := r.rank(k)
			mark := " "
			if n != 1 {
				mark = "*"
			}
			ans = append(ans, said{k.Candidates[0].Confidence, n == 1})
			by[r.system] = append(by[r.system], said{k.Candidates[0].Confidence, n == 1})
			f := cause.Explain(r.given, cause.Options{IgnoreFaultTime: *auto, StartOffset: *late, Model: &m})
			fmt.Printf("%s %-32s %-16s %-12s conf %.2f (%.2f %.2f) rank %d start %+4.0f truth %s | %s %s %s\n", mark, r.given.ID, r.fault, k.DecidedBy, k.Candidates[0].Confidence, f.X[0], f.X[1], n, k.Start.Sub(r.given.FaultTime).Seconds(), r.truth[0], k.Candidates[0].Entity, k.Candidates[1].Entity, k.Candidates[2].Entity)
		}
		e, s, n, a := calibration(ans)
		fmt.Printf("#cal ece %.3f sure %.3f (%d) auroc %.3f\n", e, s, n, a)
		for k, v := range by {
			e, s, n, a := calibration(v)
			fmt.Printf("#cal %s ece %.3f sure %.3f (%d) auroc %.3f\n", k, e, s, n, a)
		}
	}
}
