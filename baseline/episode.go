package baseline

// goesOn says that the block of the calibration that began at start has only gone on with an episode from before. The
// budget counts episodes, so that one that lasts for hours is one block, its first (runs declustering of exceedances,
// Leadbetter 1983); after a day it is no episode any more, but what the series is like.
func (s *Series) goesOn(start int64) bool {
	e := s.episode()
	return e.Since != 0 && e.Since < start && e.AboveAt >= start && start-e.Since < int64(3600e3*s.rates.OnceHours)
}

// turned says that the last sample lies beyond the usual range on the other side than the anomaly so far: a rise that
// becomes an outage is news. What falls back to what is usual has not turned.
func (s *Series) turned(c *course) bool {
	up, down := s.edges()
	z, far := float64(s.last.Z), s.rates.Turned
	return c.R < 0 && z > far*up || c.R > 0 && z < -far*down
}
