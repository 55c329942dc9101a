package cause_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/cause"
)

// entities of the generated system that a fault is put into.
var places = []string{"store", "payment", "cart", "checkout", "catalog"}

func TestRankNamesTheFaultyEntityByTheEvidenceOfItsKind(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault
		by    string
	}{
		"processor load":          {fault{cpu: 3}, "resource"},
		"memory":                  {fault{memory: 1}, "resource"},
		"disk":                    {fault{disk: 20}, "resource"},
		"own latency":             {fault{delay: .2}, "excess"},
		"a little own latency":    {fault{delay: .03}, "excess"},
		"own failures":            {fault{errors: .3}, "excess"},
		"slow network to a place": {fault{network: .2}, "edge_gap"},
	} {
		for _, names := range map[string]func(string) string{"means": plain, "quantiles": quantiles} {
			t.Run(name, func(t *testing.T) {
				for i, at := range places {
					s := newShop(uint64(i))
					s.names = names
					r := cause.Rank(s.make(at, tc.fault), cause.Options{})
					require.Equal(t, at, r.Candidates[0].Entity)
					require.Equal(t, tc.by, r.DecidedBy)
					require.NotEmpty(t, r.Candidates[0].Evidence)
				}
			})
		}
	}
}

func TestRankFindsTheStartByItselfAndStandsALateOne(t *testing.T) {
	for _, late := range []time.Duration{0, time.Minute} {
		for _, step := range []time.Duration{time.Second, time.Minute} {
			s := newShop(3)
			s.names, s.step = quantiles, step
			if step == time.Second {
				s.normal, s.faulty = 600, 240
			}
			c := s.make("cart", fault{delay: .2})
			c.FaultTime, c.AlertTime = time.Time{}, c.AlertTime.Add(late)
			r := cause.Rank(c, cause.Options{})
			require.Equal(t, "cart", r.Candidates[0].Entity)
			require.WithinDuration(t, s.start, r.Start, late+2*time.Minute)
		}
	}
}

func TestRankEvidenceCanBeRunAgain(t *testing.T) {
	s := newShop(1)
	s.names = plain
	c := s.make("payment", fault{cpu: 3})
	r := cause.Rank(c, cause.Options{})
	ev := r.Candidates[0].Evidence[0]
	require.Equal(t, "payment>{cpu_usage}", ev.Query)
	require.True(t, ev.For)
	require.InDelta(t, .8, ev.Value, .15)
	require.InDelta(t, .2, *ev.Expected, .05)
	require.Less(t, *ev.Upper, ev.Value)
	require.Equal(t, s.start.UTC(), ev.Time)
	require.Contains(t, ev.Text, "cpu_usage of payment is")
	require.Equal(t, []string{"payment", "checkout", "web"}, hops(r))
}

func TestRankEvidenceOfSeriesIsTheMeanOfItsQuery(t *testing.T) {
	for _, f := range []fault{{cpu: 3}, {delay: .2}, {network: .2}, {errors: .3}} {
		s := newShop(11)
		s.names = plain
		c := s.make("cart", f)
		mean := func(query string, from, to time.Time) float64 {
			sum, n := 0.0, 0.0
			for _, x := range c.Series {
				if x.Query != query {
					continue
				}
				for i, at := range x.T {
					if at >= from.UnixMilli() && at <= to.UnixMilli() {
						sum, n = sum+x.V[i], n+1
					}
				}
			}
			return sum / n
		}
		seen := 0
		for _, x := range cause.Rank(c, cause.Options{}).Candidates {
			for _, ev := range x.Evidence {
				want := 0.0
				for i, q := range strings.Split(ev.Query, " - ") {
					want += mean(q, ev.From, ev.To) * float64(1-2*i)
				}
				require.InDelta(t, want, ev.Value, 1e-9, ev.Text)
				seen++
			}
		}
		require.Positive(t, seen)
	}
}

func hops(r cause.Ranking) []string {
	var out []string
	for _, h := range r.Path {
		out = append(out, h.Entity)
	}
	return out
}

