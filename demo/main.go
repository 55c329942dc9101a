package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/tidemark/tidemark/demo/shop"
	"github.com/tidemark/tidemark/demo/stack"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	home, _ := os.UserCacheDir()
	f, _ := shop.FaultByName(os.Args[1])
	s, err := stack.New(stack.Options{Root: "..", Tools: home + "/tidemark/tools", Dir: "/tmp/demo-x", History: 28 * 24 * time.Hour})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(s.Prometheus.URL, s.Alertmanager.URL)
	fmt.Println(s.WriteHistory(ctx))
	fmt.Println(s.Shop.Overhead())
	fmt.Println(s.Alertmanager.Start(), s.Alertmanager.WaitReady(ctx))
	fmt.Println(s.Prometheus.Start(), s.Prometheus.WaitReady(ctx), time.Since(s.Began))
	t0 := time.Now()
	inj := time.Time{}
	for ctx.Err() == nil {
		a, err := s.Prometheus.FiringAlerts(ctx)
		n := map[string]int{}
		for _, x := range a {
			n[x.Labels["alertname"]]++
		}
		fmt.Println(time.Since(t0).Round(time.Second), len(a), n, err, len(s.Pager.Events()), s.Pager.Refused())
		if inj.IsZero() && time.Since(t0) > 75*time.Second {
			fmt.Println("INJECT", s.Shop.Inject(f))
			inj = time.Now()
		}
		time.Sleep(5 * time.Second)
	}
}
