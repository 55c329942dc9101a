package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// samples is a metrics.csv with one column per header over forty minutes up to the alert; value gives a cell.
func samples(n int, value func(row int) string, headers ...string) string {
	var b strings.Builder
	b.WriteString("timestamp," + strings.Join(headers, ",") + "\n")
	for i := range n {
		fmt.Fprintf(&b, "%d", 1800000600-60*(n-1-i))
		for range headers {
			b.WriteString("," + value(i))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// The list of bad input: each is said to be wrong, or has no clear cause; never a confident answer.
func TestBadInputIsSaidToBeWrongOrHasNoClearCause(t *testing.T) {
	flat := func(int) string { return "1" }
	var many, ring strings.Builder
	ring.WriteString("caller,callee,kind\n")
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"entity-%05d"`, i)
		fmt.Fprintf(&ring, "entity-%05d,entity-%05d,call\n", i, (i+1)%10_000)
	}
	const plain = `{"id": "x", "alert_time": 1800000600, "symptom": {"entity": "web", "metric": "p90"}, "candidates": ["web", "cart"]}`
	for _, tc := range []struct {
		name   string
		files  map[string]string
		errors string // What is said; empty: there is an answer, without a clear cause.
	}{
		{"a folder without a case", map[string]string{}, "reading case.json"},
		{"an empty case.json", map[string]string{"case.json": ""}, "case.json"},
		{"a case that is no JSON", map[string]string{"case.json": "{"}, "case.json"},
		{"a case of nothing", map[string]string{"case.json": `{"id": "x"}`}, "nothing to rank"},
		{"no metrics at all", map[string]string{"case.json": plain}, ""},
		{"metrics without a row", map[string]string{"case.json": plain, "metrics.csv": "timestamp,web{p90}\n"}, ""},
		{"an empty metrics.csv", map[string]string{"case.json": plain, "metrics.csv": ""}, ""},
		{"a header that names no entity", map[string]string{"case.json": plain, "metrics.csv": samples(3, flat, "p90")}, `metrics.csv`},
		{"a cell that is no number", map[string]string{"case.json": plain, "metrics.csv": samples(3, func(int) string { return "much" }, "web{p90}")}, "metrics.csv"},
		{"one sample", map[string]string{"case.json": plain, "metrics.csv": samples(1, flat, "web{p90}", "cart{cpu}")}, ""},
		{"all NaN", map[string]string{"case.json": plain, "metrics.csv": samples(40, func(int) string { return "NaN" }, "web{p90}", "cart{cpu}")}, ""},
		{"all empty", map[string]string{"case.json": plain, "metrics.csv": samples(40, func(int) string { return "" }, "web{p90}", "cart{cpu}")}, ""},
		{"constants", map[string]string{"case.json": plain, "metrics.csv": samples(40, flat, "web{p90}", "cart{cpu}")}, ""},
		{"a cyclic graph", map[string]string{"case.json": plain, "metrics.csv": samples(40, flat, "web{p90}"), "graph.csv": "caller,callee,kind\nweb,cart,call\ncart,web,call\nweb,web,call\nweb,web,owns\n"}, ""},
		{"a graph of unknown edges", map[string]string{"case.json": plain, "graph.csv": "caller,callee,kind\nweb,cart,likes\n"}, ""},
		{"entities without metrics", map[string]string{"case.json": plain, "metrics.csv": samples(40, flat, "mail{p90}")}, ""},
		{"10 000 entities in a ring", map[string]string{"case.json": `{"id": "x", "alert_time": 1800000600, "candidates": [` + many.String()[1:] + `]}`, "graph.csv": ring.String(), "metrics.csv": samples(40, flat, "entity-00000{p90}")}, ""},
		{"names with spaces and of all scripts", map[string]string{
			"case.json":   `{"id": "x", "alert_time": 1800000600, "symptom": {"entity": "ein Dienst", "metric": "p 90 ✓"}, "candidates": ["ein Dienst", "サービス", ""]}`,
			"metrics.csv": samples(40, flat, `"ein Dienst{p 90 ✓}"`, "サービス{メモリ 使用}"),
		}, ""},
		{"an alert in the far future", map[string]string{"case.json": `{"id": "x", "alert_time": 1e300, "candidates": ["web"]}`, "metrics.csv": samples(40, flat, "web{p90}")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tc.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
			}
			code, out, errs := runRCA(t, "", "rca", "--format", "json", dir)
			if tc.errors != "" {
				require.Equal(t, exitFailure, code, out)
				require.Contains(t, errs, tc.errors)
				return
			}
			require.Equal(t, exitOK, code, errs)
			var got map[string]struct {
				Ranking []struct {
					Confidence float64 `json:"confidence"`
				} `json:"ranking"`
				NoClearCause bool `json:"no_clear_cause"`
			}
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			require.True(t, got["x"].NoClearCause)
			for _, r := range got["x"].Ranking {
				require.Less(t, r.Confidence, .5)
			}
		})
	}
}