func TestRankSaysWhatSpeaksAgainstVictims(t *testing.T) {
	s := newShop(2)
	s.names = plain
	r := cause.Rank(s.make("store", fault{delay: .2}), cause.Options{})
	require.Equal(t, "store", r.Candidates[0].Entity)
	var said bool
	for _, c := range r.Candidates[1:] {
		for _, ev := range c.Evidence {
			said = said || (!ev.For && ev.Kind == "excess")
		}
	}
	require.True(t, said, "a caller's latency is accounted for by its callees")
}

func TestRankConfidencesAreProbabilities(t *testing.T) {
	s := newShop(4)
	s.names = plain
	r := cause.Rank(s.make("cart", fault{cpu: 3}), cause.Options{})
	sum := 0.0
	for i, c := range r.Candidates {
		require.GreaterOrEqual(t, c.Confidence, 0.0)
		require.LessOrEqual(t, c.Confidence, r.Candidates[0].Confidence)
		if i > 1 {
			require.LessOrEqual(t, c.Confidence, r.Candidates[i-1].Confidence)
		}
		sum += c.Confidence
	}
	require.LessOrEqual(t, sum, 1+1e-9)
	require.Greater(t, r.Candidates[0].Confidence, .7)
	require.False(t, r.NoClearCause)
}

func TestRankWithoutAFaultHasNoClearCause(t *testing.T) {
	for i := range 10 {
		s := newShop(uint64(100 + i))
		s.names = quantiles
		r := cause.Rank(s.make("cart", fault{}), cause.Options{})
		require.Less(t, r.Candidates[0].Confidence, .8, "seed %d", i)
	}
}

func TestRankTakesAChangeAsCauseOnlyWithAnAnomalyOfItsOwn(t *testing.T) {
	s := newShop(5)
	s.names = quantiles
	c := s.make("catalog", fault{delay: .01, cpu: .35})
	c.Changes = []cause.Change{
		{Time: s.start.Add(-time.Minute), Entity: "catalog", Kind: "deploy", Text: "image 1.2 to 1.3"},
		{Time: s.start.Add(-2 * time.Minute), Entity: "mail", Kind: "deploy", Text: "image 7 to 8"},
		{Time: s.start.Add(-3 * time.Hour), Entity: "cart", Kind: "deploy", Text: "yesterday"},
	}
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "catalog", r.Candidates[0].Entity)
	require.Equal(t, "change", r.DecidedBy)
	require.Contains(t, fmt.Sprint(r.Candidates[0].Evidence), "image 1.2 to 1.3")
	require.NotContains(t, fmt.Sprint(r.Candidates), "yesterday")
}

// alertCase is a list of pods' alerts with services of three pods on three nodes.
func alertCase(alerts ...cause.Alert) cause.Case {
	c := cause.Case{ID: "alerts", AlertTime: time.Unix(1_800_000_600, 0), Alerts: alerts}
	for _, s := range []string{"cart", "mail", "web"} {
		for i := range 3 {
			pod := fmt.Sprintf("%s-%d", s, i)
			c.Graph = append(c.Graph, cause.Edge{From: pod, To: s, Kind: cause.EdgeInstance}, cause.Edge{From: pod, To: fmt.Sprintf("node-%d", i), Kind: cause.EdgeHost})
		}
	}
	c.Background = cause.Background{Lists: 50, Seen: map[cause.AlertKey]int{}}
	for _, s := range []string{"cart", "mail", "web"} {
		for i := range 3 {
			c.Background.Seen[cause.AlertKey{Entity: fmt.Sprintf("%s-%d", s, i), Name: "slow", Direction: "up"}] = 45
		}
	}
	return c
}

func alert(entity, name string, second int) cause.Alert {
	return cause.Alert{Time: time.Unix(1_800_000_000+int64(second), 0), Entity: entity, Source: cause.SourceMetric, Name: name, Direction: "up"}
}

