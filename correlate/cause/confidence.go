package cause

import "math"

// ConfidenceModel turns what decided into the probability that the first entity is the cause.
type ConfidenceModel struct {
	Evidence Logistic // Strength and margin of the deciding evidence.
	Alerts   Logistic // Share and lead in a ranking by alerts alone, with a Background,
	Alone    Logistic // and without.
}

// Logistic is a logistic regression on two features.
type Logistic struct {
	Bias    float64
	Weights [2]float64
}

// Features are what a ConfidenceModel reads; By names the regression.
type Features struct {
	By string // "evidence", "alerts" or "alone".
	X  [2]float64
}

// maxStrength is where more strength stops telling more.
const maxStrength = 3.5

// probability of the first entity.
func (m ConfidenceModel) probability(f Features) float64 {
	l := m.Evidence
	switch f.By {
	case "alerts":
		l = m.Alerts
	case "alone":
		l = m.Alone
	}
	return l.Probability(f.X)
}

// Probability is the logistic of the weighted features.
func (l Logistic) Probability(x [2]float64) float64 {
	return 1 / (1 + math.Exp(-(l.Bias + l.Weights[0]*x[0] + l.Weights[1]*x[1])))
}

// confidenceFeatures are strength and margin of what put the first entity first. Where no evidence
// decided, a place by the sum of weak signs has no strength of its own.
func (v *view) confidenceFeatures(d *decision) Features {
	f := Features{By: "evidence"}
	if d.by == nil {
		return f
	}
	f.X = [2]float64{min(max(d.by.strength, 0), maxStrength), max(0, min(d.by.margin, 5))}
	if d.by.kind == "alert_rarity" {
		f.By = "alerts"
		if !v.hasHistory() {
			f.By = "alone"
		}
	}
	return f
}

// confidences spreads what the first entity leaves over the others, halving from place to place.
// Nobody gets more than the first.
func confidences(first float64, n int) []float64 {
	out := make([]float64, n)
	if n == 0 {
		return out
	}
	out[0] = first
	left := 1 - first
	for i := 1; i < n; i++ {
		p := min(left/2, out[i-1])
		out[i] = p
		left -= p
	}
	return out
}
