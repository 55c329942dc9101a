package baseline

// Learn teaches samples of the past, in order of time (t is unix milliseconds), as observing each would.
func (s *Series) Learn(t []int64, v []float64) { s.ObserveAll(t, v, nil) }

// ObserveAll observes samples one after the other and hands each score to each, which may be nil and must not
// call the series. It spares a large fleet the way to the disk and back for every slot of the day.
func (s *Series) ObserveAll(t []int64, v []float64, each func(Score)) {
	s.lock()
	defer s.unlock()
	for i := range t {
		if sc := s.take(t[i], v[i]); each != nil {
			each(sc)
		}
	}
}
