package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/access"
	"github.com/tidemark/tidemark/internal/web"
)

var now = time.Date(2026, 11, 3, 10, 30, 0, 0, time.UTC)

// fake is Data of given incidents and series; it notes what was asked of it.
type fake struct {
	incidents []correlate.Incident
	details   map[string]web.SeriesDetail
	edges     []web.Edge
	proposals []web.Proposal
	verdicts  []string
	feedback  []string
}

func (f *fake) Incidents() []correlate.Incident {
	return append([]correlate.Incident{}, f.incidents...)
}

func (f *fake) Incident(id string) (correlate.Incident, bool) {
	for _, i := range f.incidents {
		if i.ID == id {
			return i, true
		}
	}
	return correlate.Incident{}, false
}

func (f *fake) Coverage(id, cause string, start time.Time) (correlate.Coverage, bool) {
	_, ok := f.Incident(id)
	return correlate.Coverage{Value: 1, Explained: []string{cause + " from " + start.Format(time.RFC3339Nano)}}, ok
}

func (f *fake) Changes(c correlate.ChangeFilter) []correlate.Change {
	return []correlate.Change{{Time: c.From, Kind: c.Kind, Text: c.Text, Entity: correlate.Entity{Name: c.Entity}}}
}

func (f *fake) Proposals(string) []web.Proposal {
	if f.proposals != nil {
		return f.proposals
	}
	return []web.Proposal{{ID: "p1", Runbook: "failover", Description: "Fail over.", Mode: "approve", State: "suggested", CanApprove: true}}
}

func (f *fake) Series(web.SeriesFilter) ([]web.SeriesRow, int) {
	var rows []web.SeriesRow
	for _, d := range f.details {
		rows = append(rows, d.SeriesRow)
	}
	return rows, len(rows)
}

func (f *fake) SeriesDetail(watch, labels string) (web.SeriesDetail, bool) {
	d, ok := f.details[watch+labels]
	return d, ok
}

func (f *fake) Topology() []web.Edge { return f.edges }

func (f *fake) Status() web.Status {
	return web.Status{Healthy: true, Ready: true, Since: now, Series: 2, Progress: 0.5, Config: "prometheus: {}", Watches: []web.WatchStatus{{Name: "w", Expr: "up"}}}
}

func (f *fake) Feedback(id, by string, right bool, what string) error {
	if id == "gone" {
		return errors.New("there is no incident gone")
	}
	f.feedback = append(f.feedback, fmt.Sprint(id, by, right, what))
	return nil
}

func (f *fake) Verdict(_ *http.Request, p, by string, approve bool) error {
	f.verdicts = append(f.verdicts, fmt.Sprint(p, by, approve))
	return nil
}

func (f *fake) Fixed(incident, what string) error {
	f.verdicts = append(f.verdicts, incident+" fixed by "+what)
	return nil
}

func (f *fake) Search(words string, limit int) []web.Found {
	return []web.Found{{ID: "past1", Title: words, Fixed: "fail-over"}}[:min(1, limit)]
}

func (f *fake) Similar(string) []web.Similar {
	return []web.Similar{{ID: "old", Title: "the disk again", Score: 0.9, Confirmed: "db-primary disk", Fixed: "failover"}}
}

func (f *fake) Confirmed(string) string { return "db-primary disk, said people" }

const token = "sixteen-characters"

