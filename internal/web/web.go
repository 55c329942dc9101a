// Package web serves the pages that people read and the API below /api/v1 that programs read. Every
// page is rendered on the server and complete without JavaScript.
package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/version"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/access"
	"github.com/tidemark/tidemark/rules"
)

//go:embed static templates
var files embed.FS

// Data is what the pages and the API show. Implementations are safe for concurrent use and give
// copies that the caller may keep.
type Data interface {
	// Incidents are all that are kept, firing ones first, then the newest first.
	Incidents() []correlate.Incident
	Incident(id string) (correlate.Incident, bool)
	// Coverage explains the members of an incident again by one cause.
	Coverage(incident, cause string, start time.Time) (correlate.Coverage, bool)
	// Changes are those that are known, in order of time.
	Changes(f correlate.ChangeFilter) []correlate.Change
	// Proposals are the runbooks suggested for an incident.
	Proposals(incident string) []Proposal
	// Series are the watched series that match the filter, and how many there are in all.
	Series(f SeriesFilter) (rows []SeriesRow, total int)
	// SeriesDetail is one watched series with its recent samples.
	// labels are as SeriesRow.Labels has them.
	SeriesDetail(watch, labels string) (SeriesDetail, bool)
	Topology() []Edge
	Status() Status
	// Feedback records what people said of an incident's cause.
	Feedback(incident, by string, right bool, cause string) error
	// Verdict approves or rejects a proposal.
	Verdict(r *http.Request, proposal, by string, approve bool) error
	// Similar are past incidents like this one, nearest first.
	Similar(id string) []Similar
	// Fixed notes what ended an incident, in words.
	Fixed(incident, what string) error
	// Search returns past incidents that have all these words, newest first.
	Search(words string, limit int) []Found
	// Confirmed is the cause as people know it; empty until somebody said.
	Confirmed(id string) string
}

// Options are the settings of the pages.
type Options struct {
	Logger *slog.Logger
	Data   Data
	// Access says who may approve and give feedback.
	Access func() *access.Table
	// ExternalURL is where links in incidents point to; Prefix is the path under which pages are
	// served, empty or starting with a slash.
	ExternalURL string
	Prefix      string
	Now         func() time.Time
}

// UI renders pages and answers the API.
type UI struct {
	Options
	pages map[string]*template.Template
	files map[string]asset
}

// New parses the templates.
func New(opts Options) (*UI, error) {
	u := &UI{Options: opts, pages: map[string]*template.Template{}}
	for _, name := range []string{"incidents", "incident", "series", "topology", "status", "missing", "refused"} {
		t, err := template.New(name).Funcs(u.funcs()).ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		u.pages[name] = t
	}
	var err error
	if u.files, err = assets(); err != nil {
		return nil, fmt.Errorf("read the embedded files: %w", err)
	}
	return u, nil
}

// securityPolicy lets a page load from this server only; no inline script or style.
const securityPolicy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"

// Register adds pages and API to mux.
func (u *UI) Register(mux *http.ServeMux) {
	for pattern, h := range u.Handlers() {
		mux.HandleFunc(pattern, h)
	}
}

// Handlers are the pages and the API by the pattern of a [http.ServeMux].
func (u *UI) Handlers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /static/{file}": u.static,

		"GET /{$}":            u.incidents,
		"GET /incidents":      u.incidents,
		"GET /incidents/{id}": u.incident,
		"GET /series":         u.series,
		"GET /topology":       u.topology,
		"GET /status":         u.status,

		"POST /incidents/{id}/proposals/{proposal}": u.postVerdict,
		"POST /incidents/{id}/feedback":             u.postFeedback,

		"GET /api/v1/incidents":                u.apiIncidents,
		"GET /api/v1/incidents/search":         u.apiSearch,
		"GET /api/v1/incidents/{id}":           u.apiIncident,
		"GET /api/v1/incidents/{id}/similar":   u.apiSimilar,
		"GET /api/v1/incidents/{id}/coverage":  u.apiCoverage,
		"GET /api/v1/changes":                  u.apiChanges,
		"POST /api/v1/incidents/{id}/feedback": u.apiFeedback,
		"GET /api/v1/series":                   u.apiSeries,
		"GET /api/v1/series/points":            u.apiPoints,
		"GET /api/v1/topology":                 u.apiTopology,
		"GET /api/v1/status":                   u.apiStatus,
	}
}

// page is what the layout needs, around the data of one page.
type page struct {
	Title, Page, Prefix, Version string
	Nav                          []navItem
	// Charts says that the page has charts that can be zoomed, Live that it refreshes itself: each
	// loads a script of its own, and the other pages none.
	Charts, Live bool
	Now          time.Time
	Data         any
}

