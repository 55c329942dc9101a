package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/notify"
)

// active gives the answer of a real Alertmanager for some alerts by name.
func active(t *testing.T, names ...string) string {
	t.Helper()
	updated := strfmt.DateTime(time.Now())
	ends := strfmt.DateTime(time.Now().Add(time.Hour))
	alerts := models.GettableAlerts{}
	for i, name := range names {
		starts := strfmt.DateTime(time.Now().Add(time.Duration(i) * time.Second))
		state, fp, rec := "suppressed", "f00", "hook"
		alerts = append(alerts, &models.GettableAlert{
			Alert:       models.Alert{Labels: models.LabelSet{"alertname": name}, GeneratorURL: "http://prom/graph"},
			Annotations: models.LabelSet{"summary": "s"}, StartsAt: &starts, EndsAt: &ends, UpdatedAt: &updated, Fingerprint: &fp,
			Receivers: []*models.ReceiverReference{{Name: &rec}},
			Status:    &models.AlertStatus{State: &state, SilencedBy: []string{"x"}, InhibitedBy: []string{}, MutedBy: []string{}},
		})
	}
	b, err := json.Marshal(alerts)
	require.NoError(t, err)
	return string(b)
}

func fingerprint(name string) model.Fingerprint {
	return model.LabelSet{"alertname": model.LabelValue(name)}.Fingerprint()
}

type found struct {
	active []string
	gone   []model.Fingerprint
}

func reconciler(t *testing.T, net *network, known []model.Fingerprint, urls ...string) (*notify.Reconciler, *[]found) {
	t.Helper()
	got := &[]found{}
	o := notify.ReconcilerOptions{
		HTTPOptions: net.options(), Filter: []string{`path="correlate"`}, Receiver: "tidemark",
		Known: func() []model.Fingerprint { return known },
		Sink: func(_ context.Context, as []*model.Alert, gone []model.Fingerprint) {
			f := found{gone: gone}
			for _, a := range as {
				f.active = append(f.active, a.Name())
			}
			*got = append(*got, f)
		},
	}
	for _, u := range urls {
		o.Alertmanagers = append(o.Alertmanagers, config(t, u))
	}
	r, err := notify.NewReconciler(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, got
}

func TestSilencesOfPeopleAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		var told []notify.Silence
		r, err := notify.NewReconciler(notify.ReconcilerOptions{
			HTTPOptions: net.options(), Alertmanagers: []notify.Config{config(t, "http://am:9093")},
			Known: func() []model.Fingerprint { return nil }, Sink: func(context.Context, []*model.Alert, []model.Fingerprint) {},
			Silenced: func(s notify.Silence) { told = append(told, s) },
		})
		require.NoError(t, err)
		t.Cleanup(r.Close)
		am.list = active(t, "A", "TidemarkIncident", "TidemarkAlive")
		require.NoError(t, r.Once(t.Context()))
		require.NoError(t, r.Once(t.Context()))
		require.Equal(t, []notify.Silence{
			{Labels: model.LabelSet{"alertname": "A"}, By: "ann", Comment: "backup runs"},
			{Labels: model.LabelSet{"alertname": "TidemarkIncident"}, By: "ann", Comment: "backup runs"},
		}, told, "the heartbeat is nobody's page")
	})
}

func TestSilencedMemberThatEndedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		am := net.serve(t, "am:9093")
		known := []model.Fingerprint{fingerprint("A"), fingerprint("B")}
		r, got := reconciler(t, net, known, "http://am:9093")
		am.list = active(t, "A", "B", "TidemarkIncident", "TidemarkAlive")
		require.NoError(t, r.Once(t.Context()))
		require.Equal(t, found{active: []string{"A", "B"}}, (*got)[0], "own alerts are left out")
		require.Equal(t, "active=true&filter=path%3D%22correlate%22&inhibited=true&receiver=tidemark&silenced=true&unprocessed=true", am.query)

		am.list = active(t, "A")
		for range 6 {
			require.NoError(t, r.Once(t.Context()))
			require.Empty(t, (*got)[len(*got)-1].gone, "a restarted Alertmanager knows nothing for a while")
			time.Sleep(30 * time.Second)
		}
		require.NoError(t, r.Once(t.Context()))
		require.Equal(t, []model.Fingerprint{fingerprint("B")}, (*got)[len(*got)-1].gone)
	})
}

