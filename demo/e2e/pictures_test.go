package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// TestPicturesOfTheDashboards draws the dashboards, for the docs, from the demo's real Prometheus in the middle of a
// storm: `make dashboard-pictures`.
func TestPicturesOfTheDashboards(t *testing.T) {
	folder := os.Getenv("TIDEMARK_PICTURES")
	if folder == "" {
		t.Skip("TIDEMARK_PICTURES names no folder: make dashboard-pictures does")
	}
	folder, err := filepath.Abs(folder)
	require.NoError(t, err)
	s := running(t, stack.Options{History: 28 * 24 * time.Hour})
	seen := func(what, query string) {
		eventually(t, later, what, func(ctx context.Context) (bool, error) {
			found, err := s.Prometheus.Query(ctx, query)
			return len(found) > 0, err
		})
	}
	calm(t, s)
	seen("two minutes of scores", `tidemark_anomaly_score offset 2m`)
	inject(t, s, "disk")
	storm(t, s, 50)
	seen("the incident is a minute old", `tidemark_incident_info offset 1m`)
	cmd := exec.CommandContext(t.Context(), "node", "browser/dashboards.mjs", s.Prometheus.URL, folder,
		"tidemark-overview", "tidemark-incidents", "tidemark-series", "tidemark-topology", "tidemark-runbooks", "tidemark-health")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "MINUTES=5")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
}
