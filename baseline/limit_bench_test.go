package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
)

func BenchmarkTimeToLimit(b *testing.B) {
	for name, value := range map[string]func(i int) float64{
		"a saw-tooth": func(i int) float64 { return 40 + 40*float64(i%100)/100 + 0.1*noise(i) },
		"a rhythm":    func(i int) float64 { return 60 + 20*math.Sin(2*math.Pi*float64(i)/288) + 0.1*noise(i) },
	} {
		b.Run(name, func(b *testing.B) {
			s := engine(b).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, 29*288, 5*time.Minute, value)
			b.ReportAllocs()
			for b.Loop() {
				s.TimeToLimit(90)
			}
		})
	}
}
