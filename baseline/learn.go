package baseline

// Learn teaches samples of the past, in order of time (t is unix milliseconds), as observing each would.
func (s *Series) Learn(t []int64, v []float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range t {
		s.last = s.observe(t[i], v[i])
	}
}
