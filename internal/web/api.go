package web

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/access"
)

// defaultLimit bounds lists of the API that ask for no limit of their own.
const (
	defaultLimit = 1000
	maxLimit     = 100_000
)

// limitOf reads the parameter limit; 0 and absent mean the default.
func limitOf(r *http.Request) (int, bool) {
	s := r.FormValue("limit")
	if s == "" {
		return defaultLimit, true
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, false
	}
	if n == 0 {
		n = defaultLimit
	}
	return min(n, maxLimit), true
}

// numberOf is a parameter that counts; 0 when it is absent.
func numberOf(r *http.Request, name string) (int, bool) {
	s := r.FormValue(name)
	if s == "" {
		return 0, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

func (u *UI) apiIncidents(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r)
	if !ok {
		refuse(w, http.StatusBadRequest, "bad_data", `invalid parameter "limit": want a number that is not negative`)
		return
	}
	all := u.Data.Incidents()
	out := make([]correlate.Incident, 0, min(len(all), limit))
	for _, inc := range all {
		if state := r.FormValue("state"); state != "" && inc.State != state || !mentions(&inc, r.FormValue("q")) {
			continue
		}
		if len(out) == limit {
			break
		}
		out = append(out, inc)
	}
	reply(w, out)
}

func (u *UI) apiIncident(w http.ResponseWriter, r *http.Request) {
	inc, ok := u.Data.Incident(r.PathValue("id"))
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", "there is no incident "+strconv.Quote(r.PathValue("id")))
		return
	}
	inc.Timeline = course(&inc, u.Data.Proposals(inc.ID))
	reply(w, inc)
}

func (u *UI) apiSearch(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r)
	if !ok || r.FormValue("q") == "" {
		refuse(w, http.StatusBadRequest, "bad_data", `want words in the parameter "q", and a number that is not negative in "limit" if any`)
		return
	}
	found := u.Data.Search(r.FormValue("q"), limit)
	if found == nil {
		found = []Found{}
	}
	reply(w, found)
}

func (u *UI) apiSimilar(w http.ResponseWriter, r *http.Request) {
	if _, ok := u.Data.Incident(r.PathValue("id")); !ok {
		refuse(w, http.StatusNotFound, "not_found", "there is no incident "+strconv.Quote(r.PathValue("id")))
		return
	}
	similar := u.Data.Similar(r.PathValue("id"))
	if similar == nil {
		similar = []Similar{}
	}
	reply(w, similar)
}

// feedbackBody is what POST /api/v1/incidents/ID/feedback takes.
type feedbackBody struct {
	// Verdict is confirm or reject.
	Verdict string `json:"verdict"`
	// Cause is what it really was; empty confirms the first cause.
	Cause string `json:"cause"`
	// Fixed is what ended it, in words; may be empty.
	Fixed string `json:"fixed"`
}

func (u *UI) apiFeedback(w http.ResponseWriter, r *http.Request) {
	by, why := u.who(r, access.Ack)
	if why != "" {
		refuse(w, http.StatusForbidden, "forbidden", why)
		return
	}
	var body feedbackBody
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil || body.Verdict != "confirm" && body.Verdict != "reject" {
		refuse(w, http.StatusBadRequest, "bad_data", `want {"verdict": "confirm"|"reject", "cause": "what it was", "fixed": "what ended it"}`)
		return
	}
	if err := u.Data.Feedback(r.PathValue("id"), by, body.Verdict == "confirm", body.Cause); err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", err.Error())
		return
	}
	if body.Fixed != "" {
		if err := u.Data.Fixed(r.PathValue("id"), body.Fixed); err != nil {
			refuse(w, http.StatusBadRequest, "bad_data", err.Error())
			return
		}
	}
	reply(w, nil)
}

func (u *UI) apiSeries(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r)
	if !ok {
		refuse(w, http.StatusBadRequest, "bad_data", `invalid parameter "limit": want a number that is not negative`)
		return
	}
	offset, ok := numberOf(r, "offset")
	if !ok {
		refuse(w, http.StatusBadRequest, "bad_data", `invalid parameter "offset": want a number that is not negative`)
		return
	}
	rows, total := u.Data.Series(SeriesFilter{
		Query: r.FormValue("q"), Watch: r.FormValue("watch"), OnlyAnomalous: r.FormValue("anomalous") != "", Limit: limit, Offset: offset, Explain: r.FormValue("explain") != "",
	})
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	if rows == nil {
		rows = []SeriesRow{}
	}
	reply(w, rows)
}

// apiPoint is one sample of a chart; what is not a number is null.
type apiPoint struct {
	T        int64    `json:"t"`
	Value    *float64 `json:"value"`
	Expected *float64 `json:"expected"`
	Lower    *float64 `json:"lower"`
	Upper    *float64 `json:"upper"`
	Score    *float64 `json:"score"`
}

// Finite is a pointer to v, or nil where JSON has no number for it.
func Finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (u *UI) apiPoints(w http.ResponseWriter, r *http.Request) {
	d, ok := u.Data.SeriesDetail(r.FormValue("watch"), r.FormValue("labels"))
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", "no such series is watched")
		return
	}
	points := make([]apiPoint, 0, len(d.Points))
	for _, p := range d.Points {
		points = append(points, apiPoint{p.Time, Finite(p.Value), Finite(p.Expected), Finite(p.Lower), Finite(p.Upper), Finite(p.Score)})
	}
	reply(w, points)
}

func (u *UI) apiTopology(w http.ResponseWriter, _ *http.Request) {
	edges := u.Data.Topology()
	if edges == nil {
		edges = []Edge{}
	}
	reply(w, map[string]any{"edges": edges})
}

func (u *UI) apiStatus(w http.ResponseWriter, _ *http.Request) { reply(w, u.Data.Status()) }
