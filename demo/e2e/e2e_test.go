// Package e2e_test holds the end-to-end tests: a real Prometheus, a real Alertmanager and the built
// binaries, on loopback, with the demo's shop as the system that is watched. Each test is named by
// what it promises, waits for conditions with a deadline and never for a time.
package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/shop"
	"github.com/tidemark/tidemark/demo/stack"
)

// root is the folder of the repository, bin that with the binaries under test, tools that with the
// real servers; TestMain sets the latter two.
const root = "../.."

var bin, tools string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("end-to-end tests are skipped with -short")
		return
	}
	os.Exit(setUp(m))
}

// setUp builds what is tested, or takes the binaries in the folder that TIDEMARK_BIN names. The tests wait most of their time: four of them share two cores well.
func setUp(m *testing.M) int {
	if err := flag.Set("test.parallel", "4"); err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "tidemark-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if tools, err = stack.Tools(context.Background(), root); err != nil {
		return fail(err)
	}
	if bin = os.Getenv("TIDEMARK_BIN"); bin != "" {
		return m.Run()
	}
	bin = dir
	cmd := exec.Command("go", "build", "-tags", "netgo", "-o", bin+string(filepath.Separator), "./cmd/tidemark", "./cmd/tidetool")
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fail(fmt.Errorf("build the binaries: %w", err))
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// Deadlines of conditions. They are generous: a loaded machine is slow, not wrong.
const (
	soon    = 60 * time.Second
	learned = 2 * time.Minute
	later   = 4 * time.Minute
)

// newStack builds a stack that is closed with the test; a failed test shows the servers' last words.
func newStack(t *testing.T, opts stack.Options) *stack.Stack {
	t.Helper()
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	opts.Root, opts.Bin, opts.Tools, opts.Dir = abs, bin, tools, t.TempDir()
	s, err := stack.New(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range []*stack.Process{s.Prometheus.Process, s.Alertmanager.Process, s.Tidemark.Process} {
				t.Logf("--- %s\n%s", p.Name, p.LogTail(30))
			}
		}
		require.NoError(t, s.Close())
	})
	return s
}

// running writes the history and starts all servers; Tidemark has learned when it returns.
func running(t *testing.T, opts stack.Options) *stack.Stack {
	t.Helper()
	s := newStack(t, opts)
	startServers(t, s)
	startTidemark(t, s)
	return s
}

func startServers(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	_, err := s.WriteHistory(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Prometheus.Start())
	require.NoError(t, s.Alertmanager.Start())
	require.NoError(t, s.Resume(ctx))
	require.NoError(t, s.Prometheus.WaitReady(ctx))
	require.NoError(t, s.Alertmanager.WaitReady(ctx))
}

func startTidemark(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	require.NoError(t, s.Tidemark.Start())
	require.NoError(t, s.Tidemark.WaitReady(ctx))
}

// eventually polls until cond holds; an error of cond is a reason to try again.
func eventually(t *testing.T, patience time.Duration, what string, cond func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	err := stack.Until(ctx, what, func(ctx context.Context) (bool, error) {
		ok, err := cond(ctx)
		if err != nil {
			last = err
		}
		return ok && err == nil, nil
	})
	if err != nil {
		require.NoError(t, err, "last error: %v", last)
	}
}

// inject lets a fault begin.
func inject(t *testing.T, s *stack.Stack, name string) {
	t.Helper()
	f, err := shop.FaultByName(name)
	require.NoError(t, err)
	require.NoError(t, s.Shop.Inject(f))
}

// storm waits until at least n alerts fire in Prometheus.
func storm(t *testing.T, s *stack.Stack, n int) {
	t.Helper()
	eventually(t, 5*time.Minute, fmt.Sprintf("%d alerts fire", n), func(ctx context.Context) (bool, error) {
		firing, err := s.Prometheus.FiringAlerts(ctx)
		return len(firing) >= n, err
	})
}

// calm checks that nothing fires and no incident is open.
func calm(t *testing.T, s *stack.Stack) {
	t.Helper()
	firing, err := s.Prometheus.FiringAlerts(t.Context())
	require.NoError(t, err)
	require.Empty(t, firing)
	require.Empty(t, openIncidents(t, s))
}

func openIncidents(t *testing.T, s *stack.Stack) []stack.Incident {
	t.Helper()
	all, err := s.Tidemark.Incidents(t.Context())
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(i stack.Incident) bool { return i.State != "firing" })
}

// triggers are the pages so far: about incidents, or of raw alerts.
func triggers(s *stack.Stack, incidents bool) []pager.Event {
	var out []pager.Event
	for _, e := range s.Pager.Events() {
		if e.EventAction == pager.Trigger && (e.Client == "Tidemark") == incidents {
			out = append(out, e)
		}
	}
	return out
}