func TestRankOfAlertsDecidesTheLevelByWhatSiblingsShare(t *testing.T) {
	for name, tc := range map[string]struct {
		alerts []cause.Alert
		want   string
	}{
		"rare alerts of one pod are the pod's": {
			[]cause.Alert{alert("mail-0", "slow", 0), alert("web-1", "slow", 1), alert("cart-1", "oom", 5), alert("cart-1", "cpu", 5), alert("cart-1", "threads", 6)}, "cart-1",
		},
		"rare alerts of most pods are the service's": {
			[]cause.Alert{alert("mail-0", "slow", 0), alert("cart-0", "cpu", 5), alert("cart-1", "cpu", 5), alert("cart-2", "cpu", 9), alert("cart-0", "disk", 5), alert("cart-1", "disk", 5), alert("cart-2", "disk", 6)}, "cart",
		},
		"rare alerts of all pods of a node and its own are the node's": {
			[]cause.Alert{alert("node-2", "system_cpu", 0), alert("cart-2", "cpu", 5), alert("mail-2", "cpu", 5), alert("web-2", "cpu", 6)}, "node-2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := cause.Rank(alertCase(tc.alerts...), cause.Options{})
			require.Equal(t, tc.want, r.Candidates[0].Entity)
			require.Equal(t, "alert_rarity", r.DecidedBy)
			require.NotEmpty(t, r.Candidates[0].Evidence)
		})
	}
}

// podSeries is a processor series that is high during the fault.
func podSeries(rng *rand.Rand, entity string, high bool) cause.Series {
	s := cause.Series{Entity: entity, Metric: "container_cpu_usage_seconds_total", Query: entity + "{cpu}"}
	for i := range 60 {
		x := 1 + .1*rng.NormFloat64()
		if high && i >= 55 {
			x *= 5
		}
		s.T, s.V = append(s.T, 1_800_000_000_000+int64(i)*60_000), append(s.V, x)
	}
	return s
}

func TestRankOfSeriesDecidesTheLevelByWhatSiblingsShare(t *testing.T) {
	for name, tc := range map[string]struct {
		high []string
		want string
	}{
		"one pod":                              {[]string{"cart-1"}, "cart-1"},
		"all pods of a service":                {[]string{"cart-0", "cart-1", "cart-2"}, "cart"},
		"all pods of a node":                   {[]string{"cart-1", "mail-1", "web-1"}, "node-1"},
		"one pod that loads its node":          {[]string{"cart-1", "node-1"}, "cart-1"},
		"a node whose load its pods share":     {[]string{"cart-1", "mail-1", "web-1", "node-1"}, "node-1"},
		"one pod, and its service's sum of it": {[]string{"cart-1", "cart"}, "cart-1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := alertCase()
			c.FaultTime = time.UnixMilli(1_800_000_000_000 + 55*60_000)
			rng := rand.New(rand.NewPCG(1, 1))
			for _, e := range []string{"cart-0", "cart-1", "cart-2", "mail-0", "mail-1", "mail-2", "web-0", "web-1", "web-2", "node-0", "node-1", "node-2", "cart"} {
				c.Series = append(c.Series, podSeries(rng, e, slices.Contains(tc.high, e)))
			}
			r := cause.Rank(c, cause.Options{})
			require.Equal(t, tc.want, r.Candidates[0].Entity)
		})
	}
}

func TestRankKeepsToTheCandidates(t *testing.T) {
	c := alertCase()
	c.FaultTime = time.UnixMilli(1_800_000_000_000 + 55*60_000)
	c.Candidates = []string{"cart-0", "cart-1", "mail-1", "web-1"}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, e := range []string{"cart-0", "cart-1", "mail-1", "web-1", "node-1"} {
		c.Series = append(c.Series, podSeries(rng, e, e != "cart-0"))
	}
	r := cause.Rank(c, cause.Options{})
	require.Len(t, r.Candidates, 4)
	require.Contains(t, []string{"cart-1", "mail-1", "web-1"}, r.Candidates[0].Entity, "the node is not asked for, and its guests stay suspects")
}

