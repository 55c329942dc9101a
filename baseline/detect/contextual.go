package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// The contextual tests compare a sample with what is usual at this time of day and week.
var (
	seasonUp = Detector{
		Family: tuning.Season, Name: "season_up", Kind: Contextual, Up: 1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayAgainst,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(in.Season, floorZ) },
	}
	seasonDown = Detector{
		Family: tuning.Season, Name: "season_down", Kind: Contextual, Up: -1, Each: true, Floor: floorZ, Prior: priorZ, Say: sayAgainst,
		Stat: func(_ *[Words]float32, in *Input) float64 { return logAt(-in.Season, floorZ) },
	}
)
