package main

import (
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // Only a wrong argument fails.
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// least runs the parts in turn, rounds times, each once a round, and returns the least processor time
// of each. Parts should take less than 2 ms, so that a busy machine leaves some of them alone. The
// garbage collector runs between the slices, not in them.
func least(rounds int, parts ...func()) []time.Duration {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	best := make([]time.Duration, len(parts))
	for round := range rounds {
		if round%8 == 0 && rounds > 1 {
			runtime.GC()
		}
		for i, part := range parts {
			begin := cpu()
			part()
			if took := cpu() - begin; round == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	return best
}

// perUnit is a duration shared by n units, in nanoseconds.
func perUnit(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }

// heap is the live heap in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
