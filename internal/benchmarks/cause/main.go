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
	set := flag.String("set", "rca", "")
	auto := flag.Bool("auto", false, "")
	flag.Parse()
	cases, err := load(filepath.Join(os.Getenv("TIDEMARK_DATA"), *set), cause.Reference(*ref))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, r := range cases {
		if *sys != "" && r.system != *sys {
			continue
		}
		k := cause.Rank(r.given, cause.Options{IgnoreFaultTime: *auto})
		n := r.rank(k)
		mark := " "
		if n != 1 {
			mark = "*"
		}
		fmt.Printf("%s %-32s %-16s %-12s conf %.2f rank %d start %+4.0f truth %s | %s %s %s\n", mark, r.given.ID, r.fault, k.DecidedBy, k.Candidates[0].Confidence, n, k.Start.Sub(r.given.FaultTime).Seconds(), r.truth[0], k.Candidates[0].Entity, k.Candidates[1].Entity, k.Candidates[2].Entity)
	}
}
