package detect

// stuck sees a value that repeats for longer than the series' values ever do. Series whose values
// repeat as a rule (integers with few levels, constants) are left alone.
var stuck = Detector{Name: "stuck", Kind: Flatline, Floor: 2.2, Prior: Gumbel{Place: 2.2, Scale: 0.27},
	Stat: func(m *[Words]float32, in *Input) float64 {
		if in.Gap {
			return 2.2
		}
		same := float32(0)
		if in.Value == in.Last {
			same = 1
		}
		n := m[2] + 1
		w := max(1/n, float32(in.Rates.Day))
		m[2] = min(n, 1e6)
		m[0] = (m[0] + 1) * same
		m[1] += w * (same - m[1])
		if m[1] > 0.5 {
			return 2.2
		}
		return logAt(float64(m[0]), 2.2)
	}}

// zero sees a run of exact zeros.
var zero = Detector{Name: "zero", Kind: Flatline, Up: -1, Floor: 1.5, Prior: Gumbel{Place: 1.5, Scale: 0.25},
	Stat: func(m *[Words]float32, in *Input) float64 {
		if in.Value != 0 {
			m[0] = 0
			return 1.5
		}
		m[0]++
		return logAt(1+float64(m[0]), 1.5)
	}}
