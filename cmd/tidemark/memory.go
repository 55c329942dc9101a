package main

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kingpin/v2"
)

// memory is the limit of memory that the runtime keeps to, by the flags that Prometheus has for it.
type memory struct {
	auto  bool
	ratio float64
}

func memoryFlags(cli *kingpin.Application) *memory {
	m := &memory{}
	cli.Flag("auto-gomemlimit", "Set GOMEMLIMIT to a share of the container's or the machine's memory, unless it is set.").Default("true").BoolVar(&m.auto)
	cli.Flag("auto-gomemlimit.ratio", "The share of the memory that GOMEMLIMIT is set to.").Default("0.9").FloatVar(&m.ratio)
	return m
}

// apply sets the limit; without one, the garbage collector alone decides.
func (m *memory) apply(logger *slog.Logger) {
	if !m.auto {
		return
	}
	limit, err := memlimit.SetGoMemLimitWithOpts(
		memlimit.WithRatio(m.ratio),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)),
	)
	if err != nil {
		logger.Warn("Setting GOMEMLIMIT failed", "err", err)
		return
	}
	logger.Debug("The memory limit is set", "bytes", limit)
}
