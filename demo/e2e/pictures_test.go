package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// TestPicturesOfTheDashboards draws the dashboards from the shop's Prometheus in the middle of the disk's storm, for
// the docs: `make dashboard-pictures`.
func TestPicturesOfTheDashboards(t *testing.T) {
	folder := os.Getenv("TIDEMARK_PICTURES")
	if folder == "" {
		t.Skip("TIDEMARK_PICTURES names no folder: make dashboard-pictures does")
	}
	folder, err := filepath.Abs(folder)
	require.NoError(t, err)
	s := running(t, stack.Options{History: 4 * week})
	calm(t, s)
	// A picture wants some calm before the storm, and to see the storm whole.
	eventually(t, later, "two minutes of scores", func(ctx context.Context) (bool, error) {
		old, err := s.Prometheus.Query(ctx, `count(tidemark_anomaly_score offset 2m)`)
		return len(old) > 0, err
	})
	inject(t, s, "disk")
	storm(t, s, 50)
	eventually(t, later, "the storm is a minute old in the series", func(ctx context.Context) (bool, error) {
		now, err := s.Prometheus.Query(ctx, `tidemark_incident_info offset 1m`)
		return len(now) > 0, err
	})
	cmd := exec.CommandContext(t.Context(), "node", "browser/dashboards.mjs", s.Prometheus.URL, folder,
		"tidemark-overview", "tidemark-incidents", "tidemark-series", "tidemark-health")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "MINUTES=6")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
}
