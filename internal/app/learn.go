package app

import (
	"cmp"
	"context"
	"time"

	"github.com/tidemark/tidemark/internal/promread"
)

// learners is how many watches are learned at a time: while one waits for Prometheus the other computes. How
// many reads are in flight is the client's to say.
const learners = 2

// byUse sorts watches for learning: what alerting rules compare comes first, then what the configuration names.
func byUse(a, b *watch) int { return cmp.Compare(a.use(), b.use()) }

func (w *watch) use() int {
	switch {
	case len(w.Alerts) > 0:
		return 0
	case w.Origin == "config":
		return 1
	}
	return 2
}

// learnAll learns one watch after the other as long as there are any, and those that are found later.
func (s *scorer) learnAll(ctx context.Context) {
	for {
		w := s.toLearn()
		if w == nil {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
			continue
		}
		if s.learn(ctx, w) != nil {
			return // Only the end of ctx ends learning.
		}
		s.noteLearned()
	}
}

// toLearn takes the next watch that nobody learns yet; nil when there is none.
func (s *scorer) toLearn() *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		if !w.learner {
			w.learner = true
			return w
		}
	}
	return nil
}

// learn reads the history of one watch until it succeeds or ctx ends; failures are waited out.
func (s *scorer) learn(ctx context.Context, w *watch) error {
	pause := 2 * time.Second
	for {
		err := s.catchUp(promread.Paced(ctx), w, false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.note(w, err)
		if err == nil {
			s.mu.Lock()
			w.learned, w.done = true, 1
			for _, e := range w.list {
				e.before = e.active // What began in the history is not told as new.
			}
			s.mu.Unlock()
			return nil
		}
		s.logger.Warn("Reading history failed, trying again", "watch", w.Name, "pause", pause, "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
}

// noteLearned says so when the last watch is learned.
func (s *scorer) noteLearned() {
	s.mu.Lock()
	all := true
	for _, w := range s.watches {
		all = all && w.learned
	}
	watches, series := len(s.watches), len(s.entries)
	first := all && !s.announced
	s.announced = s.announced || all
	s.mu.Unlock()
	if !first {
		return
	}
	s.learned.Store(true)
	s.logger.Info("Learned the history of every watch", "watches", watches, "series", series, "took", s.now().Sub(s.began).Round(time.Millisecond))
	s.stages.expect("score", 3*s.slowest()+time.Minute)
}
