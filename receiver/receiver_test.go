package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/receiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// rig is a Receiver with everything around it.
type rig struct {
	*receiver.Receiver
	t        testing.TB
	handlers map[string]http.Handler
	reg      *prometheus.Registry

	mu        sync.Mutex
	now       time.Time
	refuse    error
	records   []record
	alerts    []*model.Alert
	lines     []string
	spans     []*tracepb.ResourceSpans
	changes   []receiver.Change
	reconcile []string
	onAlerts  func()
}

type record struct {
	kind    byte
	payload []byte
}

func (r *rig) Append(_ context.Context, kind byte, payload []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.records = append(r.records, record{kind, append([]byte(nil), payload...)})
	return nil
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func newRig(t testing.TB, change ...func(*receiver.Config)) *rig {
	t.Helper()
	r := &rig{t: t, now: start, reg: prometheus.NewRegistry()}
	c := receiver.DefaultConfig()
	for _, f := range change {
		f(&c)
	}
	var err error
	r.Receiver, err = receiver.New(receiver.Options{
		Config: c, Log: r, Clock: r.clock, Registerer: r.reg,
		Sinks: receiver.Sinks{
			Alerts: func(_ context.Context, as []*model.Alert) {
				if r.onAlerts != nil {
					r.onAlerts()
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				r.alerts = append(r.alerts, as...)
			},
			Lines: func(_ context.Context, ls labels.Labels, es []push.Entry) {
				r.mu.Lock()
				defer r.mu.Unlock()
				for _, e := range es {
					r.lines = append(r.lines, ls.String()+" "+e.Line)
				}
			},
			Spans: func(_ context.Context, rs []*tracepb.ResourceSpans) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.spans = append(r.spans, rs...)
			},
			Changes: func(_ context.Context, cs []receiver.Change) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.changes = append(r.changes, cs...)
			},
			Reconcile: func(_ context.Context, why string) { r.reconcile = append(r.reconcile, why) },
		},
	})
	require.NoError(t, err)
	r.handlers = r.Handlers()
	return r
}

// post sends a body; headers are name, value pairs.
func (r *rig) post(path, contentType, body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.handlers[path].ServeHTTP(w, req)
	return w
}

func (r *rig) webhook(alerts ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	return r.post(receiver.WebhookPath, "application/json", message(alerts...))
}

// message has the shape that Alertmanager 0.34 sends.
func message(alerts ...string) string {
	return `{"receiver":"tide\\.mark","status":"firing","alerts":[` + strings.Join(alerts, ",") +
		`],"groupLabels":{"cluster":"eu"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am",` +
		`"notification_reason":"first notification","routeLabels":{},"version":"4","groupKey":"{}:{cluster=\"eu\"}","truncatedAlerts":0}`
}

func alert(name, status string, at time.Time) string {
	ends := "0001-01-01T00:00:00Z"
	if status == "resolved" {
		ends = at.Add(time.Minute).Format(time.RFC3339Nano)
	}
	return fmt.Sprintf(`{"status":%q,"labels":{"alertname":%q,"instance":"db-0"},"annotations":{"summary":"caf\u00e9 \"down\""},`+
		`"startsAt":%q,"endsAt":%q,"generatorURL":"http://prom/graph","fingerprint":"f00"}`, status, name, at.Format(time.RFC3339Nano), ends)
}

func names(alerts []*model.Alert) []string {
	var out []string
	for _, a := range alerts {
		out = append(out, a.Name()+" "+string(a.Status()))
	}
	return out
}

