package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tidemark/tidemark/internal/access"
)

// who finds who posts a form or calls a mutating endpoint, or says why they may not. A browser's form
// carries the token in a field; a script in the Authorization header.
func (u *UI) who(r *http.Request, want access.Role) (name, why string) {
	if !sameOrigin(r) {
		return "", "the request came from another site"
	}
	if r.Header.Get("Authorization") == "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		r.Body = http.MaxBytesReader(nil, r.Body, 64<<10)
		if token := strings.TrimSpace(r.PostFormValue("token")); token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	name, ok := u.Access().Who(r, want)
	if !ok {
		return "", "this needs the role " + string(want) + ": list who has it under roles in the configuration, and send their token or user"
	}
	return name, ""
}

// sameOrigin checks what a browser says of where a request comes from; other clients say nothing.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && strings.EqualFold(from.Host, r.Host)
}

// refusal is what a person reads whose form was not accepted.
type refusal struct{ Why, Back string }

func (u *UI) refused(w http.ResponseWriter, r *http.Request, code int, why string) {
	u.render(w, r, code, "refused", "", "Refused", refusal{why, u.Prefix + "/incidents/" + url.PathEscape(r.PathValue("id"))})
}

func (u *UI) postVerdict(w http.ResponseWriter, r *http.Request) {
	by, why := u.who(r, access.Approve)
	if why != "" {
		u.refused(w, r, http.StatusForbidden, why)
		return
	}
	if err := u.Data.Verdict(r, r.PathValue("proposal"), by, r.PostFormValue("verdict") == "approve"); err != nil {
		u.refused(w, r, http.StatusConflict, err.Error())
		return
	}
	http.Redirect(w, r, u.Prefix+"/incidents/"+url.PathEscape(r.PathValue("id"))+"#do", http.StatusSeeOther)
}

func (u *UI) postFeedback(w http.ResponseWriter, r *http.Request) {
	by, why := u.who(r, access.Ack)
	if why != "" {
		u.refused(w, r, http.StatusForbidden, why)
		return
	}
	if err := u.Data.Feedback(r.PathValue("id"), by, r.PostFormValue("verdict") == "confirm", strings.TrimSpace(r.PostFormValue("cause"))); err != nil {
		u.refused(w, r, http.StatusBadRequest, err.Error())
		return
	}
	http.Redirect(w, r, u.Prefix+"/incidents/"+url.PathEscape(r.PathValue("id"))+"#feedback", http.StatusSeeOther)
}
