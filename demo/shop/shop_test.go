package shop_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/demo/shop"
)

func TestMain(m *testing.M) {
	// A link of toxiproxy ends some time after its proxy was stopped, and there is no way to wait.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"))
}

// open starts a shop and closes it with the test.
func open(t *testing.T) *shop.Shop {
	t.Helper()
	s, err := shop.New(shop.RhythmAt(time.Now()), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// scrape returns every sample of a target by shop.SampleKey, as Prometheus would store it.
func scrape(t *testing.T, s *shop.Shop, target shop.Target) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + s.Addresses()[target] + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	families, err := textFamilies(resp.Body)
	require.NoError(t, err)
	out := map[string]float64{}
	for _, mf := range families {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Now()}, mf)
		require.NoError(t, err)
		for _, sample := range samples {
			own := map[string]string{}
			for k, v := range sample.Metric {
				own[string(k)] = string(v)
			}
			// Prometheus 3 stores bounds as floats: 1 becomes 1.0.
			if le := own["le"]; le != "" && !strings.ContainsAny(le, ".I") {
				own["le"] = le + ".0"
			}
			out[shop.SampleKey(own["__name__"], own)] = float64(sample.Value)
		}
	}
	return out
}

func textFamilies(r io.Reader) ([]*dto.MetricFamily, error) {
	dec := expfmt.NewDecoder(r, expfmt.NewFormat(expfmt.TypeTextPlain))
	var out []*dto.MetricFamily
	for {
		mf := &dto.MetricFamily{}
		if err := dec.Decode(mf); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, mf)
	}
}

// simulated returns the values of a past by target and shop.SampleKey, up excluded: Prometheus
// itself adds that one.
func simulated(p *shop.Past) map[shop.Target]map[string]float64 {
	out := map[shop.Target]map[string]float64{}
	for _, target := range shop.Targets() {
		out[target] = p.Carry(target)
		delete(out[target], shop.SampleKey("up", nil))
	}
	return out
}

func keys(m map[string]float64) map[string]bool {
	out := map[string]bool{}
	for k := range m {
		out[strings.ReplaceAll(k, "\x00", " ")] = true
	}
	return out
}

func TestHistoryHasTheSeriesOfAScrape(t *testing.T) {
	s := open(t)
	p := shop.NewPast(shop.RhythmAt(time.Now()), time.Now(), 0.001)
	p.Step(time.Now(), 30*time.Second)
	want := simulated(p)
	require.Len(t, s.Addresses(), len(shop.Targets()))
	for _, target := range shop.Targets() {
		require.Equal(t, keys(want[target]), keys(scrape(t, s, target)), "of %s %s", target.Job, target.Instance)
	}
}

func TestCountersContinueWhereThePastEnded(t *testing.T) {
	s := open(t)
	p := shop.NewPast(shop.RhythmAt(time.Now()), time.Now(), 0.001)
	for i := range 100 {
		p.Step(time.Now().Add(time.Duration(i-100)*30*time.Second), 30*time.Second)
	}
	require.NoError(t, s.Continue(p))
	want := simulated(p)
	for _, target := range shop.Targets() {
		for key, v := range scrape(t, s, target) {
			if strings.Contains(key, "_total") || strings.HasSuffix(key, "_count") || strings.Contains(key, "_bucket") {
				require.InDelta(t, want[target][key], v, 1, "%s of %s", key, target.Instance)
			}
		}
	}
}

func TestAFaultShowsInTheMetricsOfItsCause(t *testing.T) {
	target := func(instance string) shop.Target {
		for _, x := range shop.Targets() {
			if x.Instance == instance {
				return x
			}
		}
		t.Fatalf("no target %s", instance)
		return shop.Target{}
	}
	drive := func(t *testing.T, s *shop.Shop, enough func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		require.Eventually(t, enough, 25*time.Second, 50*time.Millisecond)
		cancel()
		require.NoError(t, <-done)
	}
	inject := func(t *testing.T, s *shop.Shop, name string) {
		t.Helper()
		f, err := shop.FaultByName(name)
		require.NoError(t, err)
		require.NoError(t, s.Inject(f))
	}
	t.Run("a slow disk turns queries away, and a fail-over sends them to the replica", func(t *testing.T) {
		s := open(t)
		inject(t, s, "disk")
		refused := shop.SampleKey("http_requests_total", map[string]string{"code": "503"})
		drive(t, s, func() bool { return scrape(t, s, target(shop.DBPrimary))[refused] > 10 })
		s.FailOver()
		// No catalogue page is needed for this: the replica gets queries that only the primary had.
		edge := shop.SampleKey("traces_service_graph_request_total", map[string]string{"client": shop.Catalog, "server": shop.DBReplica})
		queries := shop.SampleKey("http_request_duration_seconds_count", nil)
		drive(t, s, func() bool {
			return scrape(t, s, target(shop.DBReplica))[queries] > scrape(t, s, target("tempo"))[edge]+20
		})
	})
	t.Run("a bad deploy has a new version, a new start and errors", func(t *testing.T) {
		s := open(t)
		start := shop.SampleKey("process_start_time_seconds", nil)
		before := scrape(t, s, target(shop.Orders))[start]
		inject(t, s, "bad-deploy")
		after := scrape(t, s, target(shop.Orders))
		require.Greater(t, after[start], before)
		require.Equal(t, 1.0, after[shop.SampleKey("shop_build_info", map[string]string{"version": "2.8.0"})])
		errors := shop.SampleKey("http_requests_total", map[string]string{"code": "500"})
		drive(t, s, func() bool { return scrape(t, s, target(shop.Orders))[errors] > 3 })
	})
	t.Run("a slow link is slow for the client and not for the server", func(t *testing.T) {
		s := open(t)
		inject(t, s, "slow-network")
		tempo := target("tempo")
		edge := map[string]string{"client": shop.Orders, "server": shop.Payment}
		sum := func(side, what string) float64 {
			return scrape(t, s, tempo)[shop.SampleKey("traces_service_graph_request_"+side+"_seconds_"+what, edge)]
		}
		drive(t, s, func() bool {
			count, client, server := sum("client", "count"), sum("client", "sum"), sum("server", "sum")
			return count > 5 && client/count > 0.9 && server < 0.3*client
		})
	})
	t.Run("every name of a fault finds it, another lists them", func(t *testing.T) {
		for _, f := range shop.Faults {
			got, err := shop.FaultByName(f.Name)
			require.NoError(t, err)
			require.Equal(t, f.Title, got.Title)
		}
		_, err := shop.FaultByName("quiet")
		require.EqualError(t, err, `no fault "quiet": choose one of disk, bad-deploy, cpu-noisy-neighbour, slow-network, sunday-traffic`)
	})
}