type navItem struct{ Name, Path string }

var nav = []navItem{{"Incidents", "/"}, {"Series", "/series"}, {"Topology", "/topology"}, {"Status", "/status"}}

// render writes a page; it is rendered whole before the first byte goes out, so that a failure is a
// clean 500.
func (u *UI) render(w http.ResponseWriter, r *http.Request, code int, name, path, title string, data any) {
	var buf bytes.Buffer
	p := page{
		Title: title, Page: path, Prefix: u.Prefix, Version: version.Version, Nav: nav, Now: u.Now(), Data: data,
		Charts: name == "series", Live: name == "incidents" || name == "status",
	}
	if d, ok := data.(interface{ Live() bool }); ok {
		p.Live = d.Live()
	}
	err := u.pages[name].ExecuteTemplate(&buf, "layout", p)
	if err != nil {
		u.Logger.Error("Rendering a page failed", "page", name, "err", err)
		http.Error(w, "rendering the page failed; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", securityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Encoding")
	body := buf.Bytes()
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = compress(body, gzip.BestSpeed)
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

func (u *UI) missing(w http.ResponseWriter, r *http.Request, what string) {
	u.render(w, r, http.StatusNotFound, "missing", "", "Not found", what)
}

func (u *UI) funcs() template.FuncMap {
	return template.FuncMap{
		"number": Number,
		"optional": func(v *float64) string {
			if v == nil {
				return "–"
			}
			return Number(*v)
		},
		"quantity": func(v *float64, unit string) string {
			if v == nil {
				return "–"
			}
			return rules.Quantity(*v, unit)
		},
		"count": count,
		"score": func(v *float64) string {
			if v == nil {
				return "–"
			}
			return fmt.Sprintf("%.2f", *v) // 1 is the edge: a hundredth of it is fine enough.
		},
		"horizon": func(s string) string { return numberAndUnit.ReplaceAllString(s, "$1 $2") },
		"becomes": func(kind string) string { return cmp.Or(edgeWords[kind], kind) },
		"percent": func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) },
		"clock": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.UTC().Format("2006-01-02 15:04:05 UTC")
		},
		"moment": u.moment,
		"ago":    u.ago,
		"span":   u.lasted,
		"time":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"short":  func(s string) string { return clip(s, 120) },
		"long":   func(s string) string { return clip(s, 400) },
		"one":    plural,
		"join":   func(names []string) string { return strings.Join(names, ", ") },
	}
}

// ago is how long ago something was, in one unit: it is read in a hurry.
func (u *UI) ago(t time.Time) string {
	switch d := u.Now().Sub(t).Round(time.Second); {
	case t.IsZero():
		return "–"
	case d < 0:
		return "in " + oneUnit(-d)
	default:
		return oneUnit(d) + " ago"
	}
}

func oneUnit(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

// moment is a time with its zone, and how long ago that was; the day only where it is another.
func (u *UI) moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	layout, now := "2006-01-02 15:04:05 UTC", u.Now().UTC()
	if t = t.UTC(); t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		layout = "15:04:05 UTC"
	}
	return t.Format(layout) + ", " + u.ago(t)
}

// lasted is how long something went on; without an end, how long until now.
func (u *UI) lasted(start, end time.Time) string {
	if end.IsZero() {
		end = u.Now()
	}
	return Duration(end.Sub(start))
}

// numberAndUnit is a duration of one unit, such as 24h.
var numberAndUnit = regexp.MustCompile(`^(\d+)([a-z]+)$`)

// edgeWords are the kinds of edges as they are read between two names.
var edgeWords = map[string]string{"call": "calls", "owns": "owns", "host": "runs on", "uses": "uses", "in": "is in", "same": "is"}

// plural writes a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// count writes a number with its digits in groups of three (ISO 80000-1), from five digits on.
func count(n int) string {
	s := strconv.Itoa(n)
	if len(s) < 5 || n < 0 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// Duration writes d as people say it: two units at most.
func Duration(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// reply writes the Prometheus API's envelope around data; what JSON can't hold is an error, never an empty
// success.
func reply(w http.ResponseWriter, data any) {
	body, err := json.Marshal(map[string]any{"status": "success", "data": data})
	if err != nil {
		refuse(w, http.StatusInternalServerError, "internal", "the answer can't be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(body, '\n'))
}

// refuse writes the Prometheus API's envelope around an error.
func refuse(w http.ResponseWriter, code int, kind, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": kind, "error": msg})
}

// incidentURL is where people find an incident.
func (u *UI) incidentURL(id string) string {
	return strings.TrimSuffix(u.ExternalURL, "/") + "/incidents/" + url.PathEscape(id)
}
