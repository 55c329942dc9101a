package runbook_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

const (
	keyA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	keyB = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// TestSignatureVector is the vector that the Standard Webhooks libraries publish.
func TestSignatureVector(t *testing.T) {
	h, err := runbook.Sign(keyA, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	require.NoError(t, err)
	header := http.Header(h)
	require.Equal(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", header.Get("webhook-id"))
	require.Equal(t, "1614265330", header.Get("webhook-timestamp"))
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", header.Get("webhook-signature"))
}

func TestEndpointsCanVerify(t *testing.T) {
	receiver := func(key string) *standardwebhooks.Webhook {
		wh, err := standardwebhooks.NewWebhook(key)
		require.NoError(t, err)
		return wh
	}
	for name, tc := range map[string]struct {
		keys   string
		age    time.Duration
		change func(h http.Header, body *string)
		verify string
		want   error
	}{
		"sound":                           {keys: keyA, verify: keyA},
		"two keys in rotation, the first": {keys: keyA + "\n" + keyB + "\n", verify: keyA},
		"two keys in rotation, the other": {keys: keyA + "\n" + keyB + "\n", verify: keyB},
		"299 s old":                       {keys: keyA, verify: keyA, age: 299 * time.Second},
		"301 s old":                       {keys: keyA, verify: keyA, age: 301 * time.Second, want: standardwebhooks.ErrMessageTooOld},
		"301 s ahead":                     {keys: keyA, verify: keyA, age: -301 * time.Second, want: standardwebhooks.ErrMessageTooNew},
		"another key":                     {keys: keyA, verify: keyB, want: standardwebhooks.ErrNoMatchingSignature},
		"body altered": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrNoMatchingSignature,
			change: func(_ http.Header, body *string) { *body = strings.Replace(*body, "db-0", "db-1", 1) },
		},
		"body made longer": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrNoMatchingSignature,
			change: func(_ http.Header, body *string) { *body += " " },
		},
		"identifier of another message": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrNoMatchingSignature,
			change: func(h http.Header, _ *string) { h.Set("webhook-id", "other") },
		},
		"time altered": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrNoMatchingSignature,
			change: func(h http.Header, _ *string) { h.Set("webhook-timestamp", "946684801") },
		},
		"no signature": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrRequiredHeaders,
			change: func(h http.Header, _ *string) { h.Del("webhook-signature") },
		},
		"no time": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrRequiredHeaders,
			change: func(h http.Header, _ *string) { h.Del("webhook-timestamp") },
		},
		"no identifier": {
			keys: keyA, verify: keyA, want: standardwebhooks.ErrRequiredHeaders,
			change: func(h http.Header, _ *string) { h.Del("webhook-id") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // The library asks the clock.
				body := `{"resource":"db-0"}`
				h, err := runbook.Sign(tc.keys, "msg_1", time.Now().Add(-tc.age), []byte(body))
				require.NoError(t, err)
				if tc.change != nil {
					tc.change(h, &body)
				}
				require.ErrorIs(t, receiver(tc.verify).Verify([]byte(body), h), tc.want)
			})
		})
	}
}

func TestEveryAttemptIsSignedAnew(t *testing.T) {
	inBubble(t, failover+"  secret: "+keyA+"\n", func(r *rig) {
		r.end.answer = func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n == 1 {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(503)
				return
			}
			act()
		}
		wh, err := standardwebhooks.NewWebhook(keyA)
		require.NoError(t, err)
		r.approve()
		require.NoError(t, wh.Verify([]byte(r.end.bodies[0]), r.end.requests[0]))
		r.keepFresh(11*time.Minute, nil)
		require.Len(t, r.end.requests, 2)
		first, second := r.end.requests[0], r.end.requests[1]
		require.Equal(t, first.Get("webhook-id"), second.Get("webhook-id"))
		require.NotEqual(t, first.Get("webhook-timestamp"), second.Get("webhook-timestamp"))
		require.NotEqual(t, first.Get("webhook-signature"), second.Get("webhook-signature"))
		require.Equal(t, r.end.bodies[0], r.end.bodies[1])
	})
}

func TestSigningKeys(t *testing.T) {
	random := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for secret, ok := range map[string]bool{
		keyA: true, strings.TrimPrefix(keyA, "whsec_"): true, random(24): true, random(64): true,
		random(23): false, random(65): false, "hunter2": false, "whsec_": false, "": false, "\n\n": false,
		keyA + "\nhunter2": false,
	} {
		_, err := runbook.Sign(secret, "id", time.Now(), nil)
		if ok {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, "not a signing key, want whsec_ and base64 of 24 to 64 random bytes, for example from: openssl rand -base64 32")
	}
}