func TestRhythm(t *testing.T) {
	t.Run("it is Wednesday morning whenever the shop opens", func(t *testing.T) {
		for _, now := range []time.Time{
			time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC), time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC), time.Unix(0, 0),
		} {
			r := shop.RhythmAt(now)
			local := r.Local(now)
			require.Equal(t, time.Wednesday, local.Weekday(), now)
			require.Equal(t, 10, local.Hour(), now)
			// Read by the calendar that the shop states, the clock's day is the shop's.
			zone, weekend := r.Calendar()
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			require.Equal(t, local.Format(time.TimeOnly), now.In(loc).Format(time.TimeOnly), zone)
			saturday := now.AddDate(0, 0, 3)
			require.Equal(t, time.Saturday, r.Local(saturday).Weekday())
			require.Equal(t, strings.ToLower(saturday.In(loc).Weekday().String()), weekend[0])
		}
	})
	r := shop.Rhythm{}
	noon := shop.Morning
	t.Run("nights are quiet", func(t *testing.T) {
		require.Less(t, 1.5*r.Rate(noon.Add(-8*time.Hour), false), r.Rate(noon, false))
	})
	t.Run("a Sunday has less than half the pages, within what nights have", func(t *testing.T) {
		require.Less(t, r.Rate(noon, true), 0.5*r.Rate(noon, false))
		require.Greater(t, r.Rate(noon, true), r.Rate(noon.Add(-8*time.Hour), false)*0.9)
	})
	t.Run("no minute jumps", func(t *testing.T) {
		for i := range 8 * 24 * 60 {
			at := noon.Add(time.Duration(i) * time.Minute)
			require.InEpsilon(t, r.Rate(at, false), r.Rate(at.Add(time.Minute), false), 0.03, at)
		}
	})
}

func TestPastIsReproducibleAndFollowsTheRhythm(t *testing.T) {
	r := shop.Rhythm{}
	run := func(from time.Time) float64 {
		p := shop.NewPast(r, from, 0.001)
		for i := range 240 {
			p.Step(from.Add(time.Duration(i)*30*time.Second), 30*time.Second)
		}
		for _, target := range shop.Targets() {
			if target.Instance == shop.LB {
				return p.Carry(target)[shop.SampleKey("http_request_duration_seconds_count", nil)] / (240 * 30)
			}
		}
		return 0
	}
	first, again := run(shop.Morning), run(shop.Morning)
	require.InDelta(t, first, again, 0, "the same seed, the same past")
	require.InEpsilon(t, r.Rate(shop.Morning.Add(time.Hour), false), run(shop.Morning), 0.05)
	night := shop.Morning.Add(-8 * time.Hour)
	require.InEpsilon(t, r.Rate(night.Add(time.Hour), false), run(night), 0.05)
}

func TestAStepBackInTimeChangesNoCounter(t *testing.T) {
	p := shop.NewPast(shop.RhythmAt(shop.Morning), shop.Morning.Add(-time.Hour), 0.001)
	p.Step(shop.Morning, time.Second)
	before := slices.Clone(p.Step(shop.Morning.Add(time.Second), time.Second))
	after := p.Step(shop.Morning.Add(700*time.Millisecond), 0)
	for i, s := range p.Series() {
		require.False(t, math.IsNaN(after[i]) && !math.IsNaN(before[i]), s)
		if strings.HasSuffix(s["__name__"], "_total") || strings.HasSuffix(s["__name__"], "_sum") {
			require.InDelta(t, before[i], after[i], 1e-9, s)
		}
	}
}
