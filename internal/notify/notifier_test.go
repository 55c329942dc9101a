package notify_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/notify"
)

func incident(cause string) notify.Alert {
	return notify.Alert{
		Labels:      model.LabelSet{"alertname": "TidemarkIncident", "incident": "INC-1", "severity": "critical"},
		Annotations: model.LabelSet{"cause": model.LabelValue(cause), "summary": "checkout errors"},
		StartsAt:    time.Now(), GeneratorURL: "http://tidemark:9099/incidents/INC-1",
	}
}

type bench struct {
	*notify.Notifier
	net   *network
	start time.Time
	sick  atomic.Pointer[error]
	reg   *prometheus.Registry
}

func (b *bench) ill(err error) { b.sick.Store(&err) }

// run starts a Notifier towards the addresses inside a synctest bubble.
func run(t *testing.T, net *network, urls ...string) *bench {
	t.Helper()
	b := &bench{net: net, start: time.Now(), reg: prometheus.NewRegistry()}
	o := notify.Options{HTTPOptions: net.options(), Registerer: b.reg, Healthy: func() error {
		if err := b.sick.Load(); err != nil {
			return *err
		}
		return nil
	}}
	for _, u := range urls {
		o.Alertmanagers = append(o.Alertmanagers, config(t, u))
	}
	n, err := notify.New(o)
	require.NoError(t, err)
	b.Notifier = n
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		n.Close()
	})
	return b
}

func TestIncidentIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		time.Sleep(10 * time.Second)
		b.Set("INC-1", incident("db disk"))
		time.Sleep(2*time.Minute + 55*time.Second)
		synctest.Wait()
		require.Equal(t, []sent{
			{at: 10 * time.Second, cause: "db disk", left: 4 * time.Minute},
			{at: 60 * time.Second, cause: "db disk", left: 4 * time.Minute},
			{at: 120 * time.Second, cause: "db disk", left: 4 * time.Minute},
			{at: 180 * time.Second, cause: "db disk", left: 4 * time.Minute},
		}, am.sent("TidemarkIncident", b.start))
	})
}

func TestResolvedIncidentIsPostedFiveMinutesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		b.Set("INC-1", incident("db disk"))
		time.Sleep(30 * time.Second)
		am.forget()
		b.Resolve("INC-1")
		b.Resolve("INC-unknown")
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		got := am.sent("TidemarkIncident", b.start)
		require.Equal(t, sent{at: 30 * time.Second, cause: "db disk"}, got[0], "it ends at once")
		require.Len(t, got, 6)
		require.Equal(t, 5*time.Minute, got[5].at)
		require.Empty(t, b.State())
	})
}

func TestNewCauseIsANewAlertOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		b.Set("INC-1", incident("api deploy"))
		time.Sleep(10 * time.Second)
		am.forget()

		more := incident("api deploy")
		more.Annotations["summary"] = "checkout and cart errors"
		b.Set("INC-1", more)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []sent{{at: 10 * time.Second, cause: "api deploy", left: 4 * time.Minute}},
			am.sent("TidemarkIncident", b.start), "another annotation changes the alert in place")
		am.forget()

		b.Set("INC-1", incident("db disk"))
		synctest.Wait()
		require.Equal(t, []sent{
			{at: 20 * time.Second, cause: "db disk", revision: "2", left: 4 * time.Minute},
			{at: 20 * time.Second, cause: "api deploy"},
		}, am.sent("TidemarkIncident", b.start), "the new revision comes before the end of the old one")

		louder := incident("db disk")
		louder.Labels["severity"] = "warning"
		b.Set("INC-1", louder)
		synctest.Wait()
		last := am.sent("TidemarkIncident", b.start)[2]
		require.Equal(t, "3", last.revision, "labels are the identity, so they make a revision too")
		require.Equal(t, 2, counter(t, b.reg, "tidemark_notification_revisions_total"))
	})
}

func TestIncidentThatComesBackSoonDoesNotShareItsLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		b.Set("INC-1", incident("db disk"))
		b.Resolve("INC-1")
		b.Set("INC-1", incident("db disk"))
		synctest.Wait()
		got := am.sent("TidemarkIncident", b.start)
		require.Equal(t, "2", got[len(got)-1].revision)
	})
}

