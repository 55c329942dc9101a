package promread

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestPrometheusIsBusyForAShareOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(0.25, nil)
		for range 10 {
			require.NoError(t, p.wait(t.Context()))
			time.Sleep(time.Second) // We compute: that is not Prometheus' time, and its pause passes meanwhile.
			p.done(100*time.Millisecond, time.Second, 1<<20, false)
		}
		require.NoError(t, p.wait(t.Context()))
		begin := time.Now()
		for range 100 {
			require.NoError(t, p.wait(t.Context()))
			time.Sleep(100 * time.Millisecond)
			p.done(100*time.Millisecond, 0, 1<<20, false)
		}
		require.NoError(t, p.wait(t.Context()))
		require.InDelta(t, 0.25, 10/time.Since(begin).Seconds(), 0.09)
		begin = time.Now()
		p.done(100*time.Millisecond, 300*time.Millisecond, 1<<20, false)
		require.NoError(t, p.wait(t.Context()))
		require.Zero(t, time.Since(begin), "it has rested while we worked")
	})
}

func TestPaceFollowsHowPrometheusDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		reads func(p *pacer)
		want  float64
	}{
		"all is well": {func(*pacer) {}, 0.5},
		"one read is three times as slow as usual":                     {func(p *pacer) { p.done(2*time.Second, time.Second, 1<<20, false) }, 0.25},
		"our own work is three times as slow too: the machine is busy": {func(p *pacer) { p.done(2*time.Second, 3*time.Second, 1<<20, false) }, 0.5},
		"it has become slower than our own work has":                   {func(p *pacer) { p.done(4*time.Second, 3*time.Second, 1<<20, false) }, 0.25},
		"our own work on a small answer says nothing":                  {func(p *pacer) { p.done(2*time.Second, 3*time.Second, 1<<10, false) }, 0.25},
		"a large read takes longer":                                    {func(p *pacer) { p.done(2*time.Second, time.Second, 20<<20, false) }, 0.5},
		"it is overloaded twice": {func(p *pacer) {
			p.done(time.Millisecond, 0, 0, true)
			p.done(time.Millisecond, 0, 0, true)
		}, 0.125},
		"it recovers by tenths": {func(p *pacer) {
			p.done(time.Millisecond, 0, 0, true)
			p.done(250*time.Millisecond, time.Second, 1<<20, false)
			p.done(250*time.Millisecond, time.Second, 1<<20, false)
		}, 0.35},
		"it is slow for long, which becomes usual": {func(p *pacer) {
			for range 100 {
				p.done(4*time.Second, time.Second, 1<<20, false)
			}
		}, 0.5},
		"it becomes slower and slower": {func(p *pacer) {
			for i := range 12 {
				p.done(time.Second<<i, time.Second, 1<<20, false)
			}
		}, slowDuty},
		"it is in trouble for long": {func(p *pacer) {
			for range 100 {
				p.done(time.Millisecond, 0, 0, true)
			}
		}, leastDuty},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPacer(0.5, nil)
			for range 10 {
				p.done(250*time.Millisecond, time.Second, 1<<20, false)
			}
			tc.reads(p)
			require.InDelta(t, tc.want, p.share(), 1e-9)
		})
	}
}

func TestPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(0.5, nil)
		p.done(20*time.Second, 0, 0, false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.wait(ctx), context.DeadlineExceeded)
	})
}

func TestOverloadSlowsHistoryAndNotLiveReads(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too many concurrent reads", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	cfg := DefaultConfig()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	cfg.URL, cfg.Retry = &commoncfg.URL{URL: u}, RetryConfig{Attempts: 1, MinBackoff: model.Duration(time.Millisecond), MaxBackoff: model.Duration(time.Second), OpenAfter: 100, OpenFor: model.Duration(time.Second)}
	c, err := New(cfg, promslog.NewNopLogger(), prometheus.NewRegistry())
	require.NoError(t, err)
	defer c.Close()
	read := func(ctx context.Context) {
		err := c.Read(ctx, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "up")}, 0, 1, func(Series) error { return nil })
		require.Equal(t, Overloaded, ReasonOf(err))
	}
	read(t.Context())
	require.InDelta(t, cfg.LearningDuty, c.pace.share(), 0)
	read(Paced(t.Context()))
	require.InDelta(t, cfg.LearningDuty/2, c.pace.share(), 0)
}
