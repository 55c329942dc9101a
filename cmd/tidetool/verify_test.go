package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answering is a tidemark that answers paths with data.
func answering(t *testing.T, data map[string]string) (flag string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, ok := data[r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"status":"error","error":"there is no such thing"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":`+d+`}`)
	}))
	t.Cleanup(srv.Close)
	return "--tidemark.url=" + srv.URL
}

// promAnswers is a Prometheus that answers queries, each at the time it must be asked for.
func promAnswers(t *testing.T, vectors map[string]string) (flag string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/rules" {
			_, _ = io.WriteString(w, `{"status":"success","data":{"groups":[{"name":"g","interval":15,"rules":[{"type":"alerting","name":"DiskSlow","duration":120}]}]}}`)
			return
		}
		v, ok := vectors[r.FormValue("query")+" @ "+r.FormValue("time")]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"not PromQL"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`+v+`]}}`)
	}))
	t.Cleanup(srv.Close)
	return "--prometheus.url=" + srv.URL
}

func value(v string) string { return `{"metric":{},"value":[0,"` + v + `"]}` }

func claims(t *testing.T, evidence ...string) (flag string) {
	t.Helper()
	all := ""
	for n, e := range evidence {
		if n > 0 {
			all += ","
		}
		all += e
	}
	return answering(t, map[string]string{"/api/v1/incidents/i-1": `{"id":"i-1","causes":[{"entity":{"kind":"node","name":"db-0"},"resource":"disk","evidence":[` + all + `]}]}`})
}

func TestVerifySaysWhatBecameOfEveryClaim(t *testing.T) {
	const at = "1795338000.000"
	for _, tc := range []struct{ name, claim, answer, want string }{
		{
			"the same value is reproduced",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`, value("0.98"), "reproduced",
		},
		{
			"a difference within the tolerance is none",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`, value("0.9800000001"), "reproduced",
		},
		{
			"another value differs",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`, value("0.5"), "differs: then 0.98, now 0.5",
		},
		{
			"not a number differs from a number",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`, value("NaN"), "differs: then 0.98, now NaN",
		},
		{
			"no data is no answer",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`, "", "no longer answerable: no data at 2026-11-22T09:00:00Z",
		},
		{
			"several series are no answer",
			`{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":1}`, value("1") + "," + value("2"), "no longer answerable: the query gives 2 series where one is meant",
		},
		{
			"a count of nothing is zero",
			`{"text":"silent","query":"count(x)","time":"2026-11-22T09:00:00Z","value":0}`, "", "reproduced",
		},
		{
			"an onset is compared as a time, within one evaluation of its rule",
			`{"text":"began","query":"ALERTS_FOR_STATE{alertname=\"DiskSlow\"}","time":"2026-11-22T09:00:00Z","value":1795337880.123}`, value("1795337870"), "reproduced",
		},
		{
			"of copies the nearest counts",
			`{"text":"began","query":"ALERTS_FOR_STATE{alertname=\"DiskSlow\"}","time":"2026-11-22T09:00:00Z","value":1795337880}`,
			value("1795330000") + "," + value("1795337880"), "reproduced",
		},
		{
			"another onset differs",
			`{"text":"began","query":"ALERTS_FOR_STATE{alertname=\"DiskSlow\"}","time":"2026-11-22T09:00:00Z","value":1795337880}`,
			value("1795337850"), "differs: then 2026-11-22T08:58:00Z, now 2026-11-22T08:57:30Z",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c struct{ Query, Text, Verdict string }
			require.NoError(t, json.Unmarshal([]byte(tc.claim), &c))
			code, out, errs := tool("verify", "i-1", claims(t, tc.claim), promAnswers(t, map[string]string{c.Query + " @ " + at: tc.answer}))
			want := exitFinding
			if tc.want == "reproduced" {
				want = exitOK
			}
			require.Equal(t, want, code, errs)
			require.Contains(t, out, "node/db-0 disk | "+c.Text+" | "+tc.want+"\n")
		})
	}
}

func TestVerifyPrintsOneLinePerClaim(t *testing.T) {
	tidemark := claims(t,
		`{"kind":"anomaly","text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}`,
		`{"kind":"coverage","text":"9 of 10 alerts","time":"2026-11-22T09:00:00Z","value":9}`,
		`{"kind":"metric","text":"of a recording","query":"disk of db-0","time":"2026-11-22T09:00:00Z","value":3}`)
	prom := promAnswers(t, map[string]string{"x @ 1795338000.000": value("0.98")})
	code, out, errs := tool("verify", "i-1", "-o", "extended", tidemark, prom)
	require.Equal(t, exitFinding, code, errs)
	require.Equal(t, `node/db-0 disk | busy | reproduced
    x @ 2026-11-22T09:00:00Z = 0.98
node/db-0 disk | 9 of 10 alerts | no query
node/db-0 disk | of a recording | no longer answerable: the query is refused: the answer is 400 Bad Request ("bad_data: not PromQL")
    disk of db-0 @ 2026-11-22T09:00:00Z = 3
3 claims: 1 reproduced, 0 differ, 1 no longer answerable, 1 without a query
`, out)

	_, out, _ = tool("verify", "i-1", "-o", "json", tidemark, prom)
	var got []checked
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got, 3)
	require.Equal(t, "no query", got[1].Verdict)

	code, _, errs = tool("verify", "i-1", tidemark)
	require.Equal(t, exitFailure, code)
	require.Equal(t, "tidetool: error: give --prometheus.url, for example http://localhost:9090, or --config\n", errs)
}

