// Package house holds the tests that keep the structure of the project: which way imports point,
// what the binaries may depend on, and how many direct dependencies there are.
package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/tidemark/tidemark"

// ladder is the direction of imports: a package may import packages of a lower rung, and packages
// below its own folder, and nothing else of ours. The first prefix that matches names the rung.
var ladder = []struct {
	prefix string
	rung   int
}{
	{"cmd/", 6},
	{"browser/", 6}, // Serves the real pages with made-up incidents to a real browser.
	{"internal/benchmarks", 6},
	{"internal/replay", 5}, // The past through the very parts of the live process.
	{"internal/app", 4},
	{"internal/config", 3},
	{"internal/web", 3},    // The pages show what the rooms hold.
	{"internal/pushed", 2}, // What the ranking of causes compares, counted.
	{"", 1},                // Rooms: they import nothing of ours but what lies below them.
}

func rungOf(pkg string) int {
	for _, l := range ladder {
		if strings.HasPrefix(pkg, l.prefix) {
			return l.rung
		}
	}
	panic("unreachable: the last prefix matches everything")
}

// room is the folder that owns a package: the first element, or two below internal.
func room(pkg string) string {
	parts := strings.Split(pkg, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return strings.Join(parts[:2], "/")
	}
	return parts[0]
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestImportsPointOneWay(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		for _, imported := range fields[1:] {
			to, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			if room(from) == room(to) {
				continue // Inside a room the compiler forbids circles, and that is enough.
			}
			require.Lessf(t, rungOf(to), rungOf(from),
				"%s imports %s: imports point one way, cmd → internal/app → internal/config → rooms → nothing of ours", from, to)
		}
	}
}

// forbidden are modules that must not be linked into the binaries, each with the reason.
var forbidden = []struct{ prefix, reason string }{
	{"github.com/aws/", "cloud SDK: a sidecar that reads one Prometheus needs none"},
	{"github.com/Azure/", "cloud SDK: a sidecar that reads one Prometheus needs none"},
	{"cloud.google.com/", "cloud SDK: a sidecar that reads one Prometheus needs none"},
	{"google.golang.org/api", "cloud SDK: a sidecar that reads one Prometheus needs none"},
	{"github.com/grafana/loki/v3", "AGPL; only github.com/grafana/loki/pkg/push is Apache-2.0"},
	{"github.com/grafana/mimir", "AGPL"},
	{"github.com/grafana/tempo", "AGPL"},
	{"github.com/grafana/grafana", "AGPL"},
	{"github.com/prometheus/alertmanager/notify", "drags every receiver's SDK: use template, pkg/labels, api/v2/models"},
	{"github.com/prometheus/prometheus/tsdb/", "only chunkenc and its errors: the storage engine belongs to tests and tools"},
	{"github.com/prometheus/prometheus/storage/remote", "the streaming client is our own; the stock one drags cloud SDKs"},
}

// allowed are exceptions to forbidden prefixes: leaf packages below a heavy folder.
var allowed = []string{
	"github.com/prometheus/prometheus/tsdb/chunkenc",
	"github.com/prometheus/prometheus/tsdb/chunks",
	"github.com/prometheus/prometheus/tsdb/errors",
	"github.com/prometheus/prometheus/tsdb/fileutil",
}

func TestBinariesStayLight(t *testing.T) {
	for _, pkg := range goList(t, "-deps", "./cmd/...") {
		for _, f := range forbidden {
			if !strings.HasPrefix(pkg, f.prefix) || contains(allowed, pkg) {
				continue
			}
			t.Errorf("the binaries link %s: %s", pkg, f.reason)
		}
	}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// maxDirect is how many direct dependencies go.mod may list.
const maxDirect = 20

func TestDirectDependenciesStayFew(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	var direct []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.Count(line, " ") == 1 && strings.Contains(line, " v") && !strings.HasPrefix(line, "go ") {
			direct = append(direct, line)
		}
	}
	require.NotEmpty(t, direct)
	require.LessOrEqualf(t, len(direct), maxDirect, "direct dependencies: %s", strings.Join(direct, ", "))
}
