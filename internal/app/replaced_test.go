package app

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
)

// pods is a Prometheus with series that come and go.
type pods map[string][2]time.Time // pod: begin, end (zero is never)

func (p pods) Range(_ context.Context, _ string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	for name, life := range p {
		var ts []int64
		var vs []float64
		for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
			if t.Before(from) || t.Before(life[0]) || !life[1].IsZero() && t.After(life[1]) {
				continue
			}
			ts, vs = append(ts, t.UnixMilli()), append(vs, 100+math.Sin(float64(t.Unix()/60)*7.3))
		}
		if len(ts) == 0 {
			continue
		}
		if err := fn(labels.FromStrings("namespace", "shop", "pod", name), ts, vs); err != nil {
			return err
		}
	}
	return nil
}

func TestOnlyWhatIsMissedIsAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		always, never := now.Add(-30*24*time.Hour), time.Time{}
		src := pods{
			"steady":          {always, never},
			"ended last week": {always, now.Add(-7 * 24 * time.Hour)},
			"rolled out":      {always, now.Add(2 * time.Hour)},
			"its successor":   {now.Add(2*time.Hour + 3*time.Minute), never},
			"lost":            {always, now.Add(20 * time.Hour)},
		}
		engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
		require.NoError(t, err)
		s, _ := learner(t, src, engine)
		told := map[string][]bool{}
		s.anomaly = func(_ time.Time, e *entry) {
			sc := e.series.Last()
			if sc.Active && sc.Kind != baseline.Absence {
				return
			}
			name := e.series.Labels().Get("pod")
			told[name] = append(told[name], sc.Active)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(60 * time.Hour)
		cancel()
		require.NoError(t, <-done)
		require.Len(t, told, 1, "nobody is missed but the one that has no successor")
		require.True(t, told["lost"][0])
		require.False(t, told["lost"][len(told["lost"])-1], "after a day it is gone, no longer absent")
	})
}
