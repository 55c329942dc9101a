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

// The list of bad input: each is said to be wrong, or leads to incidents that hold every alert; never to a panic.
func TestBadRecordingsAreSaidToBeWrongOrAreGrouped(t *testing.T) {
	fires := func(labels string) string {
		return `{"receivedAt":"2026-03-02T12:00:30Z","status":"firing","startsAt":"2026-03-02T12:00:00Z","fingerprint":"f","labels":` + labels + "}\n"
	}
	var ring, many strings.Builder
	ring.WriteString("source,target,kind\n")
	for i := range 10_000 {
		fmt.Fprintf(&ring, "s%05d,s%05d,call\n", i, (i+1)%10_000)
		if i%100 == 0 {
			many.WriteString(strings.Replace(fires(fmt.Sprintf(`{"alertname":"HighErrorRate","service":"s%05d"}`, i)), `"f"`, fmt.Sprintf(`"f%d"`, i), 1))
		}
	}
	for _, tc := range []struct {
		name, in, graph string
		alerts          int
		errors          string // What is said; empty: there is an answer.
	}{
		{name: "nothing"},
		{name: "empty lines", in: "\n\n"},
		{name: "no JSON", in: "{", errors: "line 1"},
		{name: "a line that is another thing", in: fires(`{"alertname":"A"}`) + "[1]\n", errors: "line 2"},
		{name: "an alert without labels", in: fires("{}"), errors: "line 1"},
		{name: "one alert", in: fires(`{"alertname":"HighErrorRate","service":"api"}`), alerts: 1},
		{name: "an alert whose entity nobody knows", in: fires(`{"alertname":"Odd"}`), graph: "source,target,kind\nweb,api,call\n", alerts: 1},
		{name: "a cyclic graph", in: fires(`{"alertname":"HighErrorRate","service":"api"}`), graph: "source,target,kind\nweb,api,call\napi,web,call\napi,api,call\napi,api,owns\nweb,web,host\n", alerts: 1},
		{name: "names with spaces and of all scripts", in: fires(`{"alertname":"Zu viele Fehler ✓","service":"ein Dienst","ラベル":"値"}`), graph: "source,target,kind\nein Dienst,サービス,call\n", alerts: 1},
		{name: "10 000 entities in a ring", in: many.String(), graph: ring.String(), alerts: 100},
		{name: "a graph without the columns", in: fires(`{"alertname":"A"}`), graph: "a,b\n1,2\n", errors: "graph.csv"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := []string{"--format", "json"}
			if tc.graph != "" {
				path := filepath.Join(t.TempDir(), "graph.csv")
				require.NoError(t, os.WriteFile(path, []byte(tc.graph), 0o600))
				args = append(args, "--topology", path)
			}
			code, out, errs := correlateTool(t, tc.in, args...)
			if tc.errors != "" {
				require.Equal(t, exitFailure, code, out)
				require.Contains(t, errs, tc.errors)
				return
			}
			require.Equal(t, exitOK, code, errs)
			var got struct {
				Incidents []struct {
					Members []string
					Causes  []struct{ Confidence float64 }
				}
			}
			require.NoError(t, json.Unmarshal([]byte(out), &got))
			members := 0
			for _, i := range got.Incidents {
				members += len(i.Members)
				for _, c := range i.Causes {
					require.True(t, c.Confidence >= 0 && c.Confidence <= 1)
				}
			}
			require.Equal(t, tc.alerts, members)
		})
	}
}
