package detect

import "github.com/tidemark/tidemark/baseline/tuning"

// Rough is what a surprise against the last samples costs beside the cost of its family: nothing where those foretell
// the next one far better than the mean does (surprises are a small share of the usual distance to it), all of
// Params.Rough where they do not, by the logarithm in between. In a series that is all noise every sample surprises
// the last ones, and what is seen is only that it is noise.
func Rough(surprise, apart float64, p *tuning.Params) float64 {
	switch {
	case surprise >= apart:
		return p.Rough
	case surprise <= p.Smooth*apart:
		return 0
	}
	return p.Rough * (1 - Ln(surprise/apart)/Ln(p.Smooth))
}
