package receiver

import (
	"sync"
	"time"
)

// bucket is a token bucket: rate bytes each second, at most burst saved up.
type bucket struct {
	mu     sync.Mutex
	tokens float64
	last   time.Time
}

// take says whether n bytes may pass now.
func (b *bucket) take(n, rate, burst int64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.IsZero() {
		b.tokens = float64(burst)
	} else if d := now.Sub(b.last).Seconds(); d > 0 {
		b.tokens += d * float64(rate)
	}
	b.last = now
	b.tokens = min(b.tokens, float64(burst))
	if float64(n) > b.tokens {
		return false
	}
	b.tokens -= float64(n)
	return true
}

// recent counts distinct hashes seen within a time, in two generations, so that its memory is bounded by
// twice the limit.
type recent struct {
	mu         sync.Mutex
	young, old map[uint64]struct{}
	rotated    time.Time
}

// add says whether the hash is known or there is room for it.
func (s *recent) add(h uint64, limit int, keep time.Duration, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || now.Sub(s.rotated) >= keep {
		s.old, s.young, s.rotated = s.young, map[uint64]struct{}{}, now
	}
	if _, ok := s.young[h]; ok {
		return true
	}
	_, known := s.old[h]
	if !known && len(s.young)+len(s.old) >= limit {
		return false
	}
	delete(s.old, h)
	s.young[h] = struct{}{}
	return true
}
