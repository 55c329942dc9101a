package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

const incidentJSON = `{"id":"i-1","state":"firing","severity":"critical","title":"database degradation affecting API and web tier",
"summary":"disk of db-0 is saturated","start":"2026-11-22T09:00:00Z","revision":1,"alerts":[{"labels":{"alertname":"X"}},{"labels":{}}],
"causes":[{"entity":{"kind":"node","name":"db-0"},"resource":"disk sda","text":"I/O time at 98 %","confidence":0.82,
"evidence":[{"for":true,"text":"onset first","query":"rate(x[5m])"},{"for":false,"text":"CPU is high too"}]}],
"shared":{"team":"shop","cluster":"eu"},"path":[{"entity":{"name":"db-0"},"state":"DiskFull"},{"entity":{"name":"web"}}],"ruled_out":[{"entity":"api","text":"it waits for db-0"}],"affected":[{"noun":"web servers","n":12}],
"timeline":[{"time":"2026-11-22T09:00:00Z","kind":"onset","text":"disk"},{"time":"2026-11-22T09:00:04Z","kind":"notification","text":"people were told"}],"action":"fail over","a_field_of_tomorrow":1}`

func incidents(t *testing.T) (url string, posted *[]string) {
	t.Helper()
	posted = &[]string{}
	mux := http.NewServeMux()
	answer := func(data string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"status":"success","data":`+data+`}`)
		}
	}
	mux.Handle("GET /api/v1/incidents", answer("["+incidentJSON+`,{"id":"i-0","state":"resolved"}]`))
	mux.Handle("GET /api/v1/incidents/i-1", answer(incidentJSON))
	mux.Handle("GET /api/v1/incidents/i-1/similar", answer(`[{"id":"i-0","title":"before","score":0.91,"confirmed":"node/db-0","fixed":"silenced by ann: backup"}]`))
	mux.Handle("GET /api/v1/runbooks", answer(`{"proposals":[{"id":"p-1","runbook":"failover","mode":"approve","state":"suggested","incident":{"id":"i-1"}},{"id":"p-2","runbook":"another","incident":{"id":"i-2"}}]}`))
	mux.HandleFunc("GET /api/v1/incidents/search", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":[{"id":"i-0","title":"`+r.FormValue("q")+`","cause":"node/db-0 disk","verdict":"confirm","confirmed":"node/db-0","fixed":"fail-over"}]}`)
	})
	mux.HandleFunc("GET /api/v1/incidents/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":"error","error":"there is no incident \"i-9\""}`)
	})
	mux.HandleFunc("POST /api/v1/incidents/i-1/feedback", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*posted = append(*posted, r.Header.Get("X-Tidemark-Request")+" "+string(body))
		_, _ = io.WriteString(w, `{"status":"success","data":null}`)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return "--tidemark.url=" + srv.URL, posted
}

func TestIncidentCommands(t *testing.T) {
	url, posted := incidents(t)
	code, out, errs := tool("incident", "list", url)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, `INCIDENT  STATE     SEVERITY  START                 ALERTS  CAUSE               CONFIDENCE
i-1       firing    critical  2026-11-22T09:00:00Z  2       node/db-0 disk sda  0.82
i-0       resolved  -         -                     0       -                   -
`, out)

	code, out, _ = tool("incident", "show", "i-1", url)
	require.Equal(t, exitOK, code)
	require.Regexp(t, `^database degradation affecting API and web tier
critical, firing, began \d+ (s|min|h|d) ago, 2 alerts → 1 incident

cause +node/db-0 disk sda, 82 % sure
  why +onset first
 +I/O time at 98 %
do +fail over
  runbook +failover \(suggested\): tidetool runbook approve p-1

for and against node/db-0 disk sda \(82 %\)
  \+ +onset first
  − +CPU is high too
`, out, "cause, why and what to do come first")
	require.Regexp(t, `began +2026-11-22 09:00:00 UTC, \d+ \w+ ago`, out)
	require.Contains(t, out, "tidetool incident confirm i-1")
	require.NotContains(t, out, "another", "runbooks of other incidents")
	require.Contains(t, out, "12 web servers")
	require.Regexp(t, `shared +cluster="eu", team="shop"`, out)
	require.Regexp(t, `alerts +2: - 1, X 1`, out)
	require.Regexp(t, `path +db-0 \(DiskFull\) → web`, out)
	require.Regexp(t, `ruled out\n +api +it waits for db-0`, out)
	require.NotContains(t, out, "rate(x[5m])")
	require.Regexp(t, `course\n +2026-11-22 09:00:04 UTC +notification: people were told\n`, out)
	require.Regexp(t, `similar incidents\n +i-0 +before, -, 91 % alike, confirmed cause: node/db-0, ended by: silenced by ann: backup\n`, out)
	require.NotContains(t, out, "onset: disk", "alerts and anomalies one by one are for -o extended")

	_, out, _ = tool("incident", "show", "i-1", "-o", "extended", url)
	require.Contains(t, out, "rate(x[5m]) = 0\n")
	require.Contains(t, out, "2026-11-22 09:00:00 UTC  onset: disk")

	_, out, _ = tool("incident", "show", "i-1", "-o", "json", url)
	require.Contains(t, out, `"a_field_of_tomorrow": 1`, "JSON is what tidemark sends, whole")

	_, out, _ = tool("incident", "similar", "i-1", url)
	require.Contains(t, out, "i-0       -      0.91      node/db-0        silenced by ann: backup  before")

	_, out, _ = tool("incident", "search", "disk", "full", url)
	require.Contains(t, out, "i-0       -      node/db-0 disk  confirm  node/db-0        fail-over  disk full")

	code, out, errs = tool("incident", "reject", "i-1", "--cause", "node/db-1", url)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "i-1: rejected\n", out)
	code, out, _ = tool("incident", "confirm", "i-1", "--fixed", "fail-over", url)
	require.Equal(t, exitOK, code)
	require.Equal(t, "i-1: confirmed\n", out)
	require.Equal(t, []string{`1 {"cause":"node/db-1","verdict":"reject"}`, `1 {"cause":"","fixed":"fail-over","verdict":"confirm"}`}, *posted)

	code, _, errs = tool("incident", "show", "i-9", url)
	require.Equal(t, exitFailure, code)
	require.Equal(t, "tidetool: error: tidemark answered 404 Not Found: there is no incident \"i-9\"\n", errs)
}
