package cause

// Model holds every fitted constant of a ranking. The default is printed by the fit in
// internal/benchmarks/cause, which chooses constants on some systems and scores them on others.
type Model struct {
	// Alerts weighs alert lists with a Background, AlertsAlone those without.
	Alerts, AlertsAlone AlertWeights
	Confidence          ConfidenceModel
	// NoClearCause is the confidence below which the first entity should not be acted on.
	NoClearCause float64
}