func serve(t *testing.T, data *fake) http.Handler {
	t.Helper()
	table, err := access.New([]access.Rule{{Name: "oncall", Token: token, Role: access.Approve}}, nil)
	require.NoError(t, err)
	ui, err := web.New(web.Options{
		Logger: promslog.NewNopLogger(), Data: data, Access: func() *access.Table { return table },
		ExternalURL: "http://tidemark.example", Prefix: "/tm", Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	ui.Register(mux)
	return mux
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

// incident is one with everything a page shows, hostile where people write text.
func incident(text string) correlate.Incident {
	l := model.LabelSet{"alertname": model.LabelValue("Alert" + text), "instance": model.LabelValue(text), "team": "shop"}
	return correlate.Incident{
		ID: "abc123", State: correlate.StateFiring, Severity: "critical", Title: "database degradation " + text, Summary: text,
		Start: now.Add(-10 * time.Minute), FirstAlert: now.Add(-9 * time.Minute), Shared: model.LabelSet{"team": "shop"},
		Alerts:    []correlate.Member{{Labels: l, StartsAt: now.Add(-9 * time.Minute), Status: "firing", Entity: correlate.Entity{Kind: "service", Name: "db" + text}}},
		Anomalies: []correlate.Anomaly{{Watch: "disk", Labels: model.LabelSet{"a": model.LabelValue(text)}, Since: now.Add(-10 * time.Minute), Text: text, Score: 3}},
		Changes:   []correlate.Change{{Time: now.Add(-11 * time.Minute), Kind: "deploy", Text: text, Entity: correlate.Entity{Name: text}}},
		Causes: []correlate.Cause{
			{Entity: correlate.Entity{Kind: "service", Name: "db-primary" + text}, Resource: "disk", Confidence: 0.82, Text: text, Evidence: []cause.Evidence{{For: true, Text: text, Query: "up" + text, Value: 1}, {Text: "against " + text}}},
			{Entity: correlate.Entity{Kind: "service", Name: "web"}, Confidence: 0.1},
		},
		Affected: []correlate.Count{{Noun: "web servers", N: 12, Names: []string{text}}}, Path: []correlate.Hop{{Entity: correlate.Entity{Name: text}, State: text}},
		Timeline: []correlate.Entry{{Time: now, Kind: "alert", Text: text}}, RunbookURL: "javascript:alert(1)", Action: text,
	}
}

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}` + "\x1b[31m"

func TestEveryPageRendersAndHostileTextStaysText(t *testing.T) {
	points := make([]web.Point, 20)
	for i := range points {
		points[i] = web.Point{Time: now.Add(time.Duration(i-20) * time.Minute).UnixMilli(), Value: float64(i), Expected: 5, Lower: 3, Upper: math.Inf(1)}
	}
	points[3].Value = math.NaN()
	inc := incident(hostile)
	key := inc.Anomalies[0].Labels.String()
	data := &fake{
		incidents: []correlate.Incident{inc},
		details: map[string]web.SeriesDetail{"disk" + key: {
			SeriesRow: web.SeriesRow{
				Watch: "disk", Labels: key, State: "ready", Withheld: true,
				SeriesWhy: &web.SeriesWhy{
					Expr: hostile, Explanation: hostile, Season: hostile, Forecasts: []web.ForecastRow{{Horizon: "1h", Expected: &points[1].Value}},
					Limit: &web.LimitRow{Limit: 90}, Contributors: []web.Contributor{{Labels: hostile, Share: 1}}, Evidence: []web.DetectorSays{{Detector: hostile}},
				},
			},
			Points: points, Profile: []float64{1, 2, 3},
		}},
		edges: []web.Edge{{From: "web" + hostile, To: "db", Kind: "call", Source: hostile, Confidence: 1}, {From: "db", To: "web" + hostile, Kind: "call"}},
	}
	h := serve(t, data)
	for _, path := range []string{
		"/", "/incidents?q=database", "/incidents?q=" + url.QueryEscape(hostile), "/incidents/abc123", "/series?q=" + url.QueryEscape(hostile),
		"/series?watch=disk&labels=" + url.QueryEscape(key), "/topology", "/status",
	} {
		rec := get(t, h, path)
		require.Equal(t, http.StatusOK, rec.Code, path)
		body := rec.Body.String()
		require.NotContains(t, body, "<script>alert", path)
		require.NotContains(t, body, "<img src=x", path)
		require.NotContains(t, body, `href="javascript:`, path)
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'self'", path)
		require.Contains(t, body, `href="/tm/static/tidemark.css"`, path)
		require.NotContains(t, body, " style=", "inline style breaks the policy: "+path)
		require.NotContains(t, body, "ZgotmplZ", path)
	}
}

func TestIncidentOfTenThousandAlertsStaysReadable(t *testing.T) {
	inc := incident("")
	inc.Alerts = nil
	for i := range 10_000 {
		inc.Alerts = append(inc.Alerts, correlate.Member{
			Labels: model.LabelSet{"alertname": "Slow", "instance": model.LabelValue(fmt.Sprint("web-", i))}, StartsAt: now, Status: "firing",
			Entity: correlate.Entity{Name: fmt.Sprint("web-", i)},
		})
	}
	rec := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Less(t, rec.Body.Len(), 100_000)
	require.Contains(t, rec.Body.String(), "and 9950 more")
}

func TestWhatDoesNotExistIsA404WithAWayBack(t *testing.T) {
	h := serve(t, &fake{})
	for _, path := range []string{"/incidents/none", "/series?watch=none", "/api/v1/incidents/none", "/api/v1/series/points?watch=none"} {
		require.Equal(t, http.StatusNotFound, get(t, h, path).Code, path)
	}
}

