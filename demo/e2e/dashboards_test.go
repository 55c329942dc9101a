package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// everyPanelShowsSomething runs the query of every panel of the dashboards against a Prometheus that saw an incident of
// the shop: none may fail, and only those of what the shop has not (logs, failures of Tidemark) may be empty.
func everyPanelShowsSomething(t *testing.T, prometheus string) {
	t.Helper()
	var out []byte
	defer func() {
		if t.Failed() {
			t.Logf("%s", out)
		}
	}()
	// What has just happened may not be scraped yet.
	eventually(t, later, "every panel shows something", func(ctx context.Context) (bool, error) {
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "TestOnYourPrometheus", "./dashboards")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "TIDEMARK_PROMETHEUS_URL="+prometheus, "TIDEMARK_PROMETHEUS_BUSY=1")
		var err error
		out, err = cmd.CombinedOutput()
		return err == nil, err
	})
}
