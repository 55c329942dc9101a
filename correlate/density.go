package correlate

import "math"

// The time between the start of a cause and the onset of an alert: flat from flatBefore before to
// flatAfter plus perHop per call in between, with exponential tails; a small part of the mass lies
// anywhere within the reach.
const (
	flatBefore = 45.0  // s; clocks, scrape intervals and guessed starts
	flatAfter  = 60.0  // s
	perHop     = 40.0  // s per hop
	slowPods   = 300.0 // s more for pods of a node: they are evicted after 5 minutes
	tailBefore = 60.0  // s
	tailAfter  = 120.0 // s

	reachBefore = 20 * 60.0 // s
	reachAfter  = 30 * 60.0 // s
	farMass     = 0.03

	maxHops  = 5
	timeGrid = 5.0 // s, resolution of the table
)

// densities is ln of the density per second by hops (and slow), time difference on the grid.
type densities [2 * (maxHops + 1)][]float64

func newDensities() *densities {
	var d densities
	n := int((reachBefore+reachAfter)/timeGrid) + 1
	for h := range d {
		flat := flatBefore + flatAfter + perHop*float64(h%(maxHops+1))
		if h > maxHops {
			flat += slowPods
		}
		d[h] = make([]float64, n)
		for i := range d[h] {
			d[h][i] = math.Log(density(-reachBefore+float64(i)*timeGrid, flat))
		}
	}
	return &d
}

func density(dt, flat float64) float64 {
	shape := 1.0
	if dt < -flatBefore {
		shape = math.Exp((dt + flatBefore) / tailBefore)
	} else if end := flat - flatBefore; dt > end {
		shape = math.Exp((end - dt) / tailAfter)
	}
	return (1-farMass)*shape/(flat+tailBefore+tailAfter) + farMass/(reachBefore+reachAfter)
}

// at is ln of the density of an onset dt seconds after the start, or false out of reach.
func (d *densities) at(dt float64, row uint8) (float64, bool) {
	if dt < -reachBefore || dt > reachAfter {
		return 0, false
	}
	return d[row][int((dt+reachBefore)/timeGrid+0.5)], true
}

// row of the table for a number of hops.
func densityRow(hops int, slow bool) uint8 {
	h := uint8(min(hops, maxHops))
	if slow {
		h += maxHops + 1
	}
	return h
}
