package app

import (
	"context"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/promread"
)

// sender writes to a feed what daily gives at the same times, every 15 seconds; paused, it keeps samples back.
type sender struct {
	feed   *feed.Feed
	src    *daily
	paused bool
	known  uint64
	next   time.Time
}

func (s *sender) run(ctx context.Context) {
	s.next = time.Now().Truncate(15 * time.Second)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		var paused bool
		s.src.set(func(*daily) { paused = s.paused })
		for !paused && !s.next.After(time.Now()) {
			s.send(s.next)
			s.next = s.next.Add(15 * time.Second)
		}
	}
}

func (s *sender) send(at time.Time) {
	v := s.src.at(at)
	g := s.feed.Begin()
	defer s.feed.End()
	if g != s.known {
		s.known = g
		s.feed.Add(0, labels.FromStrings("__name__", "load", "job", "api"))
	}
	s.feed.Append(0, []int64{at.UnixMilli()}, []float64{v})
}

func TestFeedIsUsedWhileItAgreesAndReadingTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := promread.DefaultConfig()
		cfg.URL = &commoncfg.URL{URL: &url.URL{Scheme: "http", Host: "localhost:1"}}
		client, err := promread.New(cfg, promslog.NewNopLogger(), prometheus.NewRegistry())
		require.NoError(t, err)
		src := &daily{name: "load"}
		generation := uint64(0)
		snd := &sender{src: src, feed: feed.New(time.Now, func() uint64 { generation++; return generation })}
		read, stopRead := start(t, &daily{name: "load"}, func(*entry) {})
		fed, stopFed := startFed(t, src, snd.feed, client.Live)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go snd.run(ctx)
		steps := func(from string) float64 { return testutil.ToFloat64(fed.live.steps.WithLabelValues(from)) }

		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Positive(t, steps("feed"), "the window of a selector has passed")
		before := steps("read")
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		require.InDelta(t, before, steps("read"), 0, "nothing is read while the feed agrees")

		src.set(func(*daily) { snd.paused = true })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.InDelta(t, before+10, steps("read"), 1, "a sender that is silent is noticed in the step")
		src.set(func(*daily) { snd.paused = false })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		before, after := steps("read"), steps("feed")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.InDelta(t, before, steps("read"), 0, "what it kept back has come")
		require.InDelta(t, after+10, steps("feed"), 1)
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		require.Greater(t, steps("read"), before, "one step an hour is compared again")

		cancel()
		stopRead()
		stopFed()
		want, got := read.all()[0].recentPoints(), fed.all()[0].recentPoints()
		n := min(len(want), len(got))
		require.Greater(t, n, 60)
		for i := range got {
			for _, w := range want {
				if w.Time == got[i].Time {
					require.Equal(t, w, got[i], "a score does not depend on the way of its sample")
				}
			}
			if i > 0 {
				require.Equal(t, int64(60_000), got[i].Time-got[i-1].Time, "no step is skipped")
			}
		}
	})
}
