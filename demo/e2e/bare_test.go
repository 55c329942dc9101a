package e2e_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// newBare makes the servers without the shop; they are closed with the test, and a failed test shows
// their last words.
func newBare(t *testing.T, opts stack.BareOptions) *stack.Bare {
	t.Helper()
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	opts.Root, opts.Bin, opts.Tools, opts.Dir = abs, bin, tools, t.TempDir()
	b, err := stack.NewBare(opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range []*stack.Process{b.Prometheus.Process, b.Alertmanager.Process, b.Tidemark.Process} {
				t.Logf("--- %s\n%s", p.Name, p.LogTail(30))
			}
		}
		require.NoError(t, b.Close())
	})
	return b
}

// answering is any server that can be asked whether it is ready.
type answering interface {
	Start() error
	WaitReady(context.Context) error
}

// start starts servers in this order, each after the one before is ready.
func start(t *testing.T, servers ...answering) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	for _, s := range servers {
		require.NoError(t, s.Start())
		require.NoError(t, s.WaitReady(ctx))
	}
}

// watchOnly lets Tidemark watch these expressions and nothing that it finds by itself.
func watchOnly(c map[string]any, every time.Duration, exprs map[string]string) {
	var watches []any
	for name, expr := range exprs {
		watches = append(watches, map[string]any{"name": name, "expr": expr, "interval": every.String()})
	}
	c["discover"] = map[string]any{"rules": false, "presets": []string{}}
	c["watches"] = watches
}
