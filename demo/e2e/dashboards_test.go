package e2e_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// everyPanelShowsSomething runs the query of every panel of the dashboards against a Prometheus that saw an incident of
// the shop: none may fail, and only those of what the shop has not (logs, failures of Tidemark) may be empty.
func everyPanelShowsSomething(t *testing.T, prometheus string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "TestOnYourPrometheus", "./dashboards")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "TIDEMARK_PROMETHEUS_URL="+prometheus, "TIDEMARK_PROMETHEUS_BUSY=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