func (r *rig) counter(name string) int {
	r.t.Helper()
	families, err := r.reg.Gather()
	require.NoError(r.t, err)
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

func TestWebhookIsKeptAndDelivered(t *testing.T) {
	r := newRig(t)
	w := r.webhook(alert("DiskSlow", "firing", start), alert("Gone", "resolved", start))
	require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
	require.Equal(t, []string{"DiskSlow firing", "Gone resolved"}, names(r.alerts))
	require.Equal(t, model.LabelSet{"alertname": "DiskSlow", "instance": "db-0"}, r.alerts[0].Labels)
	require.Equal(t, model.LabelValue(`café "down"`), r.alerts[0].Annotations["summary"])
	require.True(t, r.alerts[0].EndsAt.IsZero(), "year 1 means still firing")
	require.Equal(t, start.Add(time.Minute), r.alerts[1].EndsAt.Add(time.Minute), "an end ahead of now is now")
	require.Len(t, r.records, 1)

	again := newRig(t)
	require.NoError(t, again.Decode(context.Background(), r.records[0].kind, r.records[0].payload))
	require.Equal(t, r.alerts, again.alerts, "a replay delivers the same")
}

func TestRepeatsChangeNothing(t *testing.T) {
	r := newRig(t)
	for range 3 {
		require.Equal(t, http.StatusNoContent, r.webhook(alert("A", "firing", start)).Code)
	}
	require.Equal(t, http.StatusNoContent, r.webhook(alert("A", "firing", start), alert("B", "firing", start)).Code)
	require.Equal(t, []string{"A firing", "B firing"}, names(r.alerts))
	require.Len(t, r.records, 2, "a message without anything new is not written")
	require.NotContains(t, string(r.records[1].payload), `"A"`, "only the new alert of a group is written")

	r.pass(27 * time.Hour)
	r.webhook(alert("A", "firing", start))
	require.Len(t, r.alerts, 2, "keys outlive repeat_interval")

	restarted := newRig(t)
	require.NoError(t, restarted.Restore(r.Snapshot()))
	restarted.webhook(alert("A", "firing", start))
	require.Empty(t, restarted.alerts)
}

func TestAlertThatFiresAgainWithItsOldStart(t *testing.T) {
	r := newRig(t)
	r.webhook(alert("A", "firing", start))
	r.webhook(alert("A", "resolved", start))
	r.pass(time.Minute)
	r.webhook(alert("A", "firing", start))
	require.Len(t, r.alerts, 2, "a late copy from the other Alertmanager of a pair")
	r.pass(10 * time.Minute)
	r.webhook(alert("A", "firing", start))
	require.Equal(t, []string{"A firing", "A resolved", "A firing"}, names(r.alerts))
}

func TestOwnAlertsAreDropped(t *testing.T) {
	r := newRig(t)
	w := r.webhook(alert("TidemarkIncident", "firing", start), alert("TidemarkAlive", "firing", start))
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Empty(t, r.alerts)
	require.Empty(t, r.records)
	require.Equal(t, 2, r.counter("tidemark_receiver_own_alerts_total"))
}

func TestMessageThatCannotBeKept(t *testing.T) {
	r := newRig(t)
	r.refuse = errors.New("no space left on device")
	w := r.webhook(alert("A", "firing", start))
	require.Equal(t, http.StatusServiceUnavailable, w.Code, "Alertmanager retries 5xx only")
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Equal(t, "the message cannot be made durable (no space left on device), try again in 5 s\n", w.Body.String())
	require.Empty(t, r.alerts)
	r.refuse = nil
	require.Equal(t, http.StatusNoContent, r.webhook(alert("A", "firing", start)).Code)
	require.Len(t, r.alerts, 1, "the retry is not taken for a repeat")
}

func TestTruncatedWebhookAsksForTheRest(t *testing.T) {
	r := newRig(t)
	body := strings.Replace(message(alert("A", "firing", start)), `"truncatedAlerts":0`, `"truncatedAlerts":7`, 1)
	require.Equal(t, http.StatusNoContent, r.post(receiver.WebhookPath, "application/json", body).Code)
	require.Equal(t, []string{"webhook left 7 alerts out (max_alerts)"}, r.reconcile)
}

func TestSinkThatPanicsCostsNothingElse(t *testing.T) {
	r := newRig(t)
	r.onAlerts = func() { panic("poison") }
	require.Equal(t, http.StatusNoContent, r.webhook(alert("A", "firing", start)).Code, "it is on disk")
	r.onAlerts = nil
	require.Equal(t, http.StatusNoContent, r.webhook(alert("B", "firing", start)).Code)
	require.Equal(t, []string{"B firing"}, names(r.alerts))
	require.Equal(t, 1, r.counter("tidemark_receiver_panics_total"))
}

func TestMetricsFollowTheNamingRules(t *testing.T) {
	r := newRig(t)
	r.webhook(alert("A", "firing", start))
	problems, err := testutil.GatherAndLint(r.reg)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, 1, r.counter("tidemark_alerts_received_total"))
}

