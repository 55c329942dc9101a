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
		score  baseline.Score
		want   string
	}{
		"a call that is slow": {call, rules.Seconds, baseline.Score{Value: 1.003, Lower: 0.0741, Upper: 0.164}, "w of api-orders → payment is 1 s, usually 74.1 to 164 ms"},
		"errors where there are none": {
			labels.FromStrings("service", "cart"), rules.Ratio, baseline.Score{Value: 0.291}, "w of cart is 29.1 %, usually 0 %",
		},
		"traffic that is gone":                   {labels.EmptyLabels(), rules.PerSecond, baseline.Score{Value: 0, Lower: 31, Upper: 44}, "w is 0/s, usually 31 to 44/s"},
		"only too much is abnormal":              {labels.EmptyLabels(), "", baseline.Score{Value: 9, Lower: math.Inf(-1), Upper: 3}, "w is 9, usually at most 3"},
		"only too little is abnormal":            {labels.EmptyLabels(), rules.Bytes, baseline.Score{Value: 512, Lower: 2048, Upper: math.Inf(1)}, "w is 512 B, usually at least 2 KiB"},
		"a value that is usual by itself":        {labels.EmptyLabels(), "", baseline.Score{Value: 2, Lower: 1, Upper: 3}, "w: too much to and fro"},
		"a value of a series that still learns":  {labels.EmptyLabels(), "", baseline.Score{Value: 2, Lower: math.NaN(), Upper: math.NaN()}, "w: too much to and fro"},
		"a series that is gone has no value now": {labels.EmptyLabels(), "", baseline.Score{Value: math.NaN(), Lower: 1, Upper: 3}, "w: too much to and fro"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			require.NoError(t, err)
			e := &entry{series: engine.Add("w", c.labels, time.Minute, baseline.SeriesOptions{}), watch: &watch{Watch: rules.Watch{Name: "w"}, unit: c.unit}}
			require.Equal(t, c.want, e.brief(c.score, "w: too much to and fro; season daily"))
		})
	}
}
