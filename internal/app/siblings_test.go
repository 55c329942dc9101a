package app

import (
	"bytes"
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

// siblingPods is a Prometheus with six pods under one restless load, each with its own noise; one leaves them at a time.
type siblingPods struct {
	leaves time.Time
	down   func(time.Time) bool // When nothing has a sample.
}

func (p siblingPods) value(k int, at time.Time) float64 {
	i := at.Unix() / 300
	if k == 2 && !p.leaves.IsZero() && at.After(p.leaves) {
		return 100
	}
	noise := float64((i*2654435761+int64(k)*40503)%1000)/1000 - 0.5
	return 100 + 60*math.Sin(float64(i)/37) + 40*math.Sin(float64(i)/11) + float64(5*k) + noise
}

func podLabels(k int) labels.Labels {
	return labels.FromStrings("job", "api", "pod", string(rune('a'+k)))
}

func (p siblingPods) Range(_ context.Context, _ string, from, to time.Time, step time.Duration, fn func(labels.Labels, []int64, []float64) error) error {
	for k := range 6 {
		var ts []int64
		var vs []float64
		for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
			if !t.Before(from) && (p.down == nil || !p.down(t)) {
				ts, vs = append(ts, t.UnixMilli()), append(vs, p.value(k, t))
			}
		}
		if len(ts) == 0 {
			continue
		}
		if err := fn(podLabels(k), ts, vs); err != nil {
			return err
		}
	}
	return nil
}

const podStep = 5 * time.Minute

// learnPods learns a history of pods as a process does that starts at now.
func learnPods(t *testing.T, src siblingPods, history time.Duration, now *time.Time) *scorer {
	t.Helper()
	engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	clock := func() time.Time { return *now }
	w := rules.Watch{Name: "load", Expr: "load", Interval: model.Duration(podStep), GroupBy: []string{"job"}}
	s := newScorer(promslog.NewNopLogger(), reg, src, engine, history, func(context.Context) ([]rules.Watch, error) { return []rules.Watch{w}, nil },
		clock, newStages(clock, reg), func(time.Time, *entry) {})
	require.NoError(t, s.update(t.Context()))
	require.NoError(t, s.catchUp(t.Context(), s.watches[0], false))
	s.watches[0].learned = true
	return s
}

func saved(t *testing.T, e *baseline.Engine) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, e.Save(&b))
	return b.Bytes()
}

// What is learned of siblings from history is what a process knows that has watched all the while: to the bit within
// baseline.Together, and beyond that but for what the time before would still weigh.
func TestSiblingsAreLearnedFromHistoryAsLive(t *testing.T) {
	for name, c := range map[string]struct {
		history time.Duration
		within  float64 // Of the scores of what follows.
	}{
		"five days, to the bit": {5 * 24 * time.Hour, 0},
		"three weeks":           {21 * 24 * time.Hour, 0.15},
	} {
		t.Run(name, func(t *testing.T) {
			end := time.Date(2026, 3, 23, 12, 0, 0, 0, time.UTC)
			src := siblingPods{leaves: end.Add(2 * time.Hour)}
			now := end.Add(ingestDelay)
			learned := learnPods(t, src, c.history, &now)

			engine, err := baseline.NewEngine(baseline.DefaultConfig(), nil)
			require.NoError(t, err)
			var watched []*baseline.Series
			for k := range 6 {
				watched = append(watched, engine.Add("load", podLabels(k), podStep, baseline.SeriesOptions{GroupBy: []string{"job"}}))
			}
			tick := func(at time.Time) []baseline.Finding {
				for k, s := range watched {
					s.Observe(at.UnixMilli(), src.value(k, at))
				}
				return engine.EndTick("load", at.UnixMilli())
			}
			for at := end.Add(-c.history); !at.After(end); at = at.Add(podStep) {
				tick(at)
			}
			if c.within == 0 {
				require.Equal(t, saved(t, engine), saved(t, learned.engine))
			}
			found := 0
			for at := end.Add(podStep); !at.After(end.Add(4 * time.Hour)); at = at.Add(podStep) {
				found += len(tick(at))
				now = at.Add(ingestDelay)
				learned.tick(t.Context())
				for k, s := range watched {
					bs, ok := learned.engine.Find("load", podLabels(k))
					require.True(t, ok)
					want, got := s.Last(), bs.Last()
					require.Equal(t, want.Time, got.Time)
					if c.within == 0 {
						require.Equal(t, want, got, "pod %d at %s", k, at)
					} else if want.Detector == "peer_outlier" && got.Detector == "peer_outlier" {
						require.InEpsilon(t, want.Raw, got.Raw, c.within, "pod %d at %s", k, at)
					}
				}
			}
			require.NotZero(t, found, "somebody left the others")
			bs, _ := learned.engine.Find("load", podLabels(2))
			require.True(t, bs.Last().Active)
		})
	}
}

// A restart of Prometheus is nobody's absence; one that does not come back with the others is.
func TestTheMonitoringsOwnHoleIsNoAbsence(t *testing.T) {
	end := time.Date(2026, 3, 23, 12, 0, 0, 0, time.UTC)
	src := siblingPods{down: func(at time.Time) bool { return at.After(end) && at.Before(end.Add(3*time.Hour)) }}
	now := end.Add(ingestDelay)
	s := learnPods(t, src, 14*24*time.Hour, &now)
	for range blindFrom { // Others that are watched, and silent too.
		s.entries = append(s.entries, &entry{series: s.entries[0].series, watch: s.entries[0].watch})
	}
	for at := end.Add(podStep); !at.After(end.Add(4 * time.Hour)); at = at.Add(podStep) {
		now = at.Add(ingestDelay)
		s.tick(t.Context())
		for _, e := range s.entries[:6] {
			require.Positive(t, e.seen)
			require.NotEqual(t, baseline.Absence, e.series.Last().Kind, "%s", at)
		}
	}
}

func TestWindowsOfWatchesReachTheirSeries(t *testing.T) {
	w := &watch{Watch: rules.Watch{Expr: "rate(x[5m])"}, window: promread.Window("rate(x[5m])")}
	require.Equal(t, 5*time.Minute, seriesOptions(w).Window)
}

// The reader marks values with the bits that the baselines know.
func TestTornValuesAreTheSameOnBothSides(t *testing.T) {
	require.Equal(t, math.Float64bits(baseline.Torn()), math.Float64bits(promread.Torn()))
}