func TestRankNamesACauseThatIsNoVertex(t *testing.T) {
	c := alertCase(alert("node-0", "NodeNotReady", 0), alert("node-1", "NodeNotReady", 2), alert("mail-2", "slow", 3))
	c.Attributes = map[string]map[string]string{"node-0": {"zone": "zone-a"}, "node-1": {"zone": "zone-a"}, "node-2": {"zone": "zone-b"}, "node-3": {"zone": "zone-b"}}
	c.Graph = slices.DeleteFunc(c.Graph, func(e cause.Edge) bool { return e.To == "node-2" })
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "zone-a", r.Candidates[0].Entity)
	require.Equal(t, "shared_attribute", r.DecidedBy)
}

func TestRankNamesAnExternalProviderThatReportsNothing(t *testing.T) {
	s := newShop(6)
	s.names = plain
	c := s.make("payment", fault{})
	c.Graph = append(c.Graph, cause.Edge{From: "payment", To: "api.bank.example", Kind: cause.EdgeCall})
	way := cause.Series{Entity: "payment", Peer: "api.bank.example", Metric: "http_client_request_duration_seconds:mean", Query: "bank"}
	calls := cause.Series{Entity: "payment", Peer: "api.bank.example", Metric: "http_client_requests_total", Query: "calls"}
	for i := range c.Series {
		x := &c.Series[i]
		slow := map[string]bool{"payment": true, "checkout": true, "web": true}[x.Entity] && x.Peer == "" && x.Metric == plain("latency")
		for j, at := range x.T {
			if slow && at >= s.start.UnixMilli() {
				x.V[j] += .3
			}
			if x.Entity == "payment" && x.Metric == plain("latency") {
				extra := .1
				if at >= s.start.UnixMilli() {
					extra = .4
				}
				way.T, way.V = append(way.T, at), append(way.V, extra)
				calls.T, calls.V = append(calls.T, at), append(calls.V, 100)
			}
		}
	}
	c.Series = append(c.Series, way, calls)
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "api.bank.example", r.Candidates[0].Entity)
}

// lostLines is a case in which cart wrote none of its lines "stored", though asked as often as ever.
func lostLines() cause.Case {
	c := cause.Case{ID: "logs", AlertTime: time.UnixMilli(9 * 60_000)}
	for w := range int64(5) {
		for i, e := range []string{"cart", "mail", "web"} {
			for _, p := range []string{"began <*>", "stored <*>", "done <*>"} {
				n := 100.0 + float64(w)
				if w == 4 && e == "mail" {
					n = 20 // Called less often: no evidence.
				}
				l := cause.LogCount{Window: w * 60_000, Entity: e, Pattern: p, Count: n, Query: e + ": " + p}
				switch {
				case w < 4:
					c.LogsBaseline = append(c.LogsBaseline, l)
				case e == "cart" && p == "stored <*>": // Lost.
				default:
					c.Logs = append(c.Logs, l)
				}
			}
			sp := cause.SpanCount{Window: w * 60_000, Time: w * 60_000, Caller: "root", Entity: e, Operation: "/", Count: 100, MeanMs: 5}
			if w == 4 && e == "mail" {
				sp.Count = 20
			}
			_ = i
			if w < 4 {
				c.SpansBaseline = append(c.SpansBaseline, sp)
			} else {
				c.Spans = append(c.Spans, sp)
			}
		}
	}
	return c
}

func TestRankFindsLostLogLinesPerRequest(t *testing.T) {
	r := cause.Rank(lostLines(), cause.Options{})
	require.Equal(t, "cart", r.Candidates[0].Entity)
	require.Equal(t, "log_pattern", r.DecidedBy)
	ev := r.Candidates[0].Evidence[0]
	require.Equal(t, "cart: stored <*>", ev.Query)
	require.InDelta(t, 0, ev.Value, 0)
	require.Greater(t, *ev.Expected, 90.0)
	require.NotContains(t, fmt.Sprint(r.Candidates[1:]), "mail wrote")
}

