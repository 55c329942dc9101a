package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runRCA runs the whole program and returns its exit code and streams.
func runRCA(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{in: strings.NewReader(stdin), out: &o, err: &e})
	return code, o.String(), e.String()
}

func writeRCACase(t *testing.T, dir, id, alerts string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte(`{"id": "`+id+`", "alert_time": 1800000600, "candidates": ["a b", "ü"]}`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alerts.csv"), []byte("timestamp,entity,source,name,direction,detail\n"+alerts), 0o644))
	return dir
}

func TestRCAPrintsAllCandidatesOfEveryCase(t *testing.T) {
	one := writeRCACase(t, filepath.Join(t.TempDir(), "one"), "set/1", "1800000000,ü,metric,oom,up,\n")
	two := writeRCACase(t, filepath.Join(t.TempDir(), "two"), "set/1", "1800000000,a b,metric,slow,up,\n1800000000,ü,metric,oom,up,\n")
	code, out, errs := runRCA(t, "", "rca", "--format", "json", one, two)
	require.Equal(t, exitOK, code, errs)
	var got map[string]struct {
		Ranking []struct {
			Entity     string           `json:"entity"`
			Confidence float64          `json:"confidence"`
			Evidence   []map[string]any `json:"evidence"`
		} `json:"ranking"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Len(t, got, 2, "two cases of one id are told apart")
	require.Len(t, got["set/1"].Ranking, 2)
	require.Equal(t, "ü", got["set/1"].Ranking[0].Entity)
	require.Equal(t, "a b", got[two].Ranking[0].Entity, "rarer than the other over both lists")
	require.NotEmpty(t, got["set/1"].Ranking[0].Evidence)
}

func TestRCARanksTheOthersWhenOneCaseIsBroken(t *testing.T) {
	good := writeRCACase(t, filepath.Join(t.TempDir(), "good"), "good", "1800000000,ü,metric,oom,up,\n")
	bad := filepath.Join(t.TempDir(), "bad")
	code, out, errs := runRCA(t, "", "rca", bad, good)
	require.Equal(t, exitFailure, code)
	require.Contains(t, out, `"good"`)
	require.Contains(t, errs, "case "+bad+": reading case.json")
}

func TestLogsPrintsOneRowPerLineAndKeepsIDs(t *testing.T) {
	code, out, errs := runRCA(t, "user ann logged in from 10.0.0.1\nstarted\n\nuser ann logged in from 10.0.0.2\nlast line without end", "logs", "--format", "tsv", "-")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "1\t1\tuser ann logged in from <*>\n2\t2\tstarted\n3\t3\t\n4\t1\tuser ann logged in from <*>\n5\t4\tlast line without end\n", out)
}

func TestLogsReadsLinesOfAnyLength(t *testing.T) {
	code, out, _ := runRCA(t, strings.Repeat("x ", 3<<20)+"\nnext\n", "logs", "-")
	require.Equal(t, exitOK, code)
	rows := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, rows, 2)
	require.Equal(t, "2\t2\tnext", rows[1])
}

func TestLogsNamesTheFileThatIsMissing(t *testing.T) {
	code, _, errs := runRCA(t, "", "logs", filepath.Join(t.TempDir(), "none.log"))
	require.Equal(t, exitFailure, code)
	require.Contains(t, errs, "reading log lines: open ")
}