func TestAPISpeaksThePrometheusEnvelope(t *testing.T) {
	h := serve(t, &fake{incidents: []correlate.Incident{incident("")}})
	for path, size := range map[string]int{
		"/api/v1/incidents": 1, "/api/v1/incidents?state=resolved": 0, "/api/v1/incidents?q=database": 1, "/api/v1/incidents?q=nothing": 0, "/api/v1/series": 0,
	} {
		rec := get(t, h, path)
		var body struct {
			Status string
			Data   []json.RawMessage
		}
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &body), path)
		require.Equal(t, "success", body.Status)
		require.Len(t, body.Data, size, path)
	}
	rec := get(t, h, "/api/v1/incidents?limit=x")
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.JSONEq(t, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": want a number that is not negative"}`, rec.Body.String())
}

func post(h http.Handler, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestOnlyWhoHasTheRoleActs(t *testing.T) {
	data := &fake{incidents: []correlate.Incident{incident("")}}
	h := serve(t, data)
	path := "/incidents/abc123/proposals/p1"
	require.Equal(t, http.StatusForbidden, post(h, path, "verdict=approve").Code, "without a token")
	require.Equal(t, http.StatusForbidden, post(h, path, "verdict=approve&token=wrong-wrong-wrong").Code)
	require.Equal(t, http.StatusForbidden, post(h, path, "verdict=approve&token="+token, "Sec-Fetch-Site", "cross-site").Code, "from another site")
	require.Empty(t, data.verdicts)
	rec := post(h, path, "verdict=approve&token="+token, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusSeeOther, rec.Code)
	require.Equal(t, "/tm/incidents/abc123#do", rec.Header().Get("Location"))
	require.Equal(t, http.StatusSeeOther, post(h, path, "verdict=reject", "Authorization", "Bearer "+token).Code)
	require.Equal(t, []string{"p1oncalltrue", "p1oncallfalse"}, data.verdicts)
}

func TestFeedbackComesFromThePageAndTheAPI(t *testing.T) {
	data := &fake{incidents: []correlate.Incident{incident("")}}
	h := serve(t, data)
	require.Equal(t, http.StatusSeeOther, post(h, "/incidents/abc123/feedback", "verdict=reject&cause=dns&token="+token).Code)
	auth := []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
	require.Equal(t, http.StatusOK, post(h, "/api/v1/incidents/abc123/feedback", `{"verdict":"confirm"}`, auth...).Code)
	require.Equal(t, http.StatusBadRequest, post(h, "/api/v1/incidents/abc123/feedback", `{"verdict":"maybe"}`, auth...).Code)
	require.Equal(t, http.StatusBadRequest, post(h, "/api/v1/incidents/gone/feedback", `{"verdict":"confirm"}`, auth...).Code)
	require.Equal(t, []string{"abc123oncallfalsedns", "abc123oncalltrue"}, data.feedback)
}

func TestMarkdownCarriesTheSameAndNoMarkup(t *testing.T) {
	inc := incident("*x* `y` <b>")
	inc.RuledOut = []cause.RuledOut{{Entity: "api", Text: "it waits for db"}}
	require.Contains(t, web.Markdown(&inc, ""), "- not api: it waits for db")
	require.Contains(t, get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String(), "<summary>Ruled out (1)</summary>")
	md := web.Markdown(&inc, "http://tidemark.example/incidents/abc123")
	require.Contains(t, md, `**Probable cause: db-primary\*x\* 'y' &lt;b&gt; disk**, confidence 82 %`)
	require.NotContains(t, regexp.MustCompile("`[^`]*`").ReplaceAllString(md, ""), "<b>", "only a query, as code, is as it was written")
}

func TestWhatGoesOverTheWireIsCompressed(t *testing.T) {
	h := serve(t, &fake{incidents: []correlate.Incident{incident("")}})
	total := 0
	for _, path := range []string{"/incidents", "/static/tidemark.css", "/static/htmx.min.js"} {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept-Encoding", "br, gzip")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"), path)
		require.Less(t, rec.Body.Len(), get(t, h, path).Body.Len(), path)
		total += rec.Body.Len()
	}
	require.Less(t, total, 60<<10, "first load of the list")
	require.Equal(t, http.StatusNotFound, get(t, h, "/static/none.js").Code)
}

