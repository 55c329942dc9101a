package web

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/correlate"
)

// Claims of incidents that no metric holds have a path of this API as their query; here they are answered.

// timeOf reads a parameter as RFC 3339 or Unix seconds; absent: the zero time.
func timeOf(r *http.Request, name string) (time.Time, bool) {
	s := r.FormValue(name)
	if s == "" {
		return time.Time{}, true
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e11 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

func (u *UI) apiCoverage(w http.ResponseWriter, r *http.Request) {
	start, ok := timeOf(r, "start")
	if !ok || start.IsZero() || r.FormValue("cause") == "" {
		refuse(w, http.StatusBadRequest, "bad_data", `want a cause as the incident's evidence names it, such as "service db", in the parameter "cause" and a time in "start"`)
		return
	}
	c, ok := u.Data.Coverage(r.PathValue("id"), r.FormValue("cause"), start)
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", "there is no incident "+strconv.Quote(r.PathValue("id"))+" in memory, or "+strconv.Quote(r.FormValue("cause"))+" can't be its cause")
		return
	}
	reply(w, c)
}

func (u *UI) apiChanges(w http.ResponseWriter, r *http.Request) {
	f := correlate.ChangeFilter{Kind: r.FormValue("kind"), Text: r.FormValue("text"), Entity: r.FormValue("entity")}
	for name, at := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		var ok bool
		if *at, ok = timeOf(r, name); !ok {
			refuse(w, http.StatusBadRequest, "bad_data", "invalid parameter "+strconv.Quote(name)+": want a time such as 2026-11-22T10:00:00Z, or Unix seconds")
			return
		}
	}
	limit, ok := limitOf(r)
	if !ok {
		refuse(w, http.StatusBadRequest, "bad_data", `invalid parameter "limit": want a number that is not negative`)
		return
	}
	all := u.Data.Changes(f)
	reply(w, all[max(0, len(all)-limit):])
}
