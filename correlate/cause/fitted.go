package cause

// DefaultModel returns the constants that `go run ./internal/benchmarks/cause -fit` prints. They are fitted on
// all systems of the development data; the figures in docs/causes.md come from models that were
// fitted without the system they are scored on.
func DefaultModel() Model {
	return Model{
		Alerts:      AlertWeights{Own: 0.81, Lift: 1.29, Host: 0.76, Node: 1.69, Service: 0.46},
		AlertsAlone: AlertWeights{Own: 0.46, Lift: 0.24, Host: 0.03, Node: 0.41, Service: 0.74},
		Confidence: ConfidenceModel{
			Evidence: Logistic{Bias: -0.66, Weights: [2]float64{1.05, 0.14}},
			Alerts:   Logistic{Bias: -0.61, Weights: [2]float64{0.14, 0.60}},
			Alone:    Logistic{Bias: -1.20, Weights: [2]float64{0.10, 0.34}},
		},
		NoClearCause: 0.50,
	}
}
