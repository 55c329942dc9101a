package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/state"
)

// message looks like a webhook of n alerts: about 830 bytes each, as compressible as those are.
func message(n int) []byte {
	var b []byte
	for i := range n {
		b = fmt.Appendf(b, `{"status":"firing","labels":{"alertname":"KubePodCrashLooping","cluster":"prod-eu-1","container":"checkout",`+
			`"instance":"10.0.%d.%d:8080","job":"kube-state-metrics","namespace":"shop","pod":"checkout-7c9f8d6b5-%05d","severity":"warning"},`+
			`"annotations":{"description":"Pod shop/checkout-7c9f8d6b5-%05d (checkout) is in waiting state (reason: \"CrashLoopBackOff\").",`+
			`"runbook_url":"https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping","summary":"Pod is crash looping."},`+
			`"startsAt":"2026-11-22T10:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus/graph?g0.expr=max_over_time%%28x%%5B5m%%5D%%29",`+
			`"fingerprint":"%016x","padding":"%0180x"},`, i/250, i%250, i, i, rand.Uint64(), i)
	}
	return b
}

// BenchmarkAppend is the durable acknowledgement of one message of 64 alerts, on the real disk of the
// temporary folder.
func BenchmarkAppend(b *testing.B) {
	payload := message(64)
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l, err := state.OpenLog(state.LogOptions{Dir: b.TempDir(), MaxBytes: 1 << 40})
			require.NoError(b, err)
			defer func() { _ = l.Close() }()
			var wg sync.WaitGroup
			b.SetBytes(int64(len(payload)))
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := l.Append(context.Background(), 1, payload); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
			b.ReportMetric(float64(b.N*64)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

// BenchmarkReplay is the start after a crash.
func BenchmarkReplay(b *testing.B) {
	payload := message(64)
	l, err := state.OpenLog(state.LogOptions{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { _ = l.Close() }()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 10 {
				if err := l.Append(context.Background(), 1, payload); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.SetBytes(int64(len(payload) * 640))
	for b.Loop() {
		_, err := l.Replay(state.Pos{}, func(state.Pos, byte, []byte) error { return nil })
		require.NoError(b, err)
	}
}

// BenchmarkStorePut is one small value made durable, alone and by 64 writers.
func BenchmarkStorePut(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, _, err := state.OpenStore(state.StoreOptions{Path: b.TempDir() + "/state.db"})
			require.NoError(b, err)
			defer func() { _ = s.Close() }()
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := s.Put(context.Background(), state.Incidents, fmt.Sprint(i), make([]byte, 1000)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}
