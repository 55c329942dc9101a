package baseline_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// docs/benchmarks-kinds.md counts the same over many series; here is what each rule is for.
func TestKindsOfAnomalies(t *testing.T) {
	const n = 15 * 288
	after := func(i int, hours float64) bool { return i > n+84 && float64(i-n-84) <= 12*hours } // From seven in the morning.
	for name, c := range map[string]struct {
		value func(i int) float64
		at    float64 // hours after which the kind is looked at
		want  baseline.Kind
	}{
		"a spike": {func(i int) float64 { return wave(i) + 300*float64(b2i(i == n+86)) }, 0.1, baseline.Point},
		"a level that has left, before it has stayed": {func(i int) float64 { return wave(i) + 200*float64(b2i(after(i, 9))) }, 0.2, baseline.Point},
		"a level that has left and stayed":            {func(i int) float64 { return wave(i) + 200*float64(b2i(after(i, 9))) }, 0.8, baseline.Shift},
		"a level that moved within what days hold":    {func(i int) float64 { return wave(i) - 25*float64(b2i(after(i, 9))) }, 6, baseline.Shift},
		"another time of day": {func(i int) float64 {
			if after(i, 2) {
				return wave(i + 144)
			}
			return wave(i)
		}, 1.5, baseline.Contextual},
		"a value that drifts": {func(i int) float64 { return wave(i) + 3*float64(max(0, i-n-84))*float64(b2i(after(i, 9))) }, 2, baseline.Collective},
		"up and down": {func(i int) float64 {
			if after(i, 9) {
				return wave(i) + 60*float64(1-2*(i%2))
			}
			return wave(i)
		}, 1.5, baseline.Collective},
		"stuck": {func(i int) float64 {
			if after(i, 9) {
				return 131.5
			}
			return wave(i)
		}, 1, baseline.Flatline},
		"zero": {func(i int) float64 { return wave(i) * float64(1-b2i(after(i, 9))) }, 1, baseline.Flatline},
	} {
		t.Run(name, func(t *testing.T) {
			s := engine(t).Add("w", labels.EmptyLabels(), 5*time.Minute, baseline.SeriesOptions{})
			feed(s, monday, n+85, 5*time.Minute, c.value)
			got := baseline.Score{}
			for i := n + 85; i <= n+84+int(math.Ceil(12*c.at)); i++ {
				if sc := s.Observe(monday.Add(time.Duration(i)*5*time.Minute).UnixMilli(), c.value(i)); sc.Raw > 1 {
					got = sc
				}
			}
			require.Equal(t, c.want, got.Kind, "score %.2f by %s; %s", got.Raw, got.Detector, s.Explain().Text)
			require.Equal(t, s.Last().Kind, s.Explain().Kind)
		})
	}
}
