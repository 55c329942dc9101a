package app

import (
	"context"
	"io"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/tidemark/tidemark/internal/progress"
)

// learning says how far the history is learned and how long the rest will take.
type learning struct {
	scorer   *scorer
	terminal io.Writer // Where a bar is drawn if it is one; nil draws none.

	mu       sync.Mutex
	began    time.Time
	begin    float64   // The share that was learned then.
	counted  time.Time // When samples were counted last.
	samples  int64
	budget   float64 // Engine.BudgetRatio, looked up once a minute: it asks every series.
	budgetAt time.Time
}

// learningLog is how often the log says how far learning is.
const learningLog = 10 * time.Second

// settledShare is the share from which the time that is left is told.
const settledShare = 0.02

func newLearning(reg prometheus.Registerer, s *scorer) *learning {
	l := &learning{scorer: s}
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_learned_series", Help: "Series of watches whose history is learned.",
	}, func() float64 { _, n := s.learnedParts(); return float64(n) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_learning_remaining_seconds", Help: "Estimated time until the history of every watch is learned; 0 when it is, NaN while nobody can say.",
	}, func() float64 {
		left, ok := l.left()
		if !ok {
			return math.NaN()
		}
		return left.Seconds()
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_fleet_false_alarm_budget_ratio", Help: "Observed rate of alarms over the rate that the budget allows, over all watched series, over about the last 60 days.",
	}, l.budgetRatio)
	return l
}

// left is the time that the rest of the history will take at the pace so far; false while nobody can say.
func (l *learning) left() (time.Duration, bool) {
	if l.scorer.learned.Load() {
		return 0, true
	}
	now, share := l.scorer.now(), l.scorer.progress()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() || share-l.begin < settledShare {
		return 0, false
	}
	return time.Duration(float64(now.Sub(l.began)) * (1 - share) / (share - l.begin)), true
}

// budgetRatio is that of the engine, at most a minute old.
func (l *learning) budgetRatio() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.scorer.now(); l.budgetAt.IsZero() || now.Sub(l.budgetAt) > time.Minute {
		l.budget, l.budgetAt = l.scorer.engine.BudgetRatio(), now
	}
	return l.budget
}

// Run tells the log how far learning is, until everything is learned.
func (l *learning) Run(ctx context.Context) error {
	l.mu.Lock()
	l.began, l.begin = l.scorer.now(), 0
	l.mu.Unlock()
	bar := progress.New(l.terminal, "Learning") // Draws nothing where there is no terminal.
	defer bar.Done()
	draw := time.NewTicker(time.Second)
	defer draw.Stop()
	told := l.scorer.now()
	for !l.scorer.learned.Load() {
		select {
		case <-ctx.Done():
			return nil
		case <-draw.C:
		}
		bar.Set(l.scorer.progress())
		if now := l.scorer.now(); now.Sub(told) >= learningLog {
			told = now
			l.tell()
		}
	}
	bar.Done()
	<-ctx.Done()
	return nil
}

func (l *learning) tell() {
	if l.scorer.learned.Load() {
		return // That has been told.
	}
	watches, series := l.scorer.learnedParts()
	args := []any{"share", math.Round(1000*l.scorer.progress()) / 1000, "watches", watches, "of_watches", len(l.scorer.watchList()), "series", series, "of_series", l.scorer.Len()}
	l.mu.Lock()
	now, total := l.scorer.now(), l.scorer.taken.Load()
	if since := now.Sub(l.counted).Seconds(); !l.counted.IsZero() && since > 0 {
		args = append(args, "samples_per_second", math.Round(float64(total-l.samples)/since))
	}
	l.counted, l.samples = now, total
	l.mu.Unlock()
	if left, ok := l.left(); ok {
		args = append(args, "left", left.Round(time.Second))
	}
	l.scorer.logger.Info("Learning the history", args...)
}

// learnedParts are the watches whose history is learned, and their series.
func (s *scorer) learnedParts() (watches, series int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		if w.learned {
			watches++
			series += len(w.list)
		}
	}
	return watches, series
}
