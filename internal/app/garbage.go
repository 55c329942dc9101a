package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Of garbage collection.
const (
	// spareHeap is about how much of a large heap may be garbage. By default Go lets as much lie as lives, which is
	// another gigabyte for a million series; they make little garbage, so that collecting more often costs little.
	spareHeap = 256 << 20
	// leastPercent bounds how much more often.
	leastPercent = 15
	garbageLook  = 10 * time.Second
)

// garbagePercent is what GOGC is to be for a heap of which so much lives.
func garbagePercent(live uint64) int {
	if live <= spareHeap {
		return 100
	}
	return max(leastPercent, int(100*spareHeap/live))
}

// collectMore keeps the garbage of a large heap small until ctx ends. Who sets GOGC decides.
func collectMore(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(garbageLook)
	defer tick.Stop()
	defer debug.SetGCPercent(100)
	set := 100
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		if percent := garbagePercent(live[0].Value.Uint64()); percent != set {
			set = percent
			debug.SetGCPercent(percent)
		}
	}
}
