package main

import (
	"math"
	"math/rand/v2"
)

// heldOut are shapes that nothing was chosen on. They were written before the method was changed, and run after.
var heldOut = []shape{
	{"a week's rhythm that grows", func(r *rand.Rand, fills bool) disk {
		const days = 35
		top := 72 + 14*r.Float64()
		swing, off, growth := 5+15*r.Float64(), 0.2+0.4*r.Float64(), 0.1+0.3*r.Float64()
		peak, walk := r.Float64(), 0.0
		v := make([]float64, days*diskDay)
		for i := range v {
			day := float64(i) / diskDay
			amp := swing
			if i/diskDay%7 >= 5 {
				amp *= off
			}
			walk = 0.998*walk + 0.04*r.NormFloat64()
			v[i] = top - growth*(days-day) - swing + amp*math.Exp(2*(math.Cos(2*math.Pi*(day-peak))-1)) + walk
		}
		return fill(r, v, fills, top)
	}},
	{"a day's rhythm that grows", func(r *rand.Rand, fills bool) disk {
		const days = 21
		top := 72 + 14*r.Float64()
		swing, growth, second := 3+12*r.Float64(), 0.2+0.8*r.Float64(), 0.6*r.Float64()
		phase, v := r.Float64(), make([]float64, days*diskDay)
		for i := range v {
			day := float64(i) / diskDay
			x := 2 * math.Pi * (day - phase)
			v[i] = top - growth*(days-day) + swing*((math.Sin(x)+second*math.Sin(2*x+1))/(1+second)-1)
		}
		return fill(r, v, fills, top)
	}},
	{"write-ahead logs that wait for a replica", func(r *rand.Rand, fills bool) disk {
		base, top := 40+25*r.Float64(), 70+16*r.Float64()
		lag, v := 0.0, make([]float64, 14*diskDay)
		rate, left, segment := 0.0, 0, 0.0
		for i := range v {
			if left == 0 && r.Float64() < 2.0/diskDay {
				left = 4 + r.IntN(20) // 20 minutes to two hours
				rate = (top - base - 2) * (0.3 + 0.7*r.Float64()) / float64(left)
			}
			if left > 0 {
				lag += rate
				left--
			} else {
				lag *= 0.35 // the replica is back, the logs are removed
			}
			if segment += 0.3 * r.Float64(); segment > 1.5 { // a checkpoint
				segment = 0
			}
			v[i] = base + lag + segment
		}
		return fill(r, v, fills, top)
	}},
	{"logs rotated at midnight or when large, written fast in incidents", func(r *rand.Rand, fills bool) disk {
		base, top := 45+20*r.Float64(), 72+13*r.Float64()
		calm := (top - base) * (0.15 + 0.35*r.Float64()) / diskDay
		logs, incident, times := 0.0, 0, 1.0
		v := make([]float64, 14*diskDay)
		for i := range v {
			if incident == 0 && r.Float64() < 0.6/diskDay {
				incident, times = 12+r.IntN(24), 5+10*r.Float64()
			}
			rate := calm
			if incident > 0 {
				incident--
				rate *= times
			}
			if logs += rate * (0.7 + 0.6*r.Float64()); i%diskDay == 0 || logs > top-base {
				logs *= 0.1
			}
			v[i] = base + logs
		}
		return fill(r, v, fills, top)
	}},
	{"images pulled at working hours, collected at a threshold", func(r *rand.Rand, fills bool) disk {
		top := 72 + 12*r.Float64()
		low := top - 4 - 12*r.Float64()
		x, end := low, top
		v := make([]float64, 21*diskDay)
		for i := range v {
			pulls := 1.0
			if h := i % diskDay / 12; h >= 8 && h < 18 && i/diskDay%7 < 5 {
				pulls = 12
			}
			if r.Float64() < pulls/diskDay {
				x += 0.4 + 3*r.Float64()*r.Float64()
			}
			if x > end {
				x, end = low+0.7*r.NormFloat64(), top+r.NormFloat64()
			}
			v[i] = x
		}
		return fill(r, v, fills, top+3)
	}},
	{"a database that is vacuumed, and rewritten on Sundays", func(r *rand.Rand, fills bool) disk {
		const days = 28
		top := 72 + 13*r.Float64()
		bloat, growth := (0.8+1.6*r.Float64())/diskDay, 0.05+0.2*r.Float64()
		dead, kept, next := 0.0, 0.0, 2+2*r.Float64()
		v := make([]float64, days*diskDay)
		for i := range v {
			day := float64(i) / diskDay
			busy := 1 + 0.8*math.Sin(2*math.Pi*(day-0.3))
			if dead += 3 * bloat * busy * (0.5 + r.Float64()); dead > next { // vacuum gives back the end of the file
				kept += dead * 0.3 * r.Float64()
				dead, next = 0, 2+2*r.Float64()
			}
			if i%(7*diskDay) == 6*diskDay+36 {
				kept, dead = 0, 0
			}
			v[i] = top - 14 - growth*(days-day) + min(14, kept+dead)
		}
		return fill(r, v, fills, top)
	}},
	{"backups written at night and deleted in the morning", func(r *rand.Rand, fills bool) disk {
		const days = 21
		top := 72 + 14*r.Float64()
		size, growth := 8+22*r.Float64(), 0.05+0.25*r.Float64()
		long := 12 + r.IntN(36)
		v := make([]float64, days*diskDay)
		for d := range days {
			from := 12 + r.IntN(5)
			until := 80 + r.IntN(9)
			full := size * (1 + 0.01*float64(d)) / (1 + 0.01*days) * (0.97 + 0.03*r.Float64())
			for k := range diskDay {
				i := d*diskDay + k
				v[i] = top - size - growth*(days-float64(i)/diskDay)
				if k >= from && k < until {
					v[i] += full * min(1, float64(k-from)/float64(long))
				}
			}
		}
		return fill(r, v, fills, top)
	}},
}