func TestVerifyAsksTidemarkForWhatNoMetricHolds(t *testing.T) {
	evidence := `{"kind":"coverage","text":"9 of 10 alerts","query":"/api/v1/incidents/i-1/coverage?cause=node+db-0&start=1","time":"2026-11-22T09:00:00Z","value":9},
		{"kind":"change","text":"deploy","query":"/api/v1/changes?kind=deploy","time":"2026-11-22T09:00:00Z","value":1},
		{"kind":"change","text":"config","query":"/api/v1/changes?kind=config","time":"2026-11-22T09:00:00Z","value":1},
		{"kind":"coverage","text":"long ago","query":"/api/v1/incidents/gone/coverage","time":"2026-11-22T09:00:00Z","value":3},
		{"kind":"coverage","text":"odd","query":"/api/v1/status","time":"2026-11-22T09:00:00Z","value":3}`
	tidemark := answering(t, map[string]string{
		"/api/v1/incidents/i-1": `{"id":"i-1","causes":[{"entity":{"kind":"node","name":"db-0"},"evidence":[` + evidence + `]}],
			"path":[{"entity":{"name":"db-0"},"state":"DiskSlow","evidence":[{"text":"busy","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}]}],
			"ruled_out":[{"entity":"web","text":"it waits","evidence":[{"text":"slow","query":"y","time":"2026-11-22T09:00:00Z","value":2},{"text":"said before","query":"x","time":"2026-11-22T09:00:00Z","value":0.98}]}]}`,
		"/api/v1/incidents/i-1/coverage?cause=node+db-0&start=1": `{"value":9,"explained":[]}`,
		"/api/v1/changes?kind=deploy":                            `[{"kind":"deploy"}]`,
		"/api/v1/changes?kind=config":                            `[]`,
		"/api/v1/status":                                         `{"healthy":true}`,
	})
	code, out, errs := tool("verify", "i-1", tidemark, promAnswers(t, map[string]string{"x @ 1795338000.000": value("0.98"), "y @ 1795338000.000": value("2")}))
	require.Equal(t, exitFinding, code, errs)
	require.Equal(t, `node/db-0 | 9 of 10 alerts | reproduced
node/db-0 | deploy | reproduced
node/db-0 | config | differs: then 1, now 0
node/db-0 | long ago | no longer answerable: tidemark answered 404 Not Found: there is no such thing
node/db-0 | odd | no longer answerable: the answer is neither a list nor has it a value
path: db-0 | busy | reproduced
ruled out: web | slow | reproduced
7 claims: 4 reproduced, 1 differ, 2 no longer answerable, 0 without a query
`, out)
}

func TestVerifyAllowsForTheEvaluationsOfBothOnsetsOfALateStart(t *testing.T) {
	query := `min(max_over_time(ALERTS_FOR_STATE{alertname="DiskSlow"}[2s] @ 1)) - min(max_over_time(ALERTS_FOR_STATE{alertname="Slow"}[2s] @ 1))`
	for seconds, want := range map[string]int{"240": exitOK, "300": exitOK, "330": exitFinding} { // 15 s, the default of 1 min, and a second each.
		c := `{"text":"late","query":` + strconv.Quote(query) + `,"time":"2026-11-22T09:00:00Z","value":240}`
		code, out, errs := tool("verify", "i-1", claims(t, c), promAnswers(t, map[string]string{query + " @ 1795338000.000": value(seconds)}))
		require.Equal(t, want, code, out+errs)
	}
}

func TestTimesAreReadInTheWaysPeopleWriteThem(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"now": "2026-11-22T12:00:00Z", "-6h": "2026-11-22T06:00:00Z", "-1d12h": "2026-11-21T00:00:00Z", "-90s": "2026-11-22T11:58:30Z",
		"2026-11-22T09:00:00Z": "2026-11-22T09:00:00Z", "2026-11-22T10:00:00+01:00": "2026-11-22T09:00:00Z", "1795338000": "2026-11-22T09:00:00Z", "1795338000.25": "2026-11-22T09:00:00.25Z",
	} {
		got, err := parseTime("--from", in, now)
		require.NoError(t, err, in)
		require.Equal(t, want, got.Format(time.RFC3339Nano), in)
	}
	for _, in := range []string{"", "yesterday", "-", "-6", "6h", "1e300", "NaN", "2026-11-22"} {
		_, err := parseTime("--from", in, now)
		require.ErrorContains(t, err, "--from \""+in+"\": want RFC 3339", in)
	}
}
