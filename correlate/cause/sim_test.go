package cause_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidemark/tidemark/correlate/cause"
)

func TestSim(t *testing.T) {
	for _, mode := range []string{"plain", "quant", "quant-noedge", "quant-noedge-1s", "auto 1s"} {
		for name, f := range map[string]fault{"cpu": {cpu: 3}, "mem": {memory: 1}, "disk": {disk: 20}, "delay": {delay: .2}, "smalldelay": {delay: .03}, "net": {network: .2}, "err": {errors: .3}} {
			n, top, top3 := 0, 0, 0
			by := map[string]int{}
			conf := 0.0
			for i, at := range []string{"store", "search", "payment", "cart", "shipping", "checkout", "mail", "catalog", "quote"} {
				s := newShop(uint64(i))
				s.names = plain
				if mode != "plain" {
					s.names = quantiles
				}
				s.noEdges = mode != "plain" && mode != "quant"
				if mode == "quant-noedge-1s" || mode == "auto 1s" {
					s.step, s.normal, s.faulty = time.Second, 600, 200
				}
				r := cause.Rank(s.make(at, f), cause.Options{IgnoreFaultTime: mode == "auto 1s"})
				n++
				for k, c := range r.Candidates[:3] {
					if c.Entity == at {
						top3++
						if k == 0 {
							top++
						}
					}
				}
				by[r.DecidedBy]++
				conf += r.Candidates[0].Confidence
			}
			fmt.Printf("%-16s %-10s top1 %d/%d top3 %d %v conf %.2f\n", mode, name, top, n, top3, by, conf/float64(n))
		}
	}
}
