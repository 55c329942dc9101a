package cause_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/cause"
)

// writeCase writes a recorded case of three services: one has its processor and log lines touched.
// extra are further keys of case.json.
func writeCase(t *testing.T, dir, id string, start int64, extra string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("case.json", fmt.Sprintf(`{"id": %q, "fault_time": %d, "alert_time": %d, "step_s": 60, "baseline": null,
		"symptom": {"entity": "web", "metric": "p90"}, "candidates": ["web", "cart", "mail"],
		"logs": "logs.csv.gz", "spans": "spans.csv"%s}`, id, start, start+120, extra))
	write("graph.csv", "caller,callee,kind\nweb,cart,call\nweb,mail,call\n")
	var b strings.Builder
	b.WriteString("timestamp,web{p90},cart{cpu},mail{cpu},edge:web>cart{client_p50}\n")
	for i := int64(-40); i < 4; i++ {
		cpu := 1 + .01*float64(i%7)
		if i >= 0 {
			cpu *= 4
		}
		fmt.Fprintf(&b, "%d,%g,%g,,%g\n", start+60*i, .1+.001*float64(i%5), cpu, .02)
	}
	write("metrics.csv", b.String())
	f, err := os.Create(filepath.Join(dir, "logs.csv.gz"))
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	fmt.Fprintln(z, "timestamp_ms,service,message")
	for i := range int64(20) {
		fmt.Fprintf(z, "%d,cart,\"stored item %d [user: ann, n=%d]\"\n", start*1000+i, i*17, i)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	write("spans.csv", fmt.Sprintf("minute,caller,service,operation,count,mean_ms,p50_ms,p95_ms\n%d,web,cart,/c,20,5,5,9\n%d,web,web,HTTP GET,20,6,6,9\n", start, start))
}

func TestLoadCaseReadsAllFiles(t *testing.T) {
	dir := t.TempDir()
	writeCase(t, dir, "set/one", 1_800_000_000, "")
	c, err := cause.LoadCase(dir)
	require.NoError(t, err)
	require.Equal(t, "set/one", c.ID)
	require.Len(t, c.Series, 4)
	require.Len(t, c.Series[0].T, 44)
	require.Empty(t, c.Series[2].T, "empty fields are no samples")
	require.Equal(t, "web", c.Series[3].Entity)
	require.Equal(t, "cart", c.Series[3].Peer)
	require.Len(t, c.Graph, 2)
	require.Equal(t, []cause.LogCount{{Window: 1_800_000_000_000, Entity: "cart", Pattern: "stored item <*> <*>", Count: 20, Query: "logs.csv.gz: stored item <*> <*>"}}, c.Logs)
	require.Len(t, c.Spans, 2)
	require.True(t, c.Spans[1].Client)
	require.Equal(t, "cart", cause.Rank(c, cause.Options{}).Candidates[0].Entity)
}

func TestRankingIsTheSameWithoutAnswersAndInRenamedFolders(t *testing.T) {
	root := t.TempDir()
	const answers = `, "root_cause": {"entity": "mail", "metric": "cpu"}, "fault_type": "cpu_mail", "scenario": "mail", "window": [1800000000, 1800000240]`
	want := rankings(t, root, "truth-mail-cpu", answers)
	require.JSONEq(t, want, rankings(t, root, "zzz", ""))
	require.JSONEq(t, want, rankings(t, root, "other", strings.ReplaceAll(answers, "mail", "web")))
}

// rankings writes two cases below a folder and ranks them together.
func rankings(t *testing.T, root, name, extra string) string {
	t.Helper()
	a, b := filepath.Join(root, name, name+"-a"), filepath.Join(root, name, name+"-b")
	writeCase(t, a, "set/a", 1_800_000_000, extra)
	writeCase(t, b, "set/b", 1_800_009_000, extra)
	cases, err := cause.LoadCases([]string{a, b}, cause.ReferenceEarlier)
	require.NoError(t, err)
	var out []cause.Ranking
	for _, c := range cases {
		out = append(out, cause.Rank(c, cause.Options{}))
	}
	text, err := json.Marshal(out)
	require.NoError(t, err)
	return string(text)
}

func TestLoadCasesLendsOnlyEarlierWindowsOfTheSameSystem(t *testing.T) {
	root := t.TempDir()
	dirs := []string{filepath.Join(root, "late"), filepath.Join(root, "early"), filepath.Join(root, "overlapping"), filepath.Join(root, "other")}
	for i, start := range []int64{1_800_009_000, 1_800_000_000, 1_800_008_950, 1_799_000_000} {
		writeCase(t, dirs[i], filepath.Base(dirs[i]), start, "")
	}
	raw, err := os.ReadFile(filepath.Join(dirs[3], "case.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dirs[3], "case.json"), []byte(strings.ReplaceAll(string(raw), `["web", "cart", "mail"]`, `["front", "cart", "db", "queue"]`)), 0o644))
	cases, err := cause.LoadCases(dirs, cause.ReferenceEarlier)
	require.NoError(t, err)
	require.Len(t, cases[0].LogsBaseline, 1)
	require.Equal(t, int64(1_800_000_000_000), cases[0].LogsBaseline[0].Window)
	require.Empty(t, cases[1].LogsBaseline)
	own, err := cause.LoadCases(dirs, cause.ReferenceOwn)
	require.NoError(t, err)
	require.Empty(t, own[0].LogsBaseline)
}

func TestLoadCasesCountsAlertsOverLists(t *testing.T) {
	root := t.TempDir()
	var dirs []string
	for i := range 3 {
		dir := filepath.Join(root, fmt.Sprint(i))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte(`{"alert_time": 1800000600, "candidates": ["a", "b"]}`), 0o644))
		text := "timestamp,entity,source,name,direction,detail\n1800000000,a,metric,slow,up,\n1800000001,a,metric,slow,up,\n"
		if i == 2 {
			text += "1800000002,b,metric,oom,up,\n"
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "alerts.csv"), []byte(text), 0o644))
		dirs = append(dirs, dir)
	}
	cases, err := cause.LoadCases(dirs, cause.ReferenceEarlier)
	require.NoError(t, err)
	require.Equal(t, 3, cases[0].Background.Lists)
	require.Equal(t, 3, cases[0].Background.Seen[cause.AlertKey{Entity: "a", Name: "slow", Direction: "up"}])
	require.Equal(t, 1, cases[0].Background.Seen[cause.AlertKey{Entity: "b", Name: "oom", Direction: "up"}])
	require.Equal(t, "b", cause.Rank(cases[2], cause.Options{}).Candidates[0].Entity)
}

