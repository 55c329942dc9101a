package main

import (
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/replay/replaytest"
)

const explainJSON = `[
{"watch":"disk","labels":"{instance=\"db-0\"}","time_ms":1795338000000,"value":0.98,"expected":0.4,"lower":0.3,"upper":0.5,"score":3.25,"state":"ready","kind":"point","detector":"point",
"expr":"disk{instance=\"db-0\"}","explanation":"Twice what is usual.","season":"daily","evidence":[{"detector":"point","kind":"point","score":3.25,"p_value":6.5e-7},{"detector":"cusum","kind":"collective","score":0}]},
{"watch":"disk","labels":"{instance=\"db-1\"}","time_ms":1795338000000,"value":null,"expected":null,"lower":null,"upper":null,"score":null,"state":"learning","explanation":"Still learning.","season":"none","evidence":[]}]`

func TestExplainOfARunningTidemark(t *testing.T) {
	url := answering(t, map[string]string{"/api/v1/series?explain=1&limit=100000&watch=disk": explainJSON})
	code, out, errs := tool("explain", "--watch", "disk", "--series", `{instance="db-0"}`, url)
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, `disk {instance="db-0"} at 2026-11-22T09:00:00Z
Twice what is usual.

value     0.98
expected  0.4
lower     0.3
upper     0.5
score     3.25
state     ready

DETECTOR  KIND   SCORE ALONE  P-VALUE
point     point  3.250        6.5e-07
`, out)

	_, out, _ = tool("explain", "--watch", "disk", "--series", `{instance="db-1"}`, "-o", "extended", url)
	require.Equal(t, `disk {instance="db-1"} at 2026-11-22T09:00:00Z
Still learning.

expression  -
season      none
value       -
expected    -
lower       -
upper       -
score       -
state       learning

DETECTOR  KIND  SCORE ALONE  P-VALUE
`, out)

	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, `2 series of watch disk match {}, among them {instance="db-0"} and {instance="db-1"}: narrow --series`},
		{[]string{"--series", `{instance="web"}`}, `no series of watch disk matches {instance="web"}`},
		{[]string{"--time", "-6h"}, "a running tidemark explains its last sample alone: for --time give --prometheus.url or --config"},
	} {
		code, _, errs = tool(append([]string{"explain", "--watch", "disk", url}, tc.args...)...)
		require.Equal(t, exitFailure, code)
		require.Equal(t, "tidetool: error: "+tc.want+"\n", errs)
	}
}

func TestExplainOfHistory(t *testing.T) {
	x := replaytest.Series{Labels: labels.FromStrings("__name__", "load", "instance", "a")}
	for i := range 2 * 24 * 60 {
		x.T = append(x.T, replayBegin.Add(time.Duration(i)*time.Minute).UnixMilli())
		x.V = append(x.V, 100+20*math.Sin(2*math.Pi*float64(i)/1440)+float64((i*7919)%11))
	}
	x.V[len(x.V)-1] = 400
	srv := httptest.NewServer(&replaytest.Server{Series: []replaytest.Series{x}})
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "tidemark.yml")
	require.NoError(t, os.WriteFile(file, []byte("prometheus:\n  url: "+srv.URL+"\nwatches:\n  - name: load\n    expr: load\n"), 0o600))
	args := []string{"explain", "--watch", "load", "--config", file, "--series", `{instance="a"}`, "--time", "2026-11-21T23:59:30Z"}
	code, out, errs := tool(args...)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "load {__name__=\"load\", instance=\"a\"} at 2026-11-21T23:59:00Z\n")
	require.Contains(t, out, "value     400\n")
	_, again, _ := tool(args...)
	require.Equal(t, out, again)

	args[len(args)-1] = "2026-11-21T23:58:00Z"
	_, out, _ = tool(args...)
	require.Contains(t, out, "Within what is usual")

	code, _, errs = tool("explain", "--watch", "nothing", "--config", file)
	require.Equal(t, exitFailure, code)
	require.Equal(t, "tidetool: error: there is no watch nothing in the configuration, nor is one discovered\n", errs)
}
