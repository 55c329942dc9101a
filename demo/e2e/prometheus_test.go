package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
