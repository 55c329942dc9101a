package web_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
)

func TestClaimsThatNoMetricHoldsAreAnswered(t *testing.T) {
	h := serve(t, &fake{incidents: []correlate.Incident{{ID: "abc123"}}})
	for _, tc := range []struct {
		name, path, want string
		code             int
	}{
		{"coverage, at a time in seconds", "/api/v1/incidents/abc123/coverage?cause=service+db&start=1795338000.25", `{"value":1,"explained":["service db from 2026-11-22T09:00:00.25Z"]}`, http.StatusOK},
		{"coverage of an incident that is gone", "/api/v1/incidents/gone/coverage?cause=service+db&start=1795338000", "", http.StatusNotFound},
		{"coverage without a cause", "/api/v1/incidents/abc123/coverage?start=1795338000", "", http.StatusBadRequest},
		{"coverage at no time", "/api/v1/incidents/abc123/coverage?cause=x&start=NaN", "", http.StatusBadRequest},
		{
			"changes by all that tells them apart", "/api/v1/changes?from=2026-11-22T09:00:00Z&kind=deploy&text=v2&entity=api",
			`[{"time":"2026-11-22T09:00:00Z","entity":{"kind":"","name":"api"},"kind":"deploy","text":"v2"}]`, http.StatusOK,
		},
		{"changes from a time that is none", "/api/v1/changes?from=yesterday", "", http.StatusBadRequest},
		{"changes with a limit that is none", "/api/v1/changes?limit=-1", "", http.StatusBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := get(t, h, tc.path)
			require.Equal(t, tc.code, rec.Code, rec.Body.String())
			if tc.want != "" {
				var got struct{ Data json.RawMessage }
				require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &got))
				require.JSONEq(t, tc.want, string(got.Data))
			}
		})
	}
}

func TestAQueryThatIsAPathIsALink(t *testing.T) {
	e := []cause.Evidence{{Kind: "coverage", Text: "9 of 10", Query: "/api/v1/incidents/abc123/coverage?cause=service+db", Value: 9}}
	h := serve(t, &fake{incidents: []correlate.Incident{{ID: "abc123", State: "firing", Causes: []correlate.Cause{{Entity: correlate.Entity{Name: "db"}, Confidence: 0.9, Evidence: e}}}}})
	require.Contains(t, get(t, h, "/incidents/abc123").Body.String(), `<a href="../api/v1/incidents/abc123/coverage?cause=service&#43;db">`)
}