func TestEscapesAreUndone(t *testing.T) {
	for _, tc := range []struct{ json, want string }{
		{`plain`, "plain"},
		{`\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t"},
		{`caf\u00e9 \u4E2d \ud83d\ude00`, "café 中 😀"},
		{`half \ud83d pair`, "half \ufffd pair"},
		{`two halves \ude00\ud83d`, "two halves \ufffd\ufffd"},
		{`half \ud83d\u0041`, "half \ufffdA"},
		{`nul \u0000`, "nul \x00"},
	} {
		r := newRig(t)
		w := r.webhook(labelled(`{"alertname":"A","v":"` + tc.json + `"}`))
		require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
		require.Equal(t, model.LabelValue(tc.want), r.alerts[0].Labels["v"])
	}
	for _, wrong := range []string{`\x`, `\u12`, `\u12g4`, `\U0041`, `\`} {
		w := newRig(t).webhook(labelled(`{"v":"` + wrong + `"}`))
		require.Equal(t, http.StatusBadRequest, w.Code, wrong)
	}
	w := newRig(t).webhook(labelled("{\"v\":\"a\nb\"}"))
	require.Contains(t, w.Body.String(), "a control character in a string at byte")
}

// Of equal label names the last one counts, and the order of labels makes no difference.
func TestSameLabelsAreTheSameAlert(t *testing.T) {
	r := newRig(t)
	for _, labels := range []string{
		`{"alertname":"A","x":"1"}`, `{"x":"1","alertname":"A"}`, `{"x":"0","alertname":"A","x":"1"}`, `{"alertname":"A","x":"1","empty":""}`,
	} {
		require.Equal(t, http.StatusNoContent, r.webhook(labelled(labels)).Code)
	}
	require.Len(t, r.alerts, 1)
	r.webhook(labelled(`{"alertname":"A","x":"0"}`))
	require.Len(t, r.alerts, 2)
}

func TestKeysAreBounded(t *testing.T) {
	r := newRig(t, func(c *receiver.Config) { c.Webhook.DedupMaxKeys = 100 })
	for i := range 1000 {
		r.webhook(alert(fmt.Sprint("A", i), "firing", start))
		require.LessOrEqual(t, len(r.Snapshot()), 17+24*100)
	}
	r.webhook(alert("A999", "firing", start))
	require.Len(t, r.alerts, 1000, "the newest keys are kept")

	r.pass(28 * time.Hour)
	r.webhook(alert("B", "firing", start))
	r.webhook(alert("A999", "firing", start))
	require.Len(t, r.alerts, 1001, "keys live at least the retention")
	r.pass(28 * time.Hour)
	r.webhook(alert("C", "firing", start))
	r.webhook(alert("A999", "firing", start))
	require.Len(t, r.alerts, 1003, "and at most twice the retention")
}

// Two messages with the same alert may be made durable at the same time; one of them delivers it.
func TestSameAlertAtTheSameTimeIsDeliveredOnce(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 50 {
				if code := r.webhook(alert(fmt.Sprint("A", i), "firing", start)).Code; code != http.StatusNoContent {
					t.Error(code)
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, r.alerts, 50)
}
