package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const recording = `{"receivedAt":"2026-03-02T12:00:30Z","status":"firing","startsAt":"2026-03-02T12:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f-db","labels":{"alertname":"DatabaseDown","service":"db","severity":"critical"}}
{"receivedAt":"2026-03-02T12:01:00Z","status":"firing","startsAt":"2026-03-02T12:00:20Z","fingerprint":"f-api","labels":{"alertname":"HighErrorRate","service":"api"}}
{"receivedAt":"2026-03-02T12:01:00Z","status":"firing","startsAt":"2026-03-02T12:00:25Z","fingerprint":"f-api2","labels":{"alertname":"ProbeFailed","service":"api"}}
{"receivedAt":"2026-03-02T12:01:30Z","status":"firing","startsAt":"2026-03-02T12:00:40Z","fingerprint":"f-web","labels":{"alertname":"HighErrorRate","service":"web"}}

{"receivedAt":"2026-03-02T12:30:00Z","status":"resolved","startsAt":"2026-03-02T12:00:00Z","endsAt":"2026-03-02T12:29:00Z","fingerprint":"f-db","labels":{"alertname":"DatabaseDown","service":"db","severity":"critical"}}
`

func graphFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "graph.csv")
	require.NoError(t, os.WriteFile(path, []byte("source,target,kind\nweb,api,call\napi,db,call\ndb,db-0,owns\ndb-0,n1,host\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nodes.csv"), []byte("node,internal_ip,zone\nn1,10.0.0.1,a\n"), 0o600))
	return path
}

func correlateTool(t *testing.T, in string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), append([]string{"correlate"}, args...), streams{in: strings.NewReader(in), out: &out, err: &errs})
	return code, out.String(), errs.String()
}

func TestCorrelatePrintsOneIncidentOfAStorm(t *testing.T) {
	code, out, errs := correlateTool(t, recording, "--format", "json", "--topology", graphFiles(t))
	require.Equal(t, 0, code, errs)
	var got struct {
		Incidents []struct {
			ID      string
			Title   string
			Members []string
			Causes  []struct {
				Entity     string
				Confidence float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got.Incidents, 1)
	i := got.Incidents[0]
	require.ElementsMatch(t, []string{"f-db", "f-api", "f-api2", "f-web"}, i.Members)
	require.Equal(t, "db", i.Causes[0].Entity)
	require.Equal(t, "database db outage affecting api and web", i.Title)

	lines := strings.Split(strings.TrimSpace(recording), "\n")
	lines[0], lines[3] = lines[3], lines[0]
	_, shuffled, _ := correlateTool(t, strings.Join(lines, "\n"), "--format", "json", "--topology", graphFiles(t))
	require.Equal(t, out, shuffled, "the order of lines matters")

	code, out, _ = correlateTool(t, recording)
	require.Equal(t, 0, code)
	require.Contains(t, out, "DatabaseDown")
	code, out, _ = correlateTool(t, "", "--format", "json")
	require.Equal(t, 0, code)
	require.JSONEq(t, `{"incidents":[]}`, out)
}

func TestCorrelateSaysWhichLineIsWrong(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"no JSON", recording + "{", "line 7: unexpected end of JSON input (want one alert as a JSON object)"},
		{"no labels", `{"status":"firing","startsAt":"2026-03-02T12:00:00Z"}`, `line 1: the alert has no "labels"`},
		{"no start", `{"status":"firing","labels":{"a":"b"}}`, `line 1: the alert has no "startsAt" (RFC 3339)`},
		{"status", `{"status":"on","startsAt":"2026-03-02T12:00:00Z","labels":{"a":"b"}}`, `line 1: "status" is "on": want firing or resolved`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, errs := correlateTool(t, tc.in)
			require.Equal(t, 1, code)
			require.Contains(t, errs, tc.want)
		})
	}
}

func TestTopologyIsPrinted(t *testing.T) {
	code, out, errs := tool("topology", "--graph", graphFiles(t))
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "api   call  db")
	_, out, _ = tool("topology", "--graph", graphFiles(t), "--dot")
	require.Contains(t, out, `"service api" -> "service db"`)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/topology", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"edges":[{"from":"web","to":"api","kind":"call","source":"istio","confidence":0.5,"last_seen":"2026-03-02T12:00:00Z"}]}}`)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	code, out, errs = tool("topology", "--tidemark.url", srv.URL)
	require.Equal(t, 0, code, errs)
	require.Contains(t, out, "istio   0.50")
	_, out, _ = tool("topology", "--tidemark.url", srv.URL, "--dot")
	require.Contains(t, out, `"service web" -> "service api" [tooltip="call, istio, 0.50"];`)
}
