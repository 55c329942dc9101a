package e2e_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

func TestReload(t *testing.T) {
	t.Parallel()
	s := running(t, stack.Options{History: 24 * time.Hour})
	file := s.Tidemark.ConfigFile()
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	write := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	waits := func(wait string) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			st, err := s.Tidemark.Status(ctx)
			return strings.Contains(st.Config, "wait: "+wait), err
		}
	}
	reloaded := func() float64 {
		t.Helper()
		samples, err := s.Tidemark.Metrics(t.Context())
		require.NoError(t, err)
		return samples["tidemark_config_last_reload_successful"]
	}
	post := func() (int, string) {
		t.Helper()
		resp, err := http.Post(s.Tidemark.URL+"/-/reload", "", nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	require.Contains(t, string(good), "wait: 3s")

	write(strings.Replace(string(good), "wait: 3s", "wait: 4s", 1))
	require.NoError(t, s.Tidemark.Signal(syscall.SIGHUP))
	eventually(t, soon, "SIGHUP takes the new file", waits("4s"))

	write(strings.Replace(string(good), "wait: 3s", "wait: 5s", 1))
	status, body := post()
	require.Equal(t, http.StatusOK, status, body)
	eventually(t, soon, "POST takes the new file", waits("5s"))
	require.Equal(t, 1.0, reloaded())

	write(strings.Replace(string(good), "wait: 3s", "wiat: 6s", 1))
	status, body = post()
	require.Equal(t, http.StatusInternalServerError, status)
	require.Contains(t, body, "wiat", "the answer names what is wrong")
	ok, err := waits("5s")(t.Context())
	require.NoError(t, err)
	require.True(t, ok, "the running configuration stays")
	require.Equal(t, 0.0, reloaded())
	require.True(t, s.Tidemark.Running())

	write(string(good))
	status, body = post()
	require.Equal(t, http.StatusOK, status, body)
	eventually(t, soon, "a good file takes effect again", waits("3s"))
	require.Equal(t, 1.0, reloaded())
	ctx, cancel := context.WithTimeout(t.Context(), learned)
	defer cancel()
	require.NoError(t, s.Tidemark.WaitReady(ctx), "still or again ready")
}