// lostTime is a case in which calls to cart lose two seconds each on the way.
func lostTime() cause.Case {
	c := cause.Case{ID: "spans", AlertTime: time.UnixMilli(9 * 60_000)}
	for w := range int64(2) {
		for m := range int64(4) {
			at := (w*4 + m) * 60_000
			add := func(s cause.SpanCount) {
				s.Window, s.Time = w*4*60_000, at
				s.CountQuery, s.TimeQuery = "count of "+s.Caller+" to "+s.Entity, "time of "+s.Caller+" to "+s.Entity
				if w == 0 {
					c.SpansBaseline = append(c.SpansBaseline, s)
				} else {
					c.Spans = append(c.Spans, s)
				}
			}
			for _, caller := range []string{"web", "checkout"} {
				lost := 2.0
				if w == 1 && caller == "checkout" {
					lost = 1000 // Half of its calls go to cart and lose two seconds each.
				}
				if w == 1 && caller == "web" {
					lost = 500
				}
				add(cause.SpanCount{Caller: caller, Entity: caller, Operation: "HTTP GET", Client: true, Count: 40, MeanMs: 20 + lost})
				if caller == "web" {
					add(cause.SpanCount{Caller: caller, Entity: "cart", Operation: "/c", Count: 10, MeanMs: 20})
					add(cause.SpanCount{Caller: caller, Entity: "mail", Operation: "/m", Count: 30, MeanMs: 20})
				} else {
					add(cause.SpanCount{Caller: caller, Entity: "cart", Operation: "/c", Count: 20, MeanMs: 20})
					add(cause.SpanCount{Caller: caller, Entity: "quote", Operation: "/q", Count: 20, MeanMs: 20})
				}
			}
		}
	}
	return c
}

func TestRankFindsTimeLostBetweenClientAndServerSpans(t *testing.T) {
	r := cause.Rank(lostTime(), cause.Options{})
	require.Equal(t, "cart", r.Candidates[0].Entity)
	require.Equal(t, "span_gap", r.DecidedBy)
	ev := r.Candidates[0].Evidence[0]
	require.InDelta(t, 2000, ev.Value, 50)
	require.Equal(t, "((time of checkout to checkout) - (time of checkout to cart + time of checkout to quote) - (2) * (count of checkout to cart + count of checkout to quote)) / (count of checkout to cart)", ev.Query)
	require.InDelta(t, (40*1020.0-40*20-2*40)/20, ev.Value, 1e-9, "what the query says of the recording")
}

func TestRankDoesNotDependOnInputOrder(t *testing.T) {
	s := newShop(8)
	s.names = quantiles
	c := s.make("shipping", fault{delay: .05})
	c.Candidates = append([]string(nil), s.order...)
	c.Alerts = []cause.Alert{alert("cart", "slow", 3), alert("web", "slow", 1), alert("web", "slow", 2)}
	want, err := json.Marshal(cause.Rank(c, cause.Options{}))
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(9, 9))
	for range 5 {
		rng.Shuffle(len(c.Series), func(i, j int) { c.Series[i], c.Series[j] = c.Series[j], c.Series[i] })
		rng.Shuffle(len(c.Graph), func(i, j int) { c.Graph[i], c.Graph[j] = c.Graph[j], c.Graph[i] })
		rng.Shuffle(len(c.Candidates), func(i, j int) { c.Candidates[i], c.Candidates[j] = c.Candidates[j], c.Candidates[i] })
		rng.Shuffle(len(c.Alerts), func(i, j int) { c.Alerts[i], c.Alerts[j] = c.Alerts[j], c.Alerts[i] })
		got, err := json.Marshal(cause.Rank(c, cause.Options{}))
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))
	}
}

