package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// keep is a Store without a disk.
type keep map[string][]byte

func (k keep) Put(_ context.Context, key string, value []byte) error { k[key] = value; return nil }
func (k keep) Delete(_ context.Context, key string) error            { delete(k, key); return nil }
func (k keep) Each(func(string, []byte) error) error                 { return nil }

type never struct{}

func (never) Recovered(context.Context, runbook.Incident) (bool, string, error) {
	return false, "", nil
}

// server is the HTTP API of a Manager with one proposal, behind the user "ann" and a web server's
// basic auth.
func server(t *testing.T) (url string, p runbook.Proposal, m *runbook.Manager, logPath string) {
	t.Helper()
	var cfg runbook.Config
	require.NoError(t, yaml.Unmarshal([]byte(`
- name: failover
  matchers: ['cause_kind="disk"']
  url: http://10.255.255.1/failover?token=hidden
  mode: approve
  headers: {X-Token: hidden}
  body: {resource: '{{ .Resource }}'}
`), &cfg))
	require.NoError(t, cfg.Validate())
	logPath = filepath.Join(t.TempDir(), "audit.jsonl")
	log, _, err := audit.Open(logPath, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	m, err = runbook.New(cfg, runbook.Deps{Store: keep{}, Audit: log, Verifier: never{}})
	require.NoError(t, err)
	p = m.Propose(runbook.Incident{ID: "i-1", CauseKind: "disk", Resource: "db-0\x1b[31m", Labels: model.LabelSet{}, DataTime: time.Now()})[0]
	mux := http.NewServeMux()
	for pattern, h := range m.Handlers(func(r *http.Request) (string, bool) {
		user, password, _ := r.BasicAuth()
		return user, password == "secret"
	}) {
		mux.Handle(pattern, h)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL, p, m, logPath
}

// tool runs tidetool and returns its exit code and streams.
func tool(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, streams{in: strings.NewReader(""), out: &out, err: &errs})
	return code, out.String(), errs.String()
}

func credentials(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("secret\n"), 0o600))
	return []string{"--user=ann", "--password-file=" + file}
}

func TestRunbookCommands(t *testing.T) {
	url, p, m, _ := server(t)
	auth := append(credentials(t), "--tidemark.url="+url)
	with := func(args ...string) []string { return append(args, auth...) }

	code, out, errs := tool(with("runbook", "list")...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, p.ID+"  failover  i-1       db-0[31m  suggested  -", "no escape sequence of a label reaches the terminal")

	code, out, _ = tool(with("runbook", "list", "-o", "extended")...)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, `failover  approve  cause_kind="disk"  -      POST http://10.255.255.1/failover?redacted`)
	require.NotContains(t, out, "hidden")

	code, out, errs = tool(with("runbook", "dry-run", p.ID)...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "X-Token: <secret>")
	require.Contains(t, out, "address 10.255.255.1 allowed")
	require.Contains(t, out, "An approval would send this. Nothing was sent.")

	code, out, errs = tool(with("runbook", "pause", "--reason", "maintenance")...)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "actions are paused\n", out)
	require.Equal(t, "maintenance", m.Paused().Reason)

	code, out, _ = tool(with("runbook", "dry-run", p.ID)...)
	require.Equal(t, exitFinding, code)
	require.Contains(t, out, "against: actions are paused: resume them first")

	code, _, errs = tool(with("runbook", "approve", p.ID)...)
	require.Equal(t, exitFailure, code)
	require.Equal(t, "tidetool: error: tidemark answered 409 Conflict: actions are paused: resume them first\n", errs)

	code, out, _ = tool(with("runbook", "resume")...)
	require.Equal(t, exitOK, code)
	require.Equal(t, "actions are allowed\n", out)

	code, out, errs = tool(with("runbook", "approve", p.ID)...)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, p.ID+" failover (i-1): approved\n", out)

	code, out, _ = tool(with("runbook", "show", p.ID, "-o", "json")...)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, `"approved_by": "ann"`)

	code, out, _ = tool(with("runbook", "reject", p.ID, "-o", "extended")...)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "rejected by ann")

	code, out, _ = tool(with("runbook", "list")...)
	require.Equal(t, exitOK, code)
	require.NotContains(t, out, p.ID, "what ended is not listed")
	_, out, _ = tool(with("runbook", "list", "--all")...)
	require.Contains(t, out, p.ID)

	code, out, errs = tool(with("audit", "verify")...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "records, chain whole, head ")
}

func TestRunbookCommandsThatCannotWork(t *testing.T) {
	url, p, _, _ := server(t)
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	}))
	t.Cleanup(html.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for want, args := range map[string][]string{
		"actions need a user":              {"runbook", "approve", p.ID, "--tidemark.url=" + url},
		"proposal \"nope\": no such":       append([]string{"runbook", "approve", "nope", "--tidemark.url=" + url}, credentials(t)...),
		"want for example http://localhos": {"runbook", "list", "--tidemark.url=localhost:9099"},
		"is that tidemark?":                {"runbook", "list", "--tidemark.url=" + html.URL},
		"ask tidemark: ":                   {"runbook", "list", "--tidemark.url=http://" + closed.Addr().String()},
		"--user needs --password-file":     {"runbook", "list", "--user=ann"},
		"both set, want one of them":       {"runbook", "list", "--user=ann", "--http.config.file=x"},
		"read HTTP client configuration":   {"runbook", "list", "--http.config.file=" + filepath.Join(t.TempDir(), "none")},
		"required argument 'proposal'":     {"runbook", "approve"},
		"enum value must be one of":        {"runbook", "list", "-o", "xml"},
	} {
		code, _, errs := tool(args...)
		require.Equal(t, exitFailure, code, want)
		require.Contains(t, errs, want)
	}
}

func TestAuditVerifyOfFiles(t *testing.T) {
	_, _, _, path := server(t)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	code, out, _ := tool("audit", "verify", path)
	require.Equal(t, exitOK, code)
	head := strings.TrimSpace(out[strings.Index(out, "head ")+5:])

	code, out, _ = tool("audit", "verify", path, "--head", "9"+head[1:])
	require.Equal(t, exitFinding, code)
	require.Contains(t, out, "were cut off")

	code, _, errs := tool("audit", "verify", path, "--head", "x")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errs, "want SEQ:HASH")

	changed := filepath.Join(t.TempDir(), "changed")
	require.NoError(t, os.WriteFile(changed, bytes.Replace(data, []byte("failover"), []byte("failoveR"), 1), 0o600))
	code, out, _ = tool("audit", "verify", changed)
	require.Equal(t, exitFinding, code)
	require.Equal(t, "line 1: record 1 was changed: its hash does not fit its content\n", out)

	torn := filepath.Join(t.TempDir(), "torn")
	require.NoError(t, os.WriteFile(torn, append(data, data[:20]...), 0o600))
	code, out, _ = tool("audit", "verify", torn)
	require.Equal(t, exitFinding, code)
	require.Contains(t, out, "the last line is unfinished (20 bytes)")

	code, out, _ = tool("audit", "verify", torn, "-o", "json")
	require.Equal(t, exitFinding, code)
	require.Contains(t, out, `"torn_bytes": 20`)
}
