package cause

// DefaultModel returns the constants that internal/benchmarks/causefit prints. They are fitted on
// all systems of the development data; the figures in docs/causes.md come from models that were
// fitted without the system they are scored on.
func DefaultModel() Model {
	return Model{
		Alerts: AlertWeights{Own: .86, Lift: 1.5, Host: .75, Node: 1.6, Service: .35},
		Confidence: ConfidenceModel{
			Evidence: Logistic{Bias: -1.5, Weights: [2]float64{.6, 1}},
			Alerts:   Logistic{Bias: -1, Weights: [2]float64{1, .5}},
		},
		NoClearCause: .35,
	}
}
