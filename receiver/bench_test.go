package receiver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/template"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/receiver"
)

// realistic is about 830 bytes, as alerts of kubernetes-mixin are.
func realistic(i int) string {
	return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"KubePodCrashLooping","cluster":"prod-eu-1","container":"checkout",`+
		`"endpoint":"http","instance":"10.0.%d.%d:8080","job":"kube-state-metrics","namespace":"shop","pod":"checkout-7c9f8d6b5-%05d",`+
		`"prometheus":"monitoring/k8s","reason":"CrashLoopBackOff","service":"checkout","severity":"warning","team":"payments"},`+
		`"annotations":{"description":"Pod shop/checkout-7c9f8d6b5-%05d (checkout) is in waiting state (reason: \"CrashLoopBackOff\").",`+
		`"runbook_url":"https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping","summary":"Pod is crash looping."},`+
		`"startsAt":"2026-11-22T10:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus/graph?g0.expr=max_over_time%%28x%%5B5m%%5D%%29",`+
		`"fingerprint":"%016x"}`, i/250, i%250, i, i, i)
}

func realisticMessage(n int) string {
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = realistic(i)
	}
	return message(alerts...)
}

// BenchmarkWebhook is the whole way of a message of new alerts but for the log: decoding, validation,
// deduplication, the record and delivery.
func BenchmarkWebhook(b *testing.B) {
	for _, n := range []int{64, 1000, 10_000} {
		b.Run(fmt.Sprintf("alerts=%d", n), func(b *testing.B) {
			body := realisticMessage(n)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r, err := receiver.New(receiver.Options{Config: receiver.DefaultConfig(), Log: receiver.NoLog{}})
				require.NoError(b, err)
				h := r.Handlers()[receiver.WebhookPath]
				b.StartTimer()
				require.Equal(b, http.StatusNoContent, send(h, body))
			}
			perAlert(b, n)
		})
	}
}

// BenchmarkWebhookRepeated is a group that is sent whole again, without anything new.
func BenchmarkWebhookRepeated(b *testing.B) {
	const n = 10_000
	body := realisticMessage(n)
	r, err := receiver.New(receiver.Options{Config: receiver.DefaultConfig(), Log: receiver.NoLog{}, Clock: func() time.Time { return start }})
	require.NoError(b, err)
	h := r.Handlers()[receiver.WebhookPath]
	require.Equal(b, http.StatusNoContent, send(h, body))
	b.ReportAllocs()
	for b.Loop() {
		require.Equal(b, http.StatusNoContent, send(h, body))
	}
	perAlert(b, n)
}

// BenchmarkDecodeReference is encoding/json alone, into the type of Alertmanager's templates.
func BenchmarkDecodeReference(b *testing.B) {
	const n = 1000
	body := realisticMessage(n)
	b.ReportAllocs()
	for b.Loop() {
		var d template.Data
		require.NoError(b, json.Unmarshal([]byte(body), &d))
	}
	perAlert(b, n)
}

func perAlert(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/alert")
}

func send(h http.Handler, body string) int {
	req := httptest.NewRequest(http.MethodPost, receiver.WebhookPath, strings.NewReader(body))
	req.Header.Set("Content-Type", jsonType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}