func TestAlertIsGoneOnlyWhenNoPeerHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		one, two := net.serve(t, "one:9093"), net.serve(t, "two:9093")
		r, got := reconciler(t, net, []model.Fingerprint{fingerprint("A")}, "http://one:9093", "http://two:9093", "http://dead:9093")
		one.list = active(t, "A")
		for range 10 {
			require.NoError(t, r.Once(t.Context()))
			time.Sleep(time.Minute)
		}
		require.Equal(t, found{active: []string{"A"}}, (*got)[9])
		one.answer(http.StatusInternalServerError, "")
		two.answer(http.StatusInternalServerError, "")
		calls := len(*got)
		require.ErrorContains(t, r.Once(t.Context()), "no Alertmanager answered: alertmanager one:9093: 500 Internal Server Error")
		require.Len(t, *got, calls, "nobody answered, so nothing is gone")
	})
}

func TestReconcilerRunsEveryHalfMinuteAndWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		net.serve(t, "am:9093")
		r, got := reconciler(t, net, nil, "http://am:9093")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(65 * time.Second)
		r.Trigger()
		synctest.Wait()
		require.Len(t, *got, 4)
		cancel()
		require.NoError(t, <-done)
	})
}

// The exact words for a peer that is not what it should be.
func TestPeerErrorsSayWhatToDo(t *testing.T) {
	hint := " (is url the address of an Alertmanager, without /api/v2, as in http://alertmanager:9093?)"
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"an HTML page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<html>Grafana</html>")
		}, "answered 200 OK with an HTML page" + hint},
		{
			"wrong credentials", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			"401 Unauthorized (check basic_auth, authorization or tls_config under http_config)",
		},
		{"another path", http.NotFound, "404 Not Found" + hint},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"status":"success"}`)
		}, "its answer is not a list of alerts: json: cannot unmarshal object into Go value of type []notify.gettable" + hint},
		{
			"plain text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
			`answered with Content-Type "text/plain", not JSON` + hint,
		},
		{
			"an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "boom", http.StatusServiceUnavailable) },
			"503 Service Unavailable: boom",
		},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "[")
		}, "its answer ended early: unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewServer(tc.handler)
			defer srv.Close()
			r, err := notify.NewReconciler(notify.ReconcilerOptions{
				Alertmanagers: []notify.Config{config(t, srv.URL)},
				Known:         func() []model.Fingerprint { return nil },
				Sink:          func(context.Context, []*model.Alert, []model.Fingerprint) { t.Error("there is nothing to say") },
			})
			require.NoError(t, err)
			defer r.Close()
			require.EqualError(t, r.Once(t.Context()),
				"no Alertmanager answered: alertmanager "+srv.Listener.Addr().String()+": "+tc.want)
		})
	}
}

func FuzzActiveAlerts(f *testing.F) {
	f.Add(`[{"labels":{"alertname":"A"},"startsAt":"2026-11-22T10:00:00Z","endsAt":"2026-11-22T11:00:00Z","status":{"state":"active"}}]`)
	f.Add(`[{"labels":null}]`)
	f.Add(`[[[[`)
	f.Fuzz(func(t *testing.T, body string) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		}))
		defer srv.Close()
		r, err := notify.NewReconciler(notify.ReconcilerOptions{
			Alertmanagers: []notify.Config{config(t, srv.URL)},
			Known:         func() []model.Fingerprint { return nil },
			Sink: func(_ context.Context, as []*model.Alert, _ []model.Fingerprint) {
				for _, a := range as {
					require.NotEmpty(t, a.Labels)
				}
			},
		})
		require.NoError(t, err)
		defer r.Close()
		_ = r.Once(t.Context())
	})
}
