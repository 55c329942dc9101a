package main

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"time"
)

// restless is one series of how many whose deviation is over half of its mean, which is what the adaptive rules go by: a
// fifth of the hours of 71 public series of services and servers (NAB, Microsoft Cloud Monitoring, SMD, ASD, the
// AIOps-2018 KPIs, the NASA requests) is so.
const restless = 5

// fleet is a number of gauges with the rhythm of day and week, as the history and as a target that is scraped. With them
// goes what the rules would have recorded by now.
type fleet struct {
	n        int
	end      time.Time
	recorded []recorded
	out      []float64
	day      [1440]float64
}

// recorded is a series that a rule makes of each input, as its history has it.
type recorded struct {
	name  string
	back  time.Duration // From how long before the end on; 0 for all.
	every time.Duration // The interval of its group.
	of    func(f *fleet, i int, t time.Time) float64
	label map[string]string
}

// kept are the recorded series that the rules look back on: they are part of the history, as they are after the first
// eight days.
func kept() []recorded {
	value := func(f *fleet, i int, t time.Time) float64 { return f.value(i, t) }
	apart := func(f *fleet, i int, t time.Time) float64 { return math.Abs(f.value(i, t) - f.middle(i)) }
	return []recorded{
		{name: "bench:adaptive:select", every: minute, of: value, label: map[string]string{"strategy": "adaptive"}},
		{name: "bench:adaptive:stddev_1h", every: minute, back: 26 * time.Hour, of: (*fleet).deviation, label: map[string]string{"strategy": "adaptive"}},
		{name: "bench:robust:select", every: minute, of: value, label: map[string]string{"strategy": "robust"}},
		{name: "bench:robust:abs_dev_lt", every: minute, back: day, of: apart, label: map[string]string{"strategy": "robust"}},
		{name: "bench:robust:abs_dev_1w", every: 5 * minute, back: time.Hour, of: apart, label: map[string]string{"strategy": "robust"}},
		{name: "bench:robust:abs_dev_1d", every: 5 * minute, back: time.Hour, of: apart, label: map[string]string{"strategy": "robust"}},
	}
}

func newFleet(n int, end time.Time, with ...recorded) *fleet {
	f := &fleet{n: n, end: end, recorded: with, out: make([]float64, n*(1+len(with)))}
	for i := range f.day {
		f.day[i] = 500 + 200*math.Sin(2*math.Pi*float64(i)/1440)
	}
	return f
}

// Series implements history.Source.
func (f *fleet) Series() []map[string]string {
	var out []map[string]string
	for _, r := range append([]recorded{{name: level}}, f.recorded...) {
		for i := range f.n {
			ls := labelsOf(i)
			maps.Copy(ls, r.label)
			ls["__name__"] = r.name
			out = append(out, ls)
		}
	}
	return out
}

// labelsOf are those of a scraped service of usual length.
func labelsOf(i int) map[string]string {
	return map[string]string{
		"cluster": "prod-eu-1", "namespace": fmt.Sprintf("shop-%02d", i%40), "service": fmt.Sprintf("checkout-%03d", i/25),
		"pod": fmt.Sprintf("checkout-%03d-7c9f8d6b5-%05d", i/25, i), "job": "bench", "instance": "bench:1",
	}
}

// noise is a number of 64 bits that depends on series and minute alone.
func noise(i int, m int64) uint64 {
	h := (uint64(m)*0x9e3779b97f4a7c15 ^ uint64(i)*0xbf58476d1ce4e5b9) * 0x94d049bb133111eb
	return h ^ h>>31
}

func isRestless(i int) bool { return i%restless == 0 }

// value is that of a series at a time: a day's rhythm, a Sunday that is calmer, noise, and for the restless ones four
// minutes in sixteen with five times as much.
func (f *fleet) value(i int, t time.Time) float64 {
	m := t.Unix() / 60
	v := f.day[(m+int64(i)*7)%1440]
	if t.Weekday() == time.Sunday {
		v *= 0.7
	}
	h := noise(i, m)
	if isRestless(i) && h>>50&15 < 4 {
		v *= 5
	}
	return math.Round(v + float64(h>>58) - 32)
}

// middle is the median of a day, nearly.
func (f *fleet) middle(i int) float64 {
	if isRestless(i) {
		return 600
	}
	return 500
}

// deviation is the standard deviation of an hour, nearly, where it is over half of the mean.
func (f *fleet) deviation(i int, t time.Time) float64 {
	if !isRestless(i) {
		return math.NaN()
	}
	m := t.Unix() / 60
	return math.Sqrt(3)*f.day[(m+int64(i)*7)%1440] + float64(noise(i, -m)>>58)
}

// Step implements history.Source.
func (f *fleet) Step(t time.Time, _ time.Duration) []float64 {
	for i := range f.n {
		f.out[i] = f.value(i, t)
	}
	for k, r := range f.recorded {
		part := f.out[(k+1)*f.n:]
		due := t.Truncate(r.every).Equal(t) && (r.back == 0 || t.After(f.end.Add(-r.back)))
		for i := range f.n {
			part[i] = math.NaN()
			if due {
				part[i] = r.of(f, i, t)
			}
		}
	}
	return f.out
}

// ServeHTTP is the target: the first metric now.
func (f *fleet) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	for i := range f.n {
		ls := labelsOf(i)
		fmt.Fprintf(w, "%s{cluster=%q,namespace=%q,service=%q,pod=%q} %g\n", level, ls["cluster"], ls["namespace"], ls["service"], ls["pod"], f.value(i, now))
	}
}
