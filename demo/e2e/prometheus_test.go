package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

func TestPrometheusRestartedWhileLearning(t *testing.T) {
	t.Parallel()
	s := newStack(t, stack.Options{History: 4 * week})
	startServers(t, s)
	require.NoError(t, s.Tidemark.Start())
	eventually(t, learned, "a part is learned", func(ctx context.Context) (bool, error) {
		st, err := s.Tidemark.Status(ctx)
		return st.Learned > 0.02, err
	})
	st, err := s.Tidemark.Status(t.Context())
	require.NoError(t, err)
	require.False(t, st.Ready, "Prometheus goes while Tidemark learns")
	require.NoError(t, s.Prometheus.Kill())
	require.NoError(t, s.Prometheus.Start())

	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	require.NoError(t, s.Tidemark.WaitReady(ctx))
	st, err = s.Tidemark.Status(ctx)
	require.NoError(t, err)
	require.Greater(t, st.Series, 150)
	eventually(t, soon, "samples are scored", func(ctx context.Context) (bool, error) {
		scores, err := s.Prometheus.Query(ctx, `count(tidemark_anomaly_score)`)
		return len(scores) == 1 && scores[0].Value > 150, err
	})
}

// oldPrometheus finds the oldest server that is supported for reading: Debian's 2.42, or the one
// named by TIDEMARK_OLD_PROMETHEUS.
func oldPrometheus(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("TIDEMARK_OLD_PROMETHEUS"); path != "" {
		return path
	}
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus on PATH: `apt-get install prometheus` gives 2.42 on Debian 12, or set TIDEMARK_OLD_PROMETHEUS")
	}
	out, err := exec.Command(path, "--version").CombinedOutput()
	require.NoError(t, err)
	if !strings.Contains(string(out), "version 2.") {
		t.Skipf("the prometheus on PATH is not a 2.x: set TIDEMARK_OLD_PROMETHEUS to one (%s)", strings.SplitN(string(out), "\n", 2)[0])
	}
	return path
}

func TestReadsAndScoresAgainstAnOldPrometheus(t *testing.T) {
	t.Parallel()
	path := oldPrometheus(t)
	s := running(t, stack.Options{History: week, Prometheus: path, Plain: true})
	st, err := s.Tidemark.Status(t.Context())
	require.NoError(t, err)
	require.Greater(t, st.Series, 150)
	eventually(t, soon, "samples are scored", func(ctx context.Context) (bool, error) {
		scores, err := s.Prometheus.Query(ctx, `count(tidemark_expected{instance="db-primary"})`)
		return len(scores) == 1 && scores[0].Value > 5, err
	})
	inject(t, s, "disk")
	eventually(t, later, "the disk is anomalous", func(ctx context.Context) (bool, error) {
		active, err := s.Prometheus.Query(ctx, `tidemark_anomaly_score{instance="db-primary", watch=~".*[dD]isk.*"} > 1`)
		return len(active) > 0, err
	})
}
