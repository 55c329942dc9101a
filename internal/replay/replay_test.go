package replay_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/replay"
	"github.com/tidemark/tidemark/internal/replay/replaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// minute n of the range.
func minute(n int) time.Time { return begin.Add(time.Duration(n) * time.Minute) }

const shopRules = `{"name":"g","interval":15,"rules":[
{"type":"alerting","name":"DiskSaturated","query":"x > 1","duration":60,"labels":{"severity":"critical"},"annotations":{"summary":"disk of {{ $labels.instance }} is busy","value":"{{ $value }}"}},
{"type":"alerting","name":"HighLatency","query":"y > 1","duration":120,"labels":{"severity":"warning"}},
{"type":"alerting","name":"CertExpires","query":"z > 1","duration":0,"labels":{"severity":"warning"}}]}`

// shop is a Prometheus that saw one storm of a database's disk, and later something else.
func shop() *replaytest.Server {
	s := &replaytest.Server{Rules: shopRules, Vectors: map[string]string{}}
	s.Firing(minute(61), minute(90), "alertname", "DiskSaturated", "severity", "critical", "service", "db", "instance", "db-0:9100", "team", "data")
	for n := range 3 {
		s.Firing(minute(63), minute(91), "alertname", "HighLatency", "severity", "warning", "service", "api", "instance", fmt.Sprintf("api-%d:8080", n), "team", "shop")
		s.Firing(minute(64), minute(91), "alertname", "HighLatency", "severity", "warning", "service", "web", "instance", fmt.Sprintf("web-%d:8080", n), "team", "shop")
	}
	s.Firing(minute(600), minute(700), "alertname", "CertExpires", "severity", "warning", "service", "mail")
	edge := func(client, server string) string {
		return `{"metric":{"client":"` + client + `","server":"` + server + `"},"value":[0,"5"]}`
	}
	for _, q := range (topology.ServiceGraph{}).Queries() {
		s.Vectors[q.Expr] = edge("web", "api") + "," + edge("api", "db")
	}
	return s
}

