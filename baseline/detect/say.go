package detect

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tidemark/tidemark/baseline/tuning"
)

// Seen are the numbers of one sample that its explanation needs; of fixed size, saved as it is.
type Seen struct {
	Value, Expected float64
	Forecast        float64        // by the last few samples
	Mean            float64        // the slow mean
	Scale, Bulk     float64        // spread of the seasonal residual, with and without the usual peaks
	Before          float32        // the first word of the test's memory before the sample
	Mem             [Words]float32 // the memory after it
	Missing         float64        // samples that did not come
	Present, Days   float64        // days that have a sample at this time, of so many days
	Siblings, Led   float64        // how many there are, and what they lead to expect
}

// Share is a series' part in a joint anomaly.
type Share struct {
	Name string
	Part float64
}

// Facts are what a sentence is made of.
type Facts struct {
	Seen
	When   string        // e.g. Tuesday 14:00; empty when the series has no season
	Step   time.Duration // between samples
	Rates  *tuning.Rates
	Group  string  // the labels that the siblings share
	Shares []Share // the largest first, the series itself among them as ""
	Num    func(float64) string
	Dur    func(time.Duration) string
}

// Usual names what the value is compared with.
func (f *Facts) usual() string {
	if f.When == "" {
		return "its usual level of " + f.Num(f.Expected)
	}
	return fmt.Sprintf("its usual %s of %s", f.When, f.Num(f.Expected))
}

// against compares the value with what is usual: as a ratio where that tells something.
func (f *Facts) against() string {
	r := 0.0
	if f.Expected > 0 && f.Value >= 0 {
		r = f.Value / f.Expected
	}
	switch d := f.Value - f.Expected; {
	case r >= 1.2 && r < 1000 || r > 0 && r <= 0.8:
		return fmt.Sprintf("%s, %sx %s", f.Num(f.Value), Times(r), f.usual())
	case d < 0:
		return fmt.Sprintf("%s, %s below %s", f.Num(f.Value), f.Num(-d), f.usual())
	default:
		return fmt.Sprintf("%s, %s above %s", f.Num(f.Value), f.Num(d), f.usual())
	}
}

// rhythm names what lasting tests compare with.
func (f *Facts) rhythm() string {
	if f.When == "" {
		return "its usual level"
	}
	return "what is usual for the time of day"
}

// apart says how far x is from y.
func (f *Facts) apart(x, y float64) string {
	if x < y {
		return f.Num(y-x) + " below"
	}
	return f.Num(x-y) + " above"
}

// span is the time that n samples take.
func (f *Facts) span(n float64) string { return f.Dur(time.Duration(n * float64(f.Step))) }

// ByName returns the row with this name, or a nameless one.
func ByName(name string) Detector {
	for _, d := range table {
		if d.Name == name {
			return d
		}
	}
	for _, d := range []Detector{missing, peerOutlier, joint} {
		if d.Name == name {
			return d
		}
	}
	return Detector{Name: name}
}

// Clause is the first clause of an explanation: what this test saw, in its own numbers.
func (d *Detector) Clause(f *Facts) string {
	if d.Say == nil {
		return f.against()
	}
	return d.Say(f)
}

// side is the word for the direction of a test.
func side(sign float64) string {
	if sign < 0 {
		return "below"
	}
	return "above"
}

func sayAgainst(f *Facts) string { return f.against() }

func sayJump(f *Facts) string {
	word := "a jump"
	if f.Value < f.Forecast {
		word = "a drop"
	}
	return fmt.Sprintf("%s where its last samples led to %s, %s of %s", f.Num(f.Value), f.Num(f.Forecast), word, f.Num(max(f.Value-f.Forecast, f.Forecast-f.Value)))
}

func sayMean(f *Facts) string {
	return fmt.Sprintf("%s, %s its mean of the last days of %s", f.Num(f.Value), f.apart(f.Value, f.Mean), f.Num(f.Mean))
}

func sayRecord(sign float64) func(*Facts) string {
	word := "highest"
	if sign < 0 {
		word = "lowest"
	}
	return func(f *Facts) string {
		return fmt.Sprintf("%s, and well %s %s, the %s it remembers", f.against(), side(sign), f.Num(sign*float64(f.Before)), word)
	}
}

