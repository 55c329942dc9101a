package stormtest

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Answer is a grouping of one storm: the members of each group and its causes.
type Answer struct {
	Groups [][]string
	Causes [][]Cause // by group, best first
}

// Cause is a named cause with its probability.
type Cause struct {
	Entity     string
	Confidence float64
}

// Figures of one storm, or the means over several. Pairwise and B-cubed figures are over distinct
// alerts (Amigó et al., 2009); mixed is the share of groups with alerts of more than one incident,
// noise included; split is the groups per incident of two alerts or more.
type Figures struct {
	PairF1, B3F1, Mixed, Split float64
	Alerts, Groups, True       int
	Roots, Root1, Root3        int
	Calibration                []Claim
}

// Claim is a stated probability and whether it came true.
type Claim struct {
	P     float64
	Right bool
}

// Score compares an answer with the truth.
func (s *Storm) Score(a Answer) Figures {
	group := map[string]int{}
	for g, members := range a.Groups {
		for _, f := range members {
			if _, ok := group[f]; !ok {
				group[f] = g
			}
		}
	}
	next := len(a.Groups)
	both, tc, gc := map[pairOf]int{}, map[string]int{}, map[int]int{}
	for _, f := range slices.Sorted(maps.Keys(s.Truth)) {
		g, ok := group[f]
		if !ok {
			g, next = next, next+1
		}
		both[pairOf{s.Truth[f], g}]++
		tc[s.Truth[f]]++
		gc[g]++
	}
	out := Figures{Alerts: len(s.Truth), Groups: len(gc), True: len(tc)}
	out.grouping(both, tc, gc)
	s.roots(&out, both, tc, a)
	return out
}

type pairOf struct {
	truth string
	group int
}

func pairs(n int) float64 { return float64(n) * float64(n-1) / 2 }

func harmonic(p, r float64) float64 {
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

func (out *Figures) grouping(both map[pairOf]int, tc map[string]int, gc map[int]int) {
	var hit, found, truth, bp, br float64
	in := map[int]int{}
	parts := map[string]int{}
	for k, v := range both {
		hit += pairs(v)
		bp += float64(v*v) / float64(gc[k.group])
		br += float64(v*v) / float64(tc[k.truth])
		in[k.group]++
		parts[k.truth]++
	}
	for _, v := range gc {
		found += pairs(v)
	}
	big, split := 0, 0
	for t, v := range tc {
		truth += pairs(v)
		if v >= 2 {
			big++
			split += parts[t]
		}
	}
	ratio := func(a, b float64) float64 {
		if b == 0 {
			return 1
		}
		return a / b
	}
	n := float64(out.Alerts)
	out.PairF1 = harmonic(ratio(hit, found), ratio(hit, truth))
	out.B3F1 = harmonic(ratio(bp, n), ratio(br, n))
	mixed := 0
	for _, k := range in {
		if k > 1 {
			mixed++
		}
	}
	out.Mixed = ratio(float64(mixed), float64(len(gc)))
	out.Split = ratio(float64(split), float64(big))
}

// roots asks whether the group with most of an incident's alerts names its root.
func (s *Storm) roots(out *Figures, both map[pairOf]int, tc map[string]int, a Answer) {
	for _, inc := range slices.Sorted(maps.Keys(s.Incidents)) {
		if tc[inc] < 2 {
			continue
		}
		out.Roots++
		best, most := -1, 0
		for k, v := range both {
			if k.truth == inc && (v > most || v == most && k.group < best) {
				best, most = k.group, v
			}
		}
		if best >= len(a.Causes) {
			continue
		}
		causes := a.Causes[best]
		for i, c := range causes[:min(3, len(causes))] {
			if c.Entity == s.Incidents[inc].Root {
				out.Root3++
				if i == 0 {
					out.Root1++
				}
				break
			}
		}
		if len(causes) > 0 {
			out.Calibration = append(out.Calibration, Claim{causes[0].Confidence, causes[0].Entity == s.Incidents[inc].Root})
		}
	}
}

// Mean is the means over storms; counts are summed.
func Mean(all []Figures) Figures {
	var m Figures
	for _, f := range all {
		n := float64(len(all))
		m.PairF1 += f.PairF1 / n
		m.B3F1 += f.B3F1 / n
		m.Mixed += f.Mixed / n
		m.Split += f.Split / n
		m.Alerts += f.Alerts
		m.Groups += f.Groups
		m.True += f.True
		m.Roots += f.Roots
		m.Root1 += f.Root1
		m.Root3 += f.Root3
		m.Calibration = append(m.Calibration, f.Calibration...)
	}
	return m
}

// Reduction is the alerts per group over that of the truth.
func (out *Figures) Reduction() float64 { return float64(out.True) / float64(out.Groups) }

// ECE is the expected calibration error in five bins of equal width.
func (out *Figures) ECE() float64 {
	const bins = 5
	var n, p, right [bins]float64
	for _, c := range out.Calibration {
		b := min(bins-1, int(c.P*bins))
		n[b]++
		p[b] += c.P
		if c.Right {
			right[b]++
		}
	}
	sum := 0.0
	for b := range bins {
		if n[b] > 0 {
			sum += math.Abs(p[b]-right[b]) / float64(len(out.Calibration))
		}
	}
	return sum
}

// AUROC is the probability that a right claim was stated with more confidence than a wrong one.
func (out *Figures) AUROC() float64 {
	c := slices.Clone(out.Calibration)
	slices.SortFunc(c, func(a, b Claim) int { return cmp.Compare(a.P, b.P) })
	var wins, total float64
	for _, r := range c {
		for _, w := range c {
			if r.Right && !w.Right {
				total++
				switch {
				case r.P > w.P:
					wins++
				case r.P == w.P:
					wins += 0.5
				}
			}
		}
	}
	if total == 0 {
		return math.NaN()
	}
	return wins / total
}