func open(t *testing.T, s *replaytest.Server) *promread.Client {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	cfg := promread.DefaultConfig()
	cfg.URL = &commoncfg.URL{URL: u}
	cfg.ReadSlice = model.Duration(time.Hour) // A firing may span slices.
	c, err := promread.New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func options() replay.Options {
	cfg, err := config.ZeroConfig("http://localhost:9090", nil)
	if err != nil {
		panic(err) // Of a constant.
	}
	cfg.Baseline.History = 0
	return replay.Options{From: begin, To: begin.Add(24 * time.Hour), Config: cfg, TeamLabel: "team"}
}

func replayed(t *testing.T, s *replaytest.Server, change ...func(*replay.Options)) *replay.Report {
	t.Helper()
	o := options()
	for _, c := range change {
		c(&o)
	}
	r, err := replay.Run(t.Context(), open(t, s), o)
	require.NoError(t, err)
	return r
}

func TestAStormBecomesOneIncidentWithItsCause(t *testing.T) {
	r := replayed(t, shop())
	require.Equal(t, 8, r.Alerts)
	require.Equal(t, 8, r.Firings)
	require.Equal(t, 3, r.AlertPages, "one per alert name")
	require.Equal(t, 2, r.IncidentPages)
	require.Equal(t, 1, r.PagesSpared())
	require.Empty(t, r.Hidden)
	require.Len(t, r.Incidents, 2)
	storm := r.Incidents[0]
	require.Equal(t, 7, storm.Alerts)
	require.Contains(t, storm.Cause, "/db")
	require.Equal(t, minute(61), storm.FirstAlert)
	require.WithinDuration(t, minute(61).Add(3*time.Second), storm.Told, 20*time.Millisecond, "after the wait of the live process")
	require.Equal(t, minute(91), storm.End)
	require.Equal(t, []string{"data", "shop"}, storm.Teams)
	require.Equal(t, []replay.Team{
		{Name: "shop", Firings: 6, AlertPages: 1, IncidentPages: 1},
		{Name: "", Firings: 1, AlertPages: 1, IncidentPages: 1},
		{Name: "data", Firings: 1, AlertPages: 1, IncidentPages: 1},
	}, r.Teams)
}

func TestTheSamePastGivesTheSameReport(t *testing.T) {
	var before []byte
	for range 5 {
		data, err := json.Marshal(replayed(t, shop()))
		require.NoError(t, err)
		if before != nil {
			require.Equal(t, string(before), string(data))
		}
		before = data
	}
}

func TestReplayDecidesWhatTheLiveProcessDecided(t *testing.T) {
	r := replayed(t, shop())
	// Live, the webhook brings groups later, twice, in another order.
	s := shop()
	g := topology.NewGraph(topology.Options{})
	find := func(client, server string) topology.Edge {
		return topology.Edge{From: topology.Entity{Kind: topology.KindService, Name: client}, To: topology.Entity{Kind: topology.KindService, Name: server}, Kind: topology.Call}
	}
	holds := map[model.LabelValue]time.Duration{"DiskSaturated": time.Minute, "HighLatency": 2 * time.Minute}
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{
		Topology: g, Rules: func(ls model.LabelSet) (time.Duration, bool) { return holds[ls[model.AlertNameLabel]], true },
	})
	type message struct {
		at    time.Time
		alert *model.Alert
	}
	var all []message
	rnd := rand.New(rand.NewPCG(7, 7))
	for _, x := range s.Series {
		ls := model.LabelSet{}
		x.Labels.Range(func(l labels.Label) {
			if l.Name != "__name__" && l.Name != "alertstate" {
				ls[model.LabelName(l.Name)] = model.LabelValue(l.Value)
			}
		})
		start, end := time.UnixMilli(x.T[0]).UTC(), time.UnixMilli(x.T[len(x.T)-1]).UTC()
		late := func() time.Duration { return time.Duration(rnd.IntN(20)) * time.Second }
		for range 2 {
			all = append(all, message{start.Add(late()), &model.Alert{Labels: ls, StartsAt: start}}, message{end.Add(late()), &model.Alert{Labels: ls, StartsAt: start, EndsAt: end}})
		}
	}
	slices.SortFunc(all, func(a, b message) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(rnd.IntN(3), 1)) })
	var live []correlate.Incident
	for now, i := begin, 0; now.Before(begin.Add(24 * time.Hour)); now = now.Add(time.Second) {
		if now.Sub(begin)%time.Minute == 0 {
			g.Add(now, find("web", "api"), find("api", "db"))
		}
		for ; i < len(all) && !all[i].at.After(now); i++ {
			e.Alerts(now, []*model.Alert{all[i].alert})
		}
		for _, ev := range e.Step(now) {
			if ev.Type == correlate.EventResolved {
				live = append(live, ev.Incident)
			}
		}
	}
	require.Len(t, live, len(r.Incidents))
	for i, inc := range live {
		got := r.Incidents[i]
		require.Equal(t, inc.ID, got.ID)
		require.Len(t, inc.Alerts, got.Alerts)
		require.Equal(t, inc.Title, got.Title)
		require.Equal(t, inc.Severity, got.Severity)
		require.Equal(t, inc.End, got.End)
		require.InDelta(t, inc.Causes[0].Confidence, got.Confidence, 0)
		require.Equal(t, strings.TrimSpace(inc.Causes[0].Entity.Kind+"/"+inc.Causes[0].Entity.Name+" "+inc.Causes[0].Resource), got.Cause)
	}
}

func TestFirings(t *testing.T) {
	ls := []string{"alertname", "CertExpires", "service", "mail"}
	for _, tc := range []struct {
		name                     string
		fire                     func(s *replaytest.Server)
		firings, pages, incident int
	}{
		{"nothing fired", func(*replaytest.Server) {}, 0, 0, 0},
		{"a stale marker ends a firing", func(s *replaytest.Server) {
			s.Firing(minute(10), minute(20), ls...)
			s.Firing(minute(600), minute(620), ls...)
		}, 2, 2, 2},
		{"flapping is one incident", func(s *replaytest.Server) {
			for n := range 10 {
				s.Firing(minute(10+2*n), minute(11+2*n), ls...)
			}
		}, 10, 1, 1},
		{"a gap of four minutes is none", func(s *replaytest.Server) { gap(s, 4, ls...) }, 1, 1, 1},
		{"a gap of six minutes ends the firing", func(s *replaytest.Server) { gap(s, 6, ls...) }, 2, 1, 1},
		{"copies of replicas count once", func(s *replaytest.Server) {
			s.Firing(minute(10), minute(20), append([]string{"prometheus_replica", "a"}, ls...)...)
			s.Firing(minute(10).Add(7*time.Second), minute(20), append([]string{"prometheus_replica", "b"}, ls...)...)
		}, 1, 1, 1},
		{"alerts of our own are no alerts", func(s *replaytest.Server) { s.Firing(minute(10), minute(20), "alertname", "TidemarkIncident") }, 0, 0, 0},
		{"an alert that lasts one evaluation is told", func(s *replaytest.Server) { s.Firing(minute(10), minute(10).Add(15*time.Second), ls...) }, 1, 1, 1},
		{"what fires at the end is told", func(s *replaytest.Server) { s.Firing(minute(1439), minute(2000), ls...) }, 1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &replaytest.Server{Rules: shopRules}
			tc.fire(s)
			r := replayed(t, s)
			require.Equal(t, tc.firings, r.Firings)
			require.Equal(t, tc.pages, r.AlertPages)
			require.Equal(t, tc.incident, r.IncidentPages)
			require.Empty(t, r.Hidden)
		})
	}
}