func TestRankOfBadInputIsNeverAConfidentAnswer(t *testing.T) {
	nan, now := math.NaN(), time.Unix(1_800_000_000, 0)
	ms := now.UnixMilli()
	flat := func(v ...float64) cause.Series {
		s := cause.Series{Entity: "a", Metric: "cpu"}
		for i, x := range v {
			s.T, s.V = append(s.T, ms+int64(i)*1000), append(s.V, x)
		}
		return s
	}
	ten := make([]string, 10_000)
	for i := range ten {
		ten[i] = fmt.Sprintf("entity-%05d", i)
	}
	ring := make([]cause.Edge, len(ten))
	for i := range ring {
		ring[i] = cause.Edge{From: ten[i], To: ten[(i+1)%len(ten)], Kind: cause.EdgeCall}
	}
	for name, c := range map[string]cause.Case{
		"nothing at all":                   {},
		"one sample":                       {AlertTime: now, Series: []cause.Series{flat(1)}},
		"all NaN":                          {AlertTime: now, Series: []cause.Series{flat(nan, nan, nan, nan)}},
		"infinite values":                  {AlertTime: now, Series: []cause.Series{flat(math.Inf(1), math.Inf(-1), 1, 2)}},
		"constant":                         {AlertTime: now, Series: []cause.Series{flat(1, 1, 1, 1, 1)}},
		"time stamps and values differ":    {AlertTime: now, Series: []cause.Series{{Entity: "a", Metric: "cpu", T: []int64{ms, ms - 1, ms + 5}, V: []float64{1}, BaseT: []int64{1}}}},
		"times of no calendar":             {AlertTime: now, Series: []cause.Series{{Entity: "a", Metric: "cpu", T: []int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64}, V: []float64{1, 1, 1, 9}}}},
		"samples out of order":             {AlertTime: now, Series: []cause.Series{{Entity: "a", Metric: "cpu", T: []int64{ms, ms - 50_000, ms + 5, ms - 9}, V: []float64{1, 2, 3, 4}}}},
		"a cyclic graph":                   {AlertTime: now, Graph: []cause.Edge{{From: "a", To: "b"}, {From: "b", To: "a"}, {From: "a", To: "a"}, {From: "a", To: "a", Kind: cause.EdgeInstance}}},
		"an entity that owns itself":       {AlertTime: now, Graph: []cause.Edge{{From: "a", To: "b", Kind: cause.EdgeOwns}, {From: "b", To: "a", Kind: cause.EdgeOwns}, {From: "a", To: "b", Kind: cause.EdgeHost}}},
		"candidates without metrics":       {AlertTime: now, Candidates: []string{"a", "b"}, Symptom: cause.Symptom{Entity: "x"}},
		"ten thousand entities in a ring":  {AlertTime: now, Candidates: ten, Graph: ring, Symptom: cause.Symptom{Entity: ten[0]}, Series: []cause.Series{flat(1, 2, 3)}},
		"names with spaces and UTF-8":      {AlertTime: now, Candidates: []string{"ein Dienst", "サービス", ""}, Series: []cause.Series{{Entity: "サービス", Metric: "p 99 ✓", T: []int64{1, 2, 3}, V: []float64{1, 1, 9}}}},
		"alerts of nobody":                 {AlertTime: now, Alerts: []cause.Alert{{}, {Name: "x"}}},
		"a fault in the far future":        {AlertTime: now, FaultTime: time.Unix(9e9, 0), Series: []cause.Series{flat(1, 2, 3)}},
		"logs without a reference":         {AlertTime: now, Logs: []cause.LogCount{{Entity: "a", Pattern: "x", Count: 3}}},
		"spans without durations":          {AlertTime: now, Spans: []cause.SpanCount{{Caller: "a", Entity: "a", Client: true}, {Caller: "a", Entity: "b"}}, SpansBaseline: []cause.SpanCount{{Caller: "a", Entity: "a", Client: true}, {Caller: "a", Entity: "b"}}},
		"a series about calls to nobody":   {AlertTime: now, Series: []cause.Series{{Entity: "a", Peer: "b", Metric: "client_p50", T: []int64{ms}, V: []float64{1}}, {Entity: "a", Peer: "b", Metric: "server_p50", T: []int64{ms}, V: []float64{1}}}},
		"changes of entities not in graph": {AlertTime: now, Changes: []cause.Change{{Time: now, Entity: "a", Kind: "deploy"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := cause.Rank(c, cause.Options{})
			require.True(t, r.NoClearCause || r.Candidates[0].Confidence < .5)
			for _, x := range r.Candidates {
				require.False(t, math.IsNaN(x.Confidence) || math.IsNaN(x.Score))
			}
			_, err := json.Marshal(r)
			require.NoError(t, err, "every number can be written as JSON")
		})
	}
}