func TestTheMapShowsTheCauseAndWhatItReached(t *testing.T) {
	inc := incident("")
	inc.Path = []correlate.Hop{{Entity: correlate.Entity{Name: "db-primary"}}, {Entity: correlate.Entity{Name: "web"}}}
	inc.Causes[0].Start = inc.Start
	body := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/incidents/abc123").Body.String()
	require.Contains(t, body, `class="node bad root"`)
	require.Contains(t, body, ">web</text>")
	require.Contains(t, body, ">first</text>", "when the trouble of the cause began")
}

func TestAFormFromAnotherOriginIsRefusedWithAPage(t *testing.T) {
	data := &fake{incidents: []correlate.Incident{incident("")}}
	rec := post(serve(t, data), "/incidents/abc123/proposals/p1", "verdict=approve&token="+token, "Origin", "https://evil.example")
	require.Equal(t, http.StatusForbidden, rec.Code)
	require.Contains(t, rec.Body.String(), `<a href="/tm/incidents/abc123">Back to the incident</a>`)
	require.Empty(t, data.verdicts)
}

func TestWhatJSONCannotHoldIsAnErrorAndNoEmptySuccess(t *testing.T) {
	inc := incident("x")
	inc.Causes[0].Evidence[0].Value = math.NaN()
	rec := get(t, serve(t, &fake{incidents: []correlate.Incident{inc}}), "/api/v1/incidents/abc123")
	require.Equal(t, http.StatusInternalServerError, rec.Code)
	require.Contains(t, rec.Body.String(), `"status":"error"`)
}

func TestALimitIsToldInWords(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	for want, l := range map[string]web.LimitRow{
		"90 is not crossed within 30 days, as far as the trend tells": {Limit: 90},
		"90 is crossed in about 3 d (2 d to 6 d)":                     {Limit: 90, Seconds: f(259200), Lower: f(180000), Upper: f(518400)},
		"90 is crossed in about 30 min (20 min to an unknown time)":   {Limit: 90, Seconds: f(1800), Lower: f(1200)},
		"90 is crossed already":                                       {Limit: 90, Seconds: f(0), Lower: f(0), Upper: f(0)},
		"90 is crossed in about 5 h":                                  {Limit: 90, Seconds: f(18000)},
	} {
		require.Equal(t, want, l.Say(""))
	}
}

func TestAServiceIsUnwellWithItsInstancesAndNoEdgePassesBehindABox(t *testing.T) {
	inc := incident("")
	inc.Path = nil
	inc.Causes[0].Entity.Name = "db"
	member := func(name string, after time.Duration) correlate.Member {
		return correlate.Member{Labels: model.LabelSet{"alertname": "A"}, StartsAt: inc.Start.Add(after), Status: "firing", Entity: correlate.Entity{Name: name}}
	}
	inc.Alerts = []correlate.Member{member("web-1", 20*time.Second), member("api", 30*time.Second), member("db", time.Second)}
	edges := []web.Edge{
		{From: "web", To: "api", Kind: "call"},
		{From: "api", To: "db", Kind: "call"},
		{From: "web", To: "db", Kind: "call"},
		{From: "web", To: "web-1", Kind: "owns", ToKind: "instance"},
	}
	h := serve(t, &fake{incidents: []correlate.Incident{inc}, edges: edges})
	body := get(t, h, "/incidents/abc123").Body.String()
	require.Regexp(t, `>web</text><text class="note"[^>]*>\+20 s</text>`, body, "web has the trouble of web-1")

	page := get(t, h, "/topology").Body.String()
	require.Contains(t, page, `calls</td>`)
	require.Contains(t, page, `web-1 <span class="muted">instance</span>`)
	require.Regexp(t, `class="edge" d="M[0-9. ]+C[0-9. ]+H[0-9.]+C`, page, "the edge over a layer has a place of its own in it")
}

func TestAScoreThatIsNoAnomalyHasNoKind(t *testing.T) {
	v, calm := 1.5, 1.9e-7
	h := serve(t, &fake{details: map[string]web.SeriesDetail{"w{}": {SeriesRow: web.SeriesRow{Watch: "w", Labels: "{}", Value: &v, Score: &calm, Kind: "shift"}}}})
	body := get(t, h, "/series?watch=w&labels=%7B%7D").Body.String()
	require.NotContains(t, body, "shift")
	require.Contains(t, body, "0.00")
	require.Contains(t, body, "The same is expected all day")
}
