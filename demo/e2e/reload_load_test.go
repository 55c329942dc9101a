package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// reloader changes the configuration file of a running Tidemark, each time to another wait.
type reloader struct {
	b    *stack.Bare
	good string
	wait int
}

// write replaces the file with one that has the next wait. As a ConfigMap's, it appears as a whole.
func (r *reloader) write(t *testing.T) {
	t.Helper()
	r.wait++
	r.replace(t, strings.Replace(r.good, "wait: 3s", fmt.Sprintf("wait: %dms", 3000+r.wait), 1))
}

func (r *reloader) replace(t *testing.T, text string) {
	t.Helper()
	file := r.b.Tidemark.ConfigFile()
	require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

// taken waits until the last written file is the running configuration.
func (r *reloader) taken(t *testing.T, by string) {
	t.Helper()
	eventually(t, soon, by+" takes the new file", func(ctx context.Context) (bool, error) {
		st, err := r.b.Tidemark.Status(ctx)
		return strings.Contains(st.Config, fmt.Sprintf("wait: 3s%dms", r.wait)), err
	})
}

// post asks for a reload by HTTP.
func (r *reloader) post(t *testing.T) (int, string) {
	t.Helper()
	resp, err := http.Post(r.b.Tidemark.URL+"/-/reload", "", nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// succeeded waits for the metric that tells how the last reload went.
func (r *reloader) succeeded(t *testing.T, want float64) {
	t.Helper()
	eventually(t, soon, fmt.Sprintf("the last reload's metric is %g", want), func(ctx context.Context) (bool, error) {
		samples, err := r.b.Tidemark.Metrics(ctx)
		v, ok := samples["tidemark_config_last_reload_successful"]
		return ok && v == want, err
	})
}

func newReloader(t *testing.T, b *stack.Bare) *reloader {
	t.Helper()
	good, err := os.ReadFile(b.Tidemark.ConfigFile())
	require.NoError(t, err)
	require.Contains(t, string(good), "wait: 3s")
	return &reloader{b: b, good: string(good)}
}

func TestAChangedFileIsTakenWithoutASignal(t *testing.T) {
	t.Parallel()
	b := onlyWebhook(t, nil, "--config.auto-reload-interval=200ms")
	start(t, b.Prometheus, b.Tidemark)
	r := newReloader(t, b)
	r.succeeded(t, 1)
	r.write(t)
	r.taken(t, "looking at the file")

	r.replace(t, strings.Replace(r.good, "wait: 3s", "wiat: 3s", 1))
	r.succeeded(t, 0)
	r.taken(t, "nothing but the last good file") // The running configuration stays.
	r.write(t)
	r.taken(t, "looking at the file")
	r.succeeded(t, 1)
}

func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	const rounds, workers, between = 10, 4, 10
	b := onlyWebhook(t, nil, "--config.auto-reload-interval=0s")
	start(t, b.Prometheus, b.Tidemark)
	r := newReloader(t, b)
	s := &sender{url: b.Tidemark.URL}
	firstIncident(t, b, s)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wg := s.load(ctx, workers, false)
	var known []string
	for round := range rounds {
		before := len(s.acknowledged())
		eventually(t, soon, "messages come in between two reloads", func(context.Context) (bool, error) {
			return len(s.acknowledged()) >= before+between*perMessage, nil
		})
		known = append(known, idsOf(t, b)...)
		switch round % 3 {
		case 0:
			r.write(t)
			require.NoError(t, b.Tidemark.Signal(syscall.SIGHUP))
			r.taken(t, "SIGHUP")
		case 1:
			r.write(t)
			status, body := r.post(t)
			require.Equal(t, http.StatusOK, status, body)
			r.taken(t, "POST /-/reload")
		default:
			r.replace(t, r.good+"\nunknown: true\n")
			status, body := r.post(t)
			require.Equal(t, http.StatusInternalServerError, status)
			require.Contains(t, body, "unknown", "the answer names what is wrong")
			r.succeeded(t, 0)
			r.taken(t, "nothing but the last good file")
		}
	}
	cancel()
	wg.Wait()
	r.succeeded(t, 1)
	s.resend(t)
	acked := s.acknowledged()
	t.Logf("%d alerts acknowledged during %d reloads", len(acked), rounds)
	oneIncidentEach(t, b, acked)
	require.Subset(t, idsOf(t, b), known, "incidents keep their identity")
}