func TestHeartbeatLivesWhileAllStagesAreHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		time.Sleep(65 * time.Second)
		synctest.Wait()
		require.Equal(t, []sent{
			{at: 0, left: 2 * time.Minute}, {at: 30 * time.Second, left: 2 * time.Minute}, {at: time.Minute, left: 2 * time.Minute},
		}, am.sent("TidemarkAlive", b.start))
		b.ill(errors.New("scoring is 90s late"))
		am.forget()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Empty(t, am.sent("TidemarkAlive", b.start))
		require.Positive(t, counter(t, b.reg, "tidemark_heartbeat_withheld_total"))
		b.ill(nil)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Len(t, am.sent("TidemarkAlive", b.start), 1)
	})
}

func TestHeartbeatIsWithheldFromAPeerThatRefusesIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am, other := net.serve(t, "am:9093"), net.serve(t, "am2:9093")
		b := run(t, net, "http://am:9093", "http://am2:9093")
		am.answer(http.StatusInternalServerError, "TidemarkIncident")
		b.Set("INC-1", incident("db disk"))
		time.Sleep(95 * time.Second)
		am.forget()
		other.forget()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Empty(t, am.sent("TidemarkAlive", b.start), "raw alerts must page there")
		require.Len(t, other.sent("TidemarkAlive", b.start), 10)
		am.answer(0, "")
		time.Sleep(62 * time.Second)
		synctest.Wait()
		require.NotEmpty(t, am.sent("TidemarkIncident", b.start))
		require.NotEmpty(t, am.sent("TidemarkAlive", b.start))
	})
}

func TestDeadPeerDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		live := net.serve(t, "live:9093")
		b := run(t, net, "http://dead:9093", "http://live:9093")
		b.Set("INC-1", incident("db disk"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Len(t, live.sent("TidemarkIncident", b.start), 6)
		failed := counter(t, b.reg, "tidemark_notifications_failed_total")
		require.Greater(t, failed, 8)
		require.Less(t, failed, 50, "attempts are spaced out")

		dead := net.serve(t, "dead:9093")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NotEmpty(t, dead.sent("TidemarkIncident", b.start), "delivered within one re-send of its return")
	})
}

func TestHeartbeatComesSoonAfterAPeerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		b := run(t, net, "http://am:9093")
		time.Sleep(time.Minute + time.Second)
		am := net.serve(t, "am:9093")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Len(t, am.sent("TidemarkAlive", b.start), 1)
	})
}

func TestFloodOfChangesIsNoFloodOfPostsToAFailingPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, &network{}, "http://dead:9093")
		for range 1000 {
			b.Set("INC-1", incident("db disk"))
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		require.LessOrEqual(t, counter(t, b.reg, "tidemark_notifications_failed_total"), 3)
	})
}

func TestManyIncidentsGoInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093")
		var saved []notify.Saved
		for i := range 1000 {
			a := incident("x")
			a.Labels["incident"] = model.LabelValue(rune('a' + i))
			saved = append(saved, notify.Saved{Key: string(a.Labels["incident"]), Alert: a, Revision: 1})
		}
		b.Restore(saved)
		time.Sleep(time.Second)
		synctest.Wait()
		am.mu.Lock()
		defer am.mu.Unlock()
		require.LessOrEqual(t, len(am.posts), 1+4)
	})
}

func TestRestartKeepsTheSameAlertsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		first := run(t, net, "http://am:9093")
		first.Set("INC-1", incident("api deploy"))
		first.Set("INC-1", incident("db disk"))
		state := first.State()
		require.Len(t, state, 2)
		time.Sleep(time.Second)
		am.forget()

		second := run(t, net, "http://am:9093")
		second.Restore(state)
		second.Set("INC-1", state[0].Alert)
		time.Sleep(time.Second)
		synctest.Wait()
		for _, s := range am.sent("TidemarkIncident", second.start) {
			if s.left > 0 {
				require.Equal(t, "2", s.revision, "the revision goes on, nobody is paged again")
			}
		}
		require.Len(t, second.State(), 2)
	})
}

func TestNotifierNeedsToKnowItsHealth(t *testing.T) {
	_, err := notify.New(notify.Options{})
	require.EqualError(t, err, "notifier: Healthy is missing: a heartbeat that cannot be withheld would hide alerts")
	_, err = notify.New(notify.Options{Healthy: func() error { return nil }, Alertmanagers: []notify.Config{{}}})
	require.EqualError(t, err, "alertmanagers: url is missing, such as http://alertmanager:9093")
}

func TestMetricsFollowTheNamingRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		net.serve(t, "am:9093")
		b := run(t, net, "http://am:9093", "http://dead:9093")
		b.Set("INC-1", incident("db disk"))
		time.Sleep(time.Second)
		problems, err := testutil.GatherAndLint(b.reg)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

func counter(t *testing.T, reg *prometheus.Registry, name string) int {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	sum := 0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}
