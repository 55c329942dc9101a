package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/replay"
	"github.com/tidemark/tidemark/internal/replay/replaytest"
)

var replayBegin = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// stormyProm is a Prometheus that remembers two unlike troubles.
func stormyProm(t *testing.T) (flag string) {
	t.Helper()
	at := func(minute int) time.Time { return replayBegin.Add(time.Duration(minute) * time.Minute) }
	s := &replaytest.Server{Rules: `{"name":"g","interval":15,"rules":[{"type":"alerting","name":"DiskSaturated","duration":60},{"type":"alerting","name":"QueryErrors","duration":120},{"type":"alerting","name":"SlowQueries","duration":120},{"type":"alerting","name":"CertExpires","duration":0}]}`}
	s.Firing(at(60), at(80), "alertname", "DiskSaturated", "severity", "critical", "service", "db", "instance", "db-0:9100", "team", "data")
	for _, instance := range []string{"db-0:9100", "db-1:9100", "db-2:9100"} {
		s.Firing(at(61), at(80), "alertname", "QueryErrors", "severity", "warning", "service", "db", "instance", instance, "team", "data")
		s.Firing(at(61), at(81), "alertname", "SlowQueries", "severity", "warning", "service", "db", "instance", instance, "team", "data")
	}
	s.Firing(at(600), at(610), "alertname", "CertExpires", "severity", "warning", "service", "mail")
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return "--prometheus.url=" + srv.URL
}

func TestReplayReports(t *testing.T) {
	prom := stormyProm(t)
	args := []string{"replay", prom, "--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z"}
	code, out, errs := tool(args...)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, `2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z
alerts: 8, firings: 8 (0 since before the range), incidents: 2
pages: 4 when grouped by alertname, 2 as incidents, 2 spared (50 %); 0 with a changed cause later
hidden: none, every alert is in an incident that was told

TEAM  ALERTS  PAGES BEFORE  PAGES NOW  HIDDEN
data  7       3             1          0
-     1       1             1          0

INCIDENT      FIRST ALERT           END                   SEVERITY  ALERTS  CAUSE                     CONFIDENCE
e83a7d5ffb8c  2026-11-20T01:00:00Z  2026-11-20T01:21:00Z  critical  7       service/db disk           0.68
db620e0324fb  2026-11-20T10:00:00Z  2026-11-20T10:10:00Z  warning   1       service/mail certificate  0.94
`, out)
	for range 3 {
		_, again, _ := tool(args...)
		require.Equal(t, out, again, "the same past, the same report")
	}

	code, out, errs = tool(append(args, "-o", "json", "--match", `{team="data"}`)...)
	require.Equal(t, exitOK, code, errs)
	var r replay.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, 7, r.Alerts)

	_, out, _ = tool(append(args, "-o", "extended")...)
	require.Contains(t, out, r.Incidents[0].Summary)
}

func TestReplayFindsWhatNobodyIsToldOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tidemark.yml")
	require.NoError(t, os.WriteFile(file, []byte("prometheus:\n  url: http://localhost:1\ncorrelate:\n  wait: 1m\n"), 0o600))
	s := &replaytest.Server{}
	s.Firing(replayBegin.Add(time.Hour), replayBegin.Add(time.Hour+15*time.Second), "alertname", "Blip", "owner", "x")
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	code, out, errs := tool("replay", "--prometheus.url", srv.URL, "--config", file, "--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z", "--team-label", "owner")
	require.Equal(t, exitFinding, code, errs)
	require.Equal(t, `2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z
alerts: 1, firings: 1 (0 since before the range), incidents: 0
pages: 1 when grouped by alertname, 0 as incidents, 1 spared (100 %); 0 with a changed cause later
hidden: 1, in no incident that was told
  2026-11-20T01:00:00Z to 2026-11-20T01:00:15Z {alertname="Blip", owner="x"}

OWNER  ALERTS  PAGES BEFORE  PAGES NOW  HIDDEN
x      1       1             0          1

INCIDENT  FIRST ALERT  END  SEVERITY  ALERTS  CAUSE  CONFIDENCE
`, out)
}

func TestReplaySaysWhatIsWrong(t *testing.T) {
	prom := stormyProm(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--from", "soon", prom}, `--from "soon": want RFC 3339 (2026-11-22T09:00:00Z), Unix seconds, now, or a time before now such as -6h`},
		{[]string{"--from", "1795338000", "--to", "1795337000", prom}, "replay: from 2026-11-22T09:00:00Z is not before to 2026-11-22T08:43:20Z"},
		{[]string{"--prometheus.url", "localhost"}, `--prometheus.url: "localhost" is no http or https address such as http://localhost:9090`},
		{nil, "give --prometheus.url, for example http://localhost:9090, or --config"},
	} {
		code, _, errs := tool(append([]string{"replay"}, tc.args...)...)
		require.Equal(t, exitFailure, code)
		require.Equal(t, "tidetool: error: "+tc.want+"\n", errs)
	}
	code, _, errs := tool("replay", "--match", "{", prom)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errs, `--match "{": `)
}
