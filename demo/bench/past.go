package main

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// fleet is a number of gauges with the rhythm of day and week, as the history and as a target that is scraped.
type fleet struct {
	names []string // of the metrics; each has all series
	n     int
	out   []float64
	day   [1440]float64
}

func newFleet(n int, names ...string) *fleet {
	f := &fleet{names: names, n: n, out: make([]float64, n*len(names))}
	for i := range f.day {
		f.day[i] = 500 + 200*math.Sin(2*math.Pi*float64(i)/1440)
	}
	return f
}

// Series implements history.Source.
func (f *fleet) Series() []map[string]string {
	var out []map[string]string
	for _, name := range f.names {
		for i := range f.n {
			ls := labelsOf(i)
			ls["__name__"] = name
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

// value is that of a series at a time: a day's rhythm, a Sunday that is calmer, and noise that depends on both alone.
func (f *fleet) value(i int, t time.Time) float64 {
	m := t.Unix() / 60
	v := f.day[(m+int64(i)*7)%1440]
	if t.Weekday() == time.Sunday {
		v *= 0.7
	}
	h := (uint64(m)*0x9e3779b97f4a7c15 ^ uint64(i)*0xbf58476d1ce4e5b9) * 0x94d049bb133111eb
	return math.Round(v + float64(h>>58) - 32)
}

// Step implements history.Source.
func (f *fleet) Step(t time.Time, _ time.Duration) []float64 {
	for i := range f.n {
		v := f.value(i, t)
		for k := range f.names {
			f.out[k*f.n+i] = v
		}
	}
	return f.out
}

// ServeHTTP is the target: the first metric now.
func (f *fleet) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	for i := range f.n {
		ls := labelsOf(i)
		fmt.Fprintf(w, "%s{cluster=%q,namespace=%q,service=%q,pod=%q} %g\n", f.names[0], ls["cluster"], ls["namespace"], ls["service"], ls["pod"], f.value(i, now))
	}
}