// gap writes a firing whose samples are missing for some minutes.
func gap(s *replaytest.Server, minutes int, pairs ...string) {
	s.Firing(minute(10), minute(20), pairs...)
	x := &s.Series[0]
	x.T, x.V = x.T[:len(x.T)-1], x.V[:len(x.V)-1]
	s.Firing(time.UnixMilli(x.T[len(x.T)-1]).Add(time.Duration(minutes)*time.Minute), minute(40), pairs...)
}

func TestWhatNobodyIsToldOfIsListed(t *testing.T) {
	s := &replaytest.Server{Rules: shopRules}
	s.Firing(minute(10), minute(10).Add(15*time.Second), "alertname", "CertExpires", "team", "mail")
	r := replayed(t, s, func(o *replay.Options) { o.Config.Correlate.Wait = model.Duration(time.Minute) })
	require.Zero(t, r.IncidentPages)
	require.Equal(t, []replay.Hidden{{Labels: model.LabelSet{"alertname": "CertExpires", "team": "mail"}, Start: minute(10), End: minute(10).Add(15 * time.Second)}}, r.Hidden)
	require.Equal(t, 1, r.Teams[0].Hidden)
}

func TestHistoryBeforeTheRangeIsKnown(t *testing.T) {
	s := &replaytest.Server{Rules: shopRules}
	for day := -10; day <= 0; day++ { // A backup at 02:00 every night.
		s.Firing(minute(day*1440+120), minute(day*1440+150), "alertname", "CertExpires", "service", "backup")
	}
	s.Firing(minute(-60), minute(30), "alertname", "HighLatency", "severity", "warning", "service", "web")
	o := func(o *replay.Options) { o.Config.Baseline.History = model.Duration(20 * 24 * time.Hour) }
	r := replayed(t, s, o)
	require.Equal(t, 2, r.Firings, "what ended before the range is not counted")
	require.Equal(t, 1, r.AlreadyFiring)
	require.Empty(t, r.Hidden)
	require.Len(t, r.Incidents, 2)
	require.Equal(t, minute(-60), r.Incidents[0].FirstAlert, "its true start")
	require.WithinDuration(t, begin.Add(3*time.Second), r.Incidents[0].Told, 20*time.Millisecond)
}

func TestMatchersChooseAlerts(t *testing.T) {
	r := replayed(t, shop(), func(o *replay.Options) {
		o.Match = []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "team", "shop")}
	})
	require.Equal(t, 6, r.Alerts)
}

func TestOptionsAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(o *replay.Options)
		want   string
	}{
		"no range":   {func(o *replay.Options) { o.To = time.Time{} }, "replay: from and to are needed"},
		"backwards":  {func(o *replay.Options) { o.From, o.To = o.To, o.From }, "replay: from 2026-11-21T00:00:00Z is not before to 2026-11-20T00:00:00Z"},
		"no team":    {func(o *replay.Options) { o.TeamLabel = "" }, "replay: the label that names the team is empty"},
		"bad config": {func(o *replay.Options) { o.Config.Correlate.MaxAlerts = 1 }, "correlate.max_alerts is 1: want at least 100"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			tc.change(&o)
			_, err := replay.Run(t.Context(), open(t, shop()), o)
			require.EqualError(t, err, tc.want)
		})
	}
}
