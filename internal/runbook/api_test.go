package runbook_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// api is a Manager that does not run, behind its HTTP handlers.
func api(t *testing.T, user string, may bool) (http.Handler, *runbook.Manager, runbook.Proposal) {
	t.Helper()
	mem := newMemory()
	log, _, err := audit.Open(filepath.Join(t.TempDir(), "audit.jsonl"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	m, err := runbook.New(config(t, failover), runbook.Deps{Store: mem, Audit: log, Verifier: &baseline{}})
	require.NoError(t, err)
	mux := http.NewServeMux()
	for pattern, h := range m.Handlers(func(*http.Request) (string, bool) { return user, may }) {
		mux.Handle(pattern, h)
	}
	return mux, m, m.Propose(incident())[0]
}

func do(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://tidemark.example:9099"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// TestWhoMayAct walks every endpoint that changes something.
func TestWhoMayAct(t *testing.T) {
	const own = "http://tidemark.example:9099"
	for _, tc := range []struct {
		name   string
		user   string
		may    bool
		header []string
		want   int
	}{
		{"a person with the role", "ann", true, []string{runbook.RequestHeader, "1"}, 200},
		{"from a page of ours", "ann", true, []string{runbook.RequestHeader, "1", "Origin", own, "Sec-Fetch-Site", "same-origin"}, 200},
		{"without the header", "ann", true, nil, 403},
		{"from another site", "ann", true, []string{runbook.RequestHeader, "1", "Sec-Fetch-Site", "cross-site"}, 403},
		{"from a neighbour site", "ann", true, []string{runbook.RequestHeader, "1", "Sec-Fetch-Site", "same-site"}, 403},
		{"from another origin", "ann", true, []string{runbook.RequestHeader, "1", "Origin", "http://evil.example"}, 403},
		{"from another port", "ann", true, []string{runbook.RequestHeader, "1", "Origin", "http://tidemark.example:80"}, 403},
		{"from a sandboxed page", "ann", true, []string{runbook.RequestHeader, "1", "Origin", "null"}, 403},
		{"nobody", "", false, []string{runbook.RequestHeader, "1"}, 401},
		{"nobody who may", "", true, []string{runbook.RequestHeader, "1"}, 401},
		{"a reader", "bob", false, []string{runbook.RequestHeader, "1"}, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, path := range []string{"/-/actions/pause", "/-/actions/resume", "dry-run", "approve", "reject"} {
				h, m, p := api(t, tc.user, tc.may)
				url := path
				if !strings.HasPrefix(path, "/") {
					url = "/api/v1/runbooks/proposals/" + p.ID + "/" + path
				}
				w := do(h, http.MethodPost, url, "", tc.header...)
				require.Equal(t, tc.want, w.Code, "%s: %s", path, w.Body)
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				if tc.want != 200 {
					require.Equal(t, []runbook.Proposal{p}, m.List(), "nothing changed")
					require.False(t, m.Paused().Paused)
				}
				require.Equal(t, http.StatusMethodNotAllowed, do(h, http.MethodGet, url, "", tc.header...).Code, "a GET changes nothing")
			}
		})
	}
}

func TestAnswersOfTheAPI(t *testing.T) {
	h, m, p := api(t, "ann", true)
	act := []string{runbook.RequestHeader, "1"}
	var envelope struct {
		Status string           `json:"status"`
		Data   runbook.Overview `json:"data"`
	}
	require.NoError(t, json.Unmarshal(do(h, http.MethodGet, "/api/v1/runbooks", "").Body.Bytes(), &envelope))
	require.Equal(t, "success", envelope.Status)
	require.Equal(t, "failover", envelope.Data.Runbooks[0].Name)
	require.Equal(t, p.ID, envelope.Data.Proposals[0].ID)

	require.Equal(t, 200, do(h, http.MethodGet, "/api/v1/runbooks/proposals/"+p.ID, "").Code)
	require.Equal(t, 404, do(h, http.MethodGet, "/api/v1/runbooks/proposals/none", "").Code)
	require.Equal(t, 404, do(h, http.MethodPost, "/api/v1/runbooks/proposals/none/approve", "", act...).Code)
	require.Equal(t, 400, do(h, http.MethodPost, "/-/actions/pause", "maintenance", act...).Code)
	require.Equal(t, 400, do(h, http.MethodPost, "/-/actions/pause", strings.Repeat(" ", 17<<10), act...).Code)
	require.Equal(t, 200, do(h, http.MethodPost, "/-/actions/pause", `{"reason":"maintenance"}`, act...).Code)
	require.Equal(t, "maintenance", m.Paused().Reason)
	w := do(h, http.MethodPost, "/api/v1/runbooks/proposals/"+p.ID+"/approve", "", act...)
	require.Equal(t, 409, w.Code)
	require.JSONEq(t, `{"status":"error","errorType":"conflict","error":"actions are paused: resume them first"}`, w.Body.String())
	require.Equal(t, 200, do(h, http.MethodPost, "/-/actions/resume", "", act...).Code)
	require.Equal(t, 200, do(h, http.MethodPost, "/api/v1/runbooks/proposals/"+p.ID+"/approve", "", act...).Code)
	require.Equal(t, 409, do(h, http.MethodPost, "/api/v1/runbooks/proposals/"+p.ID+"/approve", "", act...).Code)
}

func TestTheAuditLogIsServedWithItsHead(t *testing.T) {
	h, m, p := api(t, "ann", true)
	_, err := m.Approve(t.Context(), p.ID, "ann")
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	resp, err := http.Get(srv.URL + "/api/v1/audit")
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	head, err := audit.ParseHead(resp.Trailer.Get(runbook.HeadTrailer))
	require.NoError(t, err)
	rep, err := audit.Verify(bytes.NewReader(data), head)
	require.NoError(t, err)
	require.True(t, rep.OK())
	require.Equal(t, head, rep.Head)
	require.Equal(t, 2, rep.Records)
}