func TestLoadCaseSaysWhatIsWrongAndWhere(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, want string }{
		"no JSON":                    {"case.json", "{", "decoding case.json: unexpected end of JSON input"},
		"a list of candidates wrong": {"case.json", `{"candidates": "web"}`, "cannot unmarshal string"},
		"half a window":              {"case.json", `{"candidates": ["a"], "other_faults": [[1]]}`, "other_faults[0] has 1 numbers, want 2: start and end"},
		"a missing baseline":         {"case.json", `{"candidates": ["a"], "baseline": "none.csv"}`, "reading none.csv: open "},
		"nothing":                    {"case.json", `{}`, "nothing to rank"},
		"a column without a metric":  {"metrics.csv", "timestamp,web\n1,2\n", `reading metrics.csv: column "web" is not of the form <entity>{<metric>}`},
		"no time stamps":             {"metrics.csv", "time,web{p90}\n1,2\n", `first column is "time", want "timestamp"`},
		"a word as value":            {"metrics.csv", "timestamp,web{p90}\n1,fast\n", `line 2: value "fast" of web{p90} is no number`},
		"time running back":          {"metrics.csv", "timestamp,web{p90}\n9,1\n8,1\n", "line 3: time stamp 8 lies before the row above"},
		"a row too short":            {"metrics.csv", "timestamp,web{p90}\n9\n", "wrong number of fields"},
		"an edge to nowhere":         {"graph.csv", "caller,callee,kind\nweb,,call\n", "reading graph.csv: line 2: an edge needs a caller and a callee"},
		"a graph of other columns":   {"graph.csv", "from,to\n", `no column "caller" in the header, want caller,callee,kind`},
		"an empty graph file":        {"graph.csv", "", "empty file, want the header caller,callee,kind"},
		"an alert without time":      {"alerts.csv", "timestamp,entity,source,name,direction,detail\nnow,a,metric,x,up,\n", `time stamp "now" is no number of seconds`},
		"a change without time":      {"changes.csv", "timestamp,entity,kind,text\nnow,a,deploy,x\n", `reading changes.csv: line 2: time stamp "now"`},
		"logs that are not zipped":   {"logs.csv.gz", "timestamp_ms,service,message\n", "reading logs.csv.gz: gzip: invalid header"},
		"a span without count":       {"spans.csv", "minute,caller,service,operation,count,mean_ms,p50_ms\n1,a,b,c,many,1,1\n", `"many" is no number`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeCase(t, dir, "x", 1_800_000_000, "")
			require.NoError(t, os.WriteFile(filepath.Join(dir, tc.file), []byte(tc.text), 0o644))
			if tc.want == "nothing to rank" {
				for _, f := range []string{"metrics.csv", "graph.csv"} {
					require.NoError(t, os.Remove(filepath.Join(dir, f)))
				}
			}
			_, err := cause.LoadCase(dir)
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, dir)
		})
	}
	_, err := cause.LoadCase(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "reading case.json")
}

func FuzzLoadCase(f *testing.F) {
	f.Add(`{"candidates":["a"]}`, "timestamp,a{b}\n1,2\n", "caller,callee,kind\na,b,call\n", "timestamp,entity,source,name,direction,detail\n1,a,metric,n,up,\n")
	f.Add(`{"fault_time":-1,"step_s":1e300,"candidates":[]}`, "timestamp,{b}\n1,NaN\n", "", "\"")
	f.Fuzz(func(t *testing.T, meta, metrics, graph, alerts string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"case.json": meta, "metrics.csv": metrics, "graph.csv": graph, "alerts.csv": alerts} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		}
		if c, err := cause.LoadCase(dir); err == nil {
			cause.Rank(c, cause.Options{})
		}
	})
}
