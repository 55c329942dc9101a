package runbook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/runbook"
)

// TestSecretsNeverPrint puts a canary into every field that may hold a secret, lets calls succeed
// and fail, and then looks for the canaries wherever anything comes out.
func TestSecretsNeverPrint(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	fileKey := "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-file-canary-file-canary"))
	require.NoError(t, os.WriteFile(file, []byte(fileKey), 0o600))
	inline := "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-inline-canary-inline-canary"))
	cfg := `
- name: inline
  matchers: ['cause_kind="disk"']
  url: http://runner.example/x?token=canary-query#canary-fragment
  mode: approve
  idempotent: true
  attempts: 2
  headers: {X-Token: canary-header}
  http_config: {basic_auth: {username: ann, password: canary-password}}
  secret: ` + inline + `
- name: file
  matchers: ['cause_kind="disk"']
  url: http://runner.example/y?token=canary-query
  mode: approve
  attempts: 2
  http_config: {authorization: {credentials: canary-bearer}}
  secret_file: ` + file + `
`
	canaries := []string{"canary", inline[6:], fileKey[6:], "Y2FuYXJ5"}
	look := func(where, text string) {
		t.Helper()
		for _, c := range canaries {
			require.NotContains(t, text, c, where)
		}
	}
	for name, answer := range map[string]func(n int, w http.ResponseWriter, r *http.Request, act func()){
		"200": nil,
		"500 with the request in it": func(_ int, w http.ResponseWriter, r *http.Request, _ func()) {
			w.WriteHeader(500)
			_ = r.Header.Write(w)
		},
		"a redirect with the request in it": func(_ int, w http.ResponseWriter, r *http.Request, _ func()) {
			w.Header().Set("Location", "http://x.example/?"+r.Header.Get("X-Token"))
			w.WriteHeader(302)
		},
		"a redirect that cannot be parsed": func(_ int, w http.ResponseWriter, r *http.Request, _ func()) {
			w.Header().Set("Location", "http://[::1%"+r.Header.Get("X-Token"))
			w.WriteHeader(302)
		},
		"reset":         func(int, http.ResponseWriter, *http.Request, func()) { panic(http.ErrAbortHandler) },
		"not connected": nil,
		"not HTTP":      func(_ int, w http.ResponseWriter, r *http.Request, _ func()) { hijack(w, r.Header.Get("X-Token")) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cfg, func(r *rig) {
				if name == "not connected" {
					r.net.err = errors.New("no route to host")
				}
				r.end.answer = answer
				mux := http.NewServeMux()
				for pattern, h := range r.m.Handlers(func(*http.Request) (string, bool) { return "ann", true }) {
					mux.Handle(pattern, h)
				}
				for _, p := range r.m.Propose(incident()) {
					_, err := r.m.Approve(t.Context(), p.ID, "ann")
					require.NoError(t, err)
				}
				r.keepFresh(5*time.Minute, nil)
				if name == "200" {
					require.Equal(t, "canary-header", r.end.requests[0].Get("X-Token")+r.end.requests[1].Get("X-Token"), "the endpoint does get it")
				}
				for _, path := range []string{"GET /api/v1/runbooks", "GET /api/v1/runbooks/proposals/" + r.m.List()[0].ID, "POST /api/v1/runbooks/proposals/" + r.m.List()[0].ID + "/approve"} {
					method, target, _ := strings.Cut(path, " ")
					req := httptest.NewRequest(method, target, nil)
					req.Header.Set(runbook.RequestHeader, "1")
					w := httptest.NewRecorder()
					mux.ServeHTTP(w, req)
					look(path, w.Body.String())
				}
				r.stop()
				look("log", r.logs.String())
				require.Contains(t, r.logs.String(), "call.intent")
				for key, value := range r.mem.values {
					look(key, string(value))
				}
				events, err := json.Marshal(r.mem.events)
				require.NoError(t, err)
				look("audit log", string(events))
				families, err := r.reg.Gather()
				require.NoError(t, err)
				var metrics bytes.Buffer
				for _, f := range families {
					_, err := expfmt.MetricFamilyToText(&metrics, f)
					require.NoError(t, err)
				}
				look("metrics", metrics.String())
				look("printed by mistake", fmt.Sprintf("%v %+v %#v %s", r.cfg, r.cfg, r.cfg, r.cfg))
				text, err := yaml.Marshal(r.cfg)
				require.NoError(t, err)
				look("configuration page", string(text))
				require.Contains(t, string(text), "<secret>")
			})
		})
	}
}

func hijack(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(text + "\r\n\r\n"))
	_ = conn.Close()
}

func TestADryRunShowsNoSecret(t *testing.T) {
	cfg := config(t, `[{name: a, matchers: ['cause_kind="disk"'], mode: approve, url: "http://10.0.0.1/x?token=canary", headers: {X-Token: canary}, secret: `+keyA+`}]`)
	mem := newMemory()
	m, err := runbook.New(cfg, runbook.Deps{Store: mem, Audit: mem, Verifier: &baseline{}})
	require.NoError(t, err)
	d, err := m.DryRun(t.Context(), m.Propose(incident())[0].ID, "ann")
	require.NoError(t, err)
	require.Empty(t, d.Against)
	require.Equal(t, "http://10.0.0.1/x?redacted", d.URL)
	require.Equal(t, map[string]string{
		"Content-Type": "application/json", "X-Token": "<secret>", "webhook-id": d.Proposal.Key, "Idempotency-Key": d.Proposal.Key,
		"webhook-timestamp": "<seconds of the attempt>", "webhook-signature": "<signature>",
	}, d.Headers)
	require.Equal(t, []string{"10.0.0.1 allowed"}, d.Addresses)
	require.Equal(t, []string{"suggested", "dry_run"}, mem.actions())
}

func TestAKeyFileThatIsMissingOrWrong(t *testing.T) {
	inBubble(t, failover+"  secret_file: "+filepath.Join(t.TempDir(), "none")+"\n", func(r *rig) {
		r.approve()
		require.Equal(t, runbook.StateFailed, r.one().State)
		require.Contains(t, r.one().Reason, "read secret_file")
		require.Zero(t, r.end.calls(), "never unsigned")
	})
}