// saySlow: the memory is a mean of clipped residuals in spreads.
func saySlow(sign float64) func(*Facts) string {
	return func(f *Facts) string {
		about := "about"
		if math.Abs(f.Value-f.Expected) > SlowClip*f.Scale {
			about = "at least" // what is clipped counts for less
		}
		return fmt.Sprintf("%s; over the last hours on average %s %s %s %s", f.Num(f.Value), about, f.Num(sign*float64(f.Mem[0])*f.Scale), side(sign), f.rhythm())
	}
}

// excess is the mean of the clipped residuals that a cumulative sum of this horizon stands for: under a
// steady excess x over the slack it settles at x(1-w)/w.
func (f *Facts) excess(horizon int) float64 {
	w := f.Rates.Cusum[horizon]
	return (f.Rates.CusumSlack[horizon] + float64(f.Mem[0])*w/(1-w)) * f.Bulk
}

func sayCusum(sign float64) func(*Facts) string {
	return func(f *Facts) string {
		return fmt.Sprintf("%s; over about the last %s on average at least %s %s %s, time and again", f.Num(f.Value), f.hours(f.Rates.CusumHours[0]), f.Num(f.excess(0)), side(sign), f.rhythm())
	}
}

func sayShift(sign float64) func(*Facts) string {
	return func(f *Facts) string {
		return fmt.Sprintf("%s; its level has left %s: over about the last %s on average at least %s %s it", f.Num(f.Value), f.usual(), f.hours(f.Rates.CusumHours[1]), f.Num(f.excess(1)), side(sign))
	}
}

func (f *Facts) hours(h float64) string { return f.Dur(time.Duration(h * float64(time.Hour))) }

func sayVariance(f *Facts) string {
	return fmt.Sprintf("%s, restless: it moves by %s from sample to sample, %sx the %s that are usual", f.Num(f.Value), f.Num(float64(f.Mem[0])), Times(float64(f.Mem[0]/f.Mem[1])), f.Num(float64(f.Mem[1])))
}

// sayLikelihood: the memory is two mean surprises, logarithms of one plus spreads.
func sayLikelihood(f *Facts) string {
	return fmt.Sprintf("%s; its last samples are unusual one after the other: %s spreads off what is expected, %s are usual", f.Num(f.Value), f.Num(math.Expm1(float64(f.Mem[0]))), f.Num(math.Expm1(float64(f.Mem[1]))))
}

func sayStuck(f *Facts) string {
	return fmt.Sprintf("Stuck at %s for %s samples (%s), where %s %% of its samples repeat the one before", f.Num(f.Value), f.Num(float64(f.Mem[0])+1), f.span(float64(f.Mem[0])), Percent(float64(f.Mem[1])))
}

func sayZero(f *Facts) string {
	return fmt.Sprintf("Zero for %s samples (%s), where %s %% of its samples are zero", f.Num(float64(f.Mem[0])), f.span(float64(f.Mem[0])), Percent(float64(f.Mem[1])))
}

func sayAbsent(f *Facts) string {
	s := fmt.Sprintf("No sample for %s, %s missing", f.span(f.Missing), f.Num(f.Missing))
	if f.Days > 0 {
		s += fmt.Sprintf(", where %s of %s days have one at this time", f.Num(f.Present), f.Num(f.Days))
	}
	return s
}

func sayPeer(f *Facts) string {
	return fmt.Sprintf("%s, unlike its %s siblings%s, which lead to expect %s", f.Num(f.Value), f.Num(f.Siblings), in(f.Group), f.Num(f.Led))
}

func sayJoint(f *Facts) string {
	s := fmt.Sprintf("%s; with its %s siblings%s it does not move as they usually do together", f.Num(f.Value), f.Num(f.Siblings), in(f.Group))
	if len(f.Shares) == 0 {
		return s
	}
	return s + ": " + TakePart(f.Shares) + " of it"
}

// TakePart names the largest parts in a joint anomaly.
func TakePart(shares []Share) string {
	parts := make([]string, 0, 3)
	for _, c := range shares[:min(3, len(shares))] {
		if c.Part < 0.05 {
			break
		}
		name := c.Name
		if name == "" {
			name = "this one"
		}
		parts = append(parts, fmt.Sprintf("%s %s %%", name, Percent(c.Part)))
	}
	return strings.Join(parts, ", ")
}

func in(group string) string {
	if group == "" || group == "{}" {
		return ""
	}
	return " of " + group
}

// Percent is a share in whole percent; what is not nothing is at least "under 1".
func Percent(share float64) string {
	if share > 0 && share < 0.01 {
		return "under 1"
	}
	return fmt.Sprintf("%.0f", 100*share)
}

// Times is a factor in two digits, never as a power of ten.
func Times(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2g", x)
}
