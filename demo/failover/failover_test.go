package failover_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/failover"
)

func TestFailOver(t *testing.T) {
	var acted int
	e, err := failover.New(func() { acted++ })
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	signer, err := webhook.NewWebhook(e.Secret())
	require.NoError(t, err)

	call := func(id, body, signed string, at time.Time) int {
		req, err := http.NewRequest(http.MethodPost, e.URL(), strings.NewReader(body))
		require.NoError(t, err)
		signature, err := signer.Sign(id, at, []byte(signed))
		require.NoError(t, err)
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
		req.Header.Set("webhook-signature", signature)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for _, c := range []struct {
		name             string
		id, body, signed string
		age              time.Duration
		status, effects  int
	}{
		{"an altered body is refused", "a", `{"x":2}`, `{"x":1}`, 0, http.StatusUnauthorized, 0},
		{"an old signature is refused", "a", `{}`, `{}`, 10 * time.Minute, http.StatusUnauthorized, 0},
		{"a signed call fails over", "a", `{"incident":"i"}`, `{"incident":"i"}`, 0, http.StatusOK, 1},
		{"its retry has no second effect", "a", `{"incident":"i"}`, `{"incident":"i"}`, 0, http.StatusOK, 1},
		{"another action has", "b", `{}`, `{}`, 0, http.StatusOK, 2},
		{"a body that is no object is refused", "c", `[]`, `[]`, 0, http.StatusBadRequest, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.status, call(c.id, c.body, c.signed, time.Now().Add(-c.age)))
			require.Equal(t, c.effects, e.Effects())
			require.Equal(t, c.effects, acted)
		})
	}
	require.Len(t, e.Calls(), 6, "refused calls are remembered too")
	http.DefaultClient.CloseIdleConnections()
}
