package cause

// Model holds every fitted constant of a ranking. The default is printed by the fit in
// internal/benchmarks/causefit, which chooses constants on some systems and scores them on others.
type Model struct {
	Alerts     AlertWeights
	Confidence ConfidenceModel
	// NoClearCause is the confidence below which the first entity should not be acted on.
	NoClearCause float64
}
