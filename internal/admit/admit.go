// Package admit decides which new series may be watched: those of this shard, within the limits of number,
// labels and memory. Series that are watched already are never turned away.
package admit

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/prometheus/model/labels"
)

// Config is the section `limits:` of the configuration file.
type Config struct {
	// MaxSeries is how many series may be watched at once.
	MaxSeries int `yaml:"max_series,omitempty"`
	// MaxLabels bounds the labels of a watched series.
	MaxLabels int `yaml:"max_labels,omitempty"`
	// MaxLabelBytes bounds the names and values of a series' labels together, in bytes.
	MaxLabelBytes int `yaml:"max_label_bytes,omitempty"`
	// MemoryRatio is the share of the memory limit (GOMEMLIMIT, by default 0.9 of the container's) that the
	// live heap may fill before new series are refused; 0 turns that off.
	MemoryRatio float64 `yaml:"memory_ratio"`
}

// DefaultConfig is the section of an empty file.
func DefaultConfig() Config {
	return Config{MaxSeries: 1_000_000, MaxLabels: 64, MaxLabelBytes: 16 << 10, MemoryRatio: 0.8}
}

// UnmarshalYAML fills the defaults first and checks.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says which limit can't be meant, and what would be right.
func (c *Config) Validate() error {
	switch {
	case c.MaxSeries < 1, c.MaxLabels < 1, c.MaxLabelBytes < 1:
		return errors.New("limits: max_series, max_labels and max_label_bytes must be above zero; leave them out for the defaults")
	case !(c.MemoryRatio >= 0 && c.MemoryRatio <= 1):
		return fmt.Errorf("limits: memory_ratio is %g: must be between 0 (no limit) and 1", c.MemoryRatio)
	}
	return nil
}

// Gate lets new series in or not. It is safe for concurrent use.
type Gate struct {
	cfg    Config
	shard  Shard
	log    *slog.Logger
	now    func() time.Time
	memory func() (live, limit uint64)

	refused *prometheus.CounterVec

	mu     sync.Mutex
	warned map[string]bool
	full   bool      // of memory, when last looked
	looked time.Time // at the memory
}

// New makes a gate.
func New(cfg Config, shard Shard, logger *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Gate {
	return &Gate{
		cfg: cfg, shard: shard, log: logger, now: now, memory: heap, warned: map[string]bool{},
		refused: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_series_refused_total", Help: "Times that a new series was turned away, by the limit that it met. It asks again at each step.",
		}, []string{"limit"}),
	}
}

// Shard is the one that the gate is for.
func (g *Gate) Shard() Shard { return g.shard }

// Owns says whether a series of a watch belongs to this shard; see Shard.
func (g *Gate) Owns(watch string, groupBy []string, ls labels.Labels) bool {
	return g.shard.Owns(watch, groupBy, ls)
}

// Admit says whether a new series of this shard may be watched, when watched of them are already. A refusal is
// counted, and told once in the log until series are let in again.
func (g *Gate) Admit(watched int, ls labels.Labels) bool {
	limit, text := g.check(watched, ls)
	g.mu.Lock()
	defer g.mu.Unlock()
	if limit == "" {
		if len(g.warned) > 0 {
			clear(g.warned)
		}
		return true
	}
	g.refused.WithLabelValues(limit).Inc()
	if !g.warned[limit] {
		g.warned[limit] = true
		g.log.Warn("New series are refused, those that are watched go on", "limit", limit, "reason", text, "series", ls.String())
	}
	return false
}

func (g *Gate) check(watched int, ls labels.Labels) (limit, text string) {
	switch {
	case watched >= g.cfg.MaxSeries:
		return "max_series", fmt.Sprintf("limits.max_series is %d", g.cfg.MaxSeries)
	case ls.Len() > g.cfg.MaxLabels:
		return "max_labels", fmt.Sprintf("it has %d labels, limits.max_labels is %d", ls.Len(), g.cfg.MaxLabels)
	}
	size := 0
	ls.Range(func(l labels.Label) { size += len(l.Name) + len(l.Value) })
	switch {
	case size > g.cfg.MaxLabelBytes:
		return "max_label_bytes", fmt.Sprintf("its labels have %d bytes, limits.max_label_bytes is %d", size, g.cfg.MaxLabelBytes)
	case g.memoryFull():
		return "memory", fmt.Sprintf("the heap fills %g of the memory limit: raise GOMEMLIMIT or the container's memory, or watch less", g.cfg.MemoryRatio)
	}
	return "", ""
}

// memoryFull looks at the heap at most once a second.
func (g *Gate) memoryFull() bool {
	if g.cfg.MemoryRatio == 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.now(); now.Sub(g.looked) >= time.Second {
		g.looked = now
		live, limit := g.memory()
		g.full = limit != math.MaxInt64 && float64(live) > g.cfg.MemoryRatio*float64(limit)
	}
	return g.full
}

// heap is what the last garbage collection found alive, and the limit that the runtime keeps to.
func heap() (live, limit uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), uint64(debug.SetMemoryLimit(-1))
}

// Use is how much of a limit is used up.
type Use struct {
	Limit     string // Its name in the configuration.
	Used, Max float64
	Bytes     bool // Else a number of series.
}

// Use lists the limits that fill up, with so many series watched: their number, and the live heap where the runtime has
// a memory limit.
func (g *Gate) Use(watched int) []Use {
	out := []Use{{Limit: "max_series", Used: float64(watched), Max: float64(g.cfg.MaxSeries)}}
	if live, limit := g.memory(); limit != math.MaxInt64 && g.cfg.MemoryRatio > 0 {
		out = append(out, Use{Limit: "memory_ratio", Used: float64(live), Max: g.cfg.MemoryRatio * float64(limit), Bytes: true})
	}
	return out
}