func FuzzRank(f *testing.F) {
	f.Add([]byte("seed"), uint16(3))
	f.Add([]byte{0, 255, 1, 254, 7, 7, 7, 200, 100, 3}, uint16(900))
	f.Fuzz(func(t *testing.T, data []byte, start uint16) {
		c := cause.Case{AlertTime: time.UnixMilli(int64(start) * 1000), Symptom: cause.Symptom{Entity: "e1", Metric: "latency"}}
		metrics := []string{"latency", "cpu", "availability", "requests", "errors", "client_p50", "server_p50", "memory"}
		at := func(i int) int { return int(data[i%len(data)]) }
		for i := range data {
			e, p := fmt.Sprintf("e%d", at(i)%7), ""
			if at(i)%5 == 0 {
				p = fmt.Sprintf("e%d", at(i+1)%7)
			}
			s := cause.Series{Entity: e, Peer: p, Metric: metrics[at(i+2)%len(metrics)]}
			for j := range at(i) % 50 {
				v := float64(at(i+j)) - 100
				if at(i+j) == 255 {
					v = math.NaN()
				}
				s.T, s.V = append(s.T, int64(j*at(1))*1000), append(s.V, v*math.Pow(10, float64(at(j)%40-20)))
			}
			if at(i)%3 == 0 {
				s.BaseT, s.BaseV = s.T, s.V
			}
			c.Series = append(c.Series, s)
			c.Graph = append(c.Graph, cause.Edge{From: e, To: fmt.Sprintf("e%d", at(i+3)%7), Kind: []string{"call", "host", "instance", "owns", "?"}[at(i)%5]})
			c.Alerts = append(c.Alerts, cause.Alert{Entity: e, Name: metrics[at(i)%8], Time: time.UnixMilli(int64(at(i)))})
			c.Logs = append(c.Logs, cause.LogCount{Window: 9, Entity: e, Pattern: metrics[at(i+1)%8], Count: float64(at(i))})
			c.LogsBaseline = append(c.LogsBaseline, cause.LogCount{Window: int64(at(i) % 3), Entity: e, Pattern: metrics[at(i)%8], Count: float64(at(i + 1))})
			sp := cause.SpanCount{Window: int64(at(i) % 3), Time: int64(at(i) % 4), Caller: e, Entity: fmt.Sprintf("e%d", at(i+1)%7), Client: at(i)%2 == 0, Count: float64(at(i)), MeanMs: float64(at(i + 2))}
			c.Spans, c.SpansBaseline = append(c.Spans, sp), append(c.SpansBaseline, sp)
			if len(c.Series) > 40 {
				break
			}
		}
		r := cause.Rank(c, cause.Options{})
		for _, x := range r.Candidates {
			require.GreaterOrEqual(t, x.Confidence, 0.0)
			require.LessOrEqual(t, x.Confidence, 1.0)
		}
		_, err := json.Marshal(r)
		require.NoError(t, err)
	})
}

// BenchmarkRank1000Series ranks one incident of 1 000 series of 60 samples; the promise is 100 ms.
func BenchmarkRank1000Series(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := cause.Case{AlertTime: time.Unix(1_800_000_000, 0).Add(57 * time.Minute), Symptom: cause.Symptom{Entity: "s000", Metric: "latency:mean"}}
	for e := range 200 {
		name := fmt.Sprintf("s%03d", e)
		for k := 1; k <= 3; k++ {
			if to := 3*e + k; to < 200 {
				c.Graph = append(c.Graph, cause.Edge{From: name, To: fmt.Sprintf("s%03d", to), Kind: cause.EdgeCall})
			}
		}
		for _, m := range []string{"latency:mean", "requests_total", "errors_total", "cpu_usage", "memory_bytes"} {
			s := cause.Series{Entity: name, Metric: m, Query: name + m}
			for i := range 60 {
				x := 1 + .1*rng.NormFloat64()
				if i >= 55 && e == 150 {
					x *= 3
				}
				s.T, s.V = append(s.T, (1_800_000_000+int64(i)*60)*1000), append(s.V, x)
			}
			c.Series = append(c.Series, s)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		cause.Rank(c, cause.Options{})
	}
}
