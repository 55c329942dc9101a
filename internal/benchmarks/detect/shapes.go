package main

import (
	"math"
	"math/rand/v2"
)

// disk is a generated disk: usage in percent, one sample every five minutes, and for some of them a real
// fill at the end.
type disk struct {
	v    []float64
	full int // sample at which the limit is reached for good, -1 never
}

const (
	limit   = 90
	diskDay = 288
)

// fill adds noise to what a disk holds and, where it is to fill, a ramp that begins two to five days
// before the end and takes a fifth of a day to a whole one from the disk's usual top to the limit.
func fill(r *rand.Rand, held []float64, fills bool, top float64) disk {
	d := disk{full: -1}
	n := len(held)
	from, rate := n-diskDay*2-r.IntN(diskDay*3), (limit-top)/(diskDay*(0.2+0.8*r.Float64()))
	for i, x := range held {
		x += 0.2 * r.NormFloat64()
		if fills && i >= from {
			x += rate * float64(i-from)
		}
		if fills && x >= limit && d.full < 0 {
			d.full = i
		}
		d.v = append(d.v, min(x, 100))
	}
	return d
}

// newDisk is a disk that a clock empties every 3 to 48 hours.
func newDisk(r *rand.Rand, fills bool) disk {
	n := 14 * diskDay
	climb := 10 + 30*r.Float64()
	base := 70 + 18*r.Float64() - climb      // the teeth end at 70 to 88 percent
	period := int((3 + 45*r.Float64()) * 12) // 3 to 48 hours
	d := disk{full: -1}
	level := base
	fillFrom, rate := n-diskDay*2-r.IntN(diskDay*3), (limit-base-climb)/(diskDay*(0.2+0.8*r.Float64()))
	for i := range n {
		if i%period == 0 {
			level = base + 2*r.NormFloat64()
		}
		level += climb / float64(period)
		x := level + 0.2*r.NormFloat64()
		if fills && i >= fillFrom {
			x += rate * float64(i-fillFrom)
		}
		if fills && x >= limit && d.full < 0 {
			d.full = i
		}
		d.v = append(d.v, min(x, 100))
	}
	return d
}

// shape is a kind of disk.
type shape struct {
	name string
	make func(r *rand.Rand, fills bool) disk
}

// tried are the shapes that the method was made on at first, beside the one that a clock empties; others were held out then, until what failed
// on them was looked at.
var (
	tried = []shape{
		{"emptied at a threshold, faster by day than by night", func(r *rand.Rand, fills bool) disk {
			top := 70 + 17*r.Float64()
			base, perDay := top-10-30*r.Float64(), (1+5*r.Float64())*30
			x, v := base, make([]float64, 14*diskDay)
			for i := range v {
				x += perDay / diskDay * (1 + 0.7*math.Sin(2*math.Pi*float64(i)/diskDay))
				if x > top {
					x = base + r.NormFloat64()
				}
				v[i] = x
			}
			return fill(r, v, fills, top)
		}},
		{"bursts of compaction on a level", func(r *rand.Rand, fills bool) disk {
			base, top := 40+20*r.Float64(), 70+17*r.Float64()
			v := make([]float64, 14*diskDay)
			left, long, high := 0, 1, 0.0
			for i := range v {
				if left == 0 && r.Float64() < 6.0/diskDay {
					long = 6 + r.IntN(36)
					left, high = long, (top-base)*(0.6+0.4*r.Float64())
				}
				v[i] = base
				if left > 0 {
					left--
					v[i] += high * float64(long-left) / float64(long)
				}
			}
			return fill(r, v, fills, top)
		}},
		{"a level that grows and flattens", func(r *rand.Rand, fills bool) disk {
			base, top := 20+30*r.Float64(), 70+18*r.Float64()
			from, tau := float64(diskDay*(3+r.IntN(4))), diskDay*(0.2+r.Float64())
			v := make([]float64, 14*diskDay)
			for i := range v {
				v[i] = base
				if x := float64(i) - from; x > 0 {
					v[i] += (top - base) * (1 - math.Exp(-x/tau))
				}
			}
			return fill(r, v, fills, top)
		}},
	}
	others = []shape{
		{"emptied in part, at odd times", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			x, v := base, make([]float64, 14*diskDay)
			slope := (top - base) / (diskDay * (0.3 + r.Float64()))
			end := top
			for i := range v {
				if x += slope; x > end {
					x -= (x - base) * (0.5 + 0.5*r.Float64())
					end = top + 2*r.NormFloat64()
				}
				v[i] = x
			}
			return fill(r, v, fills, top+2)
		}},
		{"rotated every day, cleaned up every week", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			daily := (top - base) * (0.2 + 0.3*r.Float64())
			v := make([]float64, 42*diskDay)
			for i := range v {
				week, day := float64(i%(7*diskDay))/(7*diskDay), float64(i%diskDay)/diskDay
				v[i] = base + (top-base-daily)*week + daily*day
			}
			return fill(r, v, fills, top)
		}},
		{"a day's rhythm", func(r *rand.Rand, fills bool) disk {
			top := 72 + 14*r.Float64()
			swing := 5 + 20*r.Float64()
			v := make([]float64, 14*diskDay)
			walk := 0.0
			for i := range v {
				walk = 0.999*walk + 0.05*r.NormFloat64()
				v[i] = top - swing + swing*math.Sin(2*math.Pi*float64(i)/diskDay) + walk
			}
			return fill(r, v, fills, top)
		}},
		{"steps of deployments, cleaned up now and then", func(r *rand.Rand, fills bool) disk {
			base, top := 30+20*r.Float64(), 72+14*r.Float64()
			x, v := base, make([]float64, 14*diskDay)
			for i := range v {
				if r.Float64() < 3.0/diskDay {
					if x += 3 + 7*r.Float64(); x > top {
						x = base + 3*r.NormFloat64()
					}
				}
				v[i] = x
			}
			return fill(r, v, fills, top)
		}},
		{"rotated by the clock at a varying rate", func(r *rand.Rand, fills bool) disk {
			climb := 10 + 30*r.Float64()
			base := 68 + 14*r.Float64() - climb
			period := int((6 + 40*r.Float64()) * 12)
			x, rate, v := base, 1.0, make([]float64, 14*diskDay)
			for i := range v {
				if i%period == 0 {
					x, rate = base+r.NormFloat64(), math.Exp(0.15*r.NormFloat64())
				}
				x += rate * climb / float64(period)
				v[i] = x
			}
			return fill(r, v, fills, base+1.2*climb)
		}},
	}
)
