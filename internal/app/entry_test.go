package app

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/rules"
)

func TestAnAnomalyIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	call := labels.FromStrings("client", "api-orders", "server", "payment")
	for name, c := range map[string]struct {
		labels labels.Labels
		unit   string
		usual  float64
		now    float64 // NaN: no sample comes
		want   string
	}{
		"a call that is slow":           {call, rules.Seconds, 0.1, 1.003, `^w of api-orders → payment: Spike to 1 s \(9\.8x the usual\) at 00:00 UTC, usually [\d.]+ to [\d.]+ ms$`},
		"errors where there are none":   {labels.FromStrings("service", "cart"), rules.Ratio, 0, 0.291, `^w of cart: Spike to 29.1 % at 00:00 UTC, usually 0 %$`},
		"traffic that is gone":          {labels.EmptyLabels(), rules.PerSecond, 40, 0, `^w: Drop to 0/s at 00:00 UTC, usually [\d.]+ to [\d.]+/s$`},
		"a plain number":                {labels.EmptyLabels(), "", 40, 90, `^w: Spike to 90 \(2.\dx the usual\) at 00:00 UTC, usually [\d.]+ to [\d.]+$`},
		"a value that is usual":         {labels.EmptyLabels(), "", 40, 40, `^w: Within what is usual: 40, usually [\d.]+ to [\d.]+$`},
		"a series that is gone is told": {labels.EmptyLabels(), "", 40, math.NaN(), `^w: No sample since Thursday 23:59 UTC \(6 h\), 3 of 3 days have one at this time$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			require.NoError(t, err)
			e := &entry{series: engine.Add("w", c.labels, time.Minute, baseline.SeriesOptions{}), watch: &watch{Watch: rules.Watch{Name: "w"}, unit: c.unit}}
			begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
			for i := range 4 * 1440 {
				e.series.Observe(begin.Add(time.Duration(i)*time.Minute).UnixMilli(), c.usual*(1+float64(i*7919%11)/200))
			}
			end := begin.Add(4 * 24 * time.Hour)
			if math.IsNaN(c.now) {
				e.series.Absent(end.Add(6*time.Hour - time.Minute).UnixMilli())
			} else {
				e.series.Observe(end.UnixMilli(), c.now)
			}
			brief, text := e.explained()
			require.Regexp(t, c.want, brief)
			require.Contains(t, text, brief+". ")
			require.LessOrEqual(t, len(brief), 110)
		})
	}
}
