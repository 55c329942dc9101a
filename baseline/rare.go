package baseline

import "github.com/tidemark/tidemark/baseline/detect"

// rare is what few series have at a time: an episode of anomalies, and what siblings need. Most series of a large fleet
// have none of it.
type rare struct {
	episode
	whole    int64    // until when samples are made of less than their window, see hole.go; 0 while they are whole
	withheld bool     // the fleet's budget took the episode's alarm back
	skimmed  *skimmed // of old history, samples of a run that is not complete; nil where there are none
	why      *why     // what made the last score; nil while it is not above 1
	group    *group   // nil outside a group
	peer     *sibling // what is usual among its siblings; nil outside a group
}

// episode is the time within which no anomaly is told twice; saved as it is. Its times are unix milliseconds, all 0
// outside of one.
type episode struct {
	Shown   float64 // last alarm score above 1
	ShownAt int64
	AboveAt int64 // last raw score above 1
	RunAt   int64 // since when raw scores have been above 1 without a longer break
	Since   int64
	Course  course
}

// episode is the one that the series is in.
func (s *Series) episode() episode {
	if s.rare == nil {
		return episode{}
	}
	return s.rare.episode
}

// own makes room for what few series have.
func (s *Series) own() *rare {
	if s.rare == nil {
		s.rare = s.name.engine.rares.Get().(*rare)
	}
	return s.rare
}

// shed gives the room back when nothing is in it.
func (s *Series) shed() {
	if s.rare != nil && *s.rare == (rare{}) {
		s.name.engine.rares.Put(s.rare)
		s.rare = nil
	}
}

// reason is what made the last score; nil while it is not above 1.
func (s *Series) reason() *why {
	if s.rare == nil {
		return nil
	}
	return s.rare.why
}

// siblings is the group of the series, nil outside of one.
func (s *Series) siblings() *group {
	if s.rare == nil {
		return nil
	}
	return s.rare.group
}

// usually is what is usual among the series' siblings; nil outside a group.
func (s *Series) usually() *sibling {
	if s.rare == nil {
		return nil
	}
	return s.rare.peer
}

// calm notes that the last score is not above 1.
func (s *Series) calm() {
	if s.rare != nil {
		s.rare.why = nil
	}
}

// score is the last score.
func (s *Series) score() Score {
	sc := s.last.score()
	e := s.episode()
	sc.Since = max(e.Since, e.RunAt)
	if k := e.Course.named(); k != "" && (sc.Raw > 1 || sc.Active) && s.last.row >= 0 && int(s.last.row) < detect.Count {
		sc.Kind = k
	}
	return sc
}
