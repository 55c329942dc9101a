package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// RequestHeader must be sent, with any value, on every request that changes something. A browser
// sends a header of this kind to another site only after that site agreed, which Tidemark never
// does: this is what keeps other pages from acting in a user's name.
const RequestHeader = "X-Tidemark-Request"

// HeadTrailer follows the audit log that the API serves: where the chain ends now.
const HeadTrailer = "Tidemark-Audit-Head"

// maxRequest bounds the body of a request.
const maxRequest = 16 << 10

// Users tells who makes a request, and whether they may change something; the name stands in the
// audit log. An empty name or false means no.
type Users func(r *http.Request) (name string, may bool)

// RunbookView is a configured runbook as the API shows it, without secrets.
type RunbookView struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Mode        Mode     `json:"mode"`
	Matchers    []string `json:"matchers"`
	Method      string   `json:"method"`
	URL         string   `json:"url"`
	Signed      bool     `json:"signed"`
	Idempotent  bool     `json:"idempotent"`
	Limits      Limits   `json:"limits"`
	Roles       []string `json:"roles,omitempty"`
	// Results counts the calls that ended, by verdict.
	Results map[Verdict]int `json:"results"`
}

// Overview is the answer of GET /api/v1/runbooks.
type Overview struct {
	Pause     Pause         `json:"pause"`
	Runbooks  []RunbookView `json:"runbooks"`
	Proposals []Proposal    `json:"proposals"`
}

// DryRun is what would be sent now, and what stands against it.
type DryRun struct {
	Proposal Proposal          `json:"proposal"`
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     json.RawMessage   `json:"body"`
	// Addresses are what the host resolves to now, each allowed or refused and why.
	Addresses []string `json:"addresses"`
	// Against lists what would keep the call from being made now; empty: an approval would do it.
	Against []string `json:"against"`
}

// Overview returns everything there is to see.
func (m *Manager) Overview() Overview {
	o := Overview{Pause: m.Paused(), Proposals: m.List()}
	results := map[string]map[Verdict]int{}
	for _, p := range o.Proposals {
		if p.Verdict == "" {
			continue
		}
		if results[p.Runbook] == nil {
			results[p.Runbook] = map[Verdict]int{}
		}
		results[p.Runbook][p.Verdict]++
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, name := range m.order {
		c := &m.runners[name].cfg
		o.Runbooks = append(o.Runbooks, RunbookView{
			Name: name, Description: c.Description, Mode: c.Mode, Matchers: c.Matchers.Strings(), Method: c.Method,
			URL: c.printableURL(), Signed: c.signed(), Idempotent: c.Idempotent, Limits: c.Limits, Roles: c.Roles,
			Results: results[name],
		})
	}
	return o
}

func (r *Runbook) signed() bool { return r.Secret != "" || r.SecretFile != "" }

// DryRun shows what an approval would send. Nothing is sent; the host's name is resolved. That
// somebody looked is recorded.
func (m *Manager) DryRun(ctx context.Context, id, by string) (DryRun, error) {
	p, err := m.Get(id)
	if err != nil {
		return DryRun{}, err
	}
	r := m.runner(p.Runbook)
	if r == nil {
		return DryRun{}, refuse("runbook %q is no longer configured", p.Runbook)
	}
	d := DryRun{Proposal: p, Method: r.cfg.Method, URL: r.cfg.printableURL(), Body: p.Body, Headers: map[string]string{
		"Content-Type": "application/json", headerID: p.Key, headerKey: p.Key,
	}}
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Headers)) {
		d.Headers[name] = "<secret>"
	}
	if _, err := r.cfg.keys(); err != nil {
		d.Against = append(d.Against, err.Error())
	} else if r.cfg.signed() {
		d.Headers[headerTimestamp], d.Headers[headerSignature] = "<seconds of the attempt>", "<signature>"
	}
	if p.State != StateSuggested && p.State != StateUnknown {
		d.Against = append(d.Against, fmt.Sprintf("the proposal is %s", p.State))
	}
	if err := m.mayStart(&p, by); err != nil {
		d.Against = append(d.Against, err.Error())
	}
	var against []string
	d.Addresses, against = r.resolve(ctx)
	d.Against = append(d.Against, against...)
	e := event("dry_run", by, p)
	if _, err := m.deps.Audit.Append(e); err != nil {
		return DryRun{}, fmt.Errorf("record dry run: %w", err)
	}
	return d, nil
}

// resolve judges every address of the URL's host.
func (r *runner) resolve(ctx context.Context) (addresses, against []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u, err := url.Parse(r.cfg.URL)
	if err != nil {
		return nil, []string{"the URL cannot be parsed"}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, []string{fmt.Sprintf("host %q cannot be resolved", u.Hostname())}
	}
	refused := 0
	for _, ip := range ips {
		if err := r.cfg.guard.check(netip.AddrFrom16(ip.As16()).Unmap()); err != nil {
			addresses = append(addresses, err.Error())
			refused++
			continue
		}
		addresses = append(addresses, ip.Unmap().String()+" allowed")
	}
	if refused == len(ips) {
		against = append(against, "no address of the host may be called")
	}
	return addresses, against
}

// Handlers returns the API by pattern, for a http.ServeMux:
//
//	GET  /api/v1/runbooks                            Overview
//	GET  /api/v1/runbooks/proposals/{id}             Proposal
//	POST /api/v1/runbooks/proposals/{id}/approve     Proposal; also reject
//	POST /api/v1/runbooks/proposals/{id}/dry-run     DryRun
//	GET  /api/v1/audit                               the audit log, its head in the trailer
//	POST /-/actions/pause, /-/actions/resume         Pause; body {"reason": "…"} is optional
//
// Answers are in the envelope of the Prometheus API. A POST needs [RequestHeader], must not come
// from another origin, and needs a user who may act.
func (m *Manager) Handlers(users Users) map[string]http.Handler {
	return map[string]http.Handler{
		"GET /api/v1/runbooks": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, m.Overview())
		}),
		"GET /api/v1/runbooks/proposals/{id}": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := m.Get(r.PathValue("id"))
			respond(w, p, err)
		}),
		"GET /api/v1/audit": http.HandlerFunc(m.serveAudit),
		"POST /api/v1/runbooks/proposals/{id}/approve": acting(users, func(r *http.Request, by string) (any, error) {
			return m.Approve(r.Context(), r.PathValue("id"), by)
		}),
		"POST /api/v1/runbooks/proposals/{id}/reject": acting(users, func(r *http.Request, by string) (any, error) {
			return m.Reject(r.Context(), r.PathValue("id"), by)
		}),
		"POST /api/v1/runbooks/proposals/{id}/dry-run": acting(users, func(r *http.Request, by string) (any, error) {
			return m.DryRun(r.Context(), r.PathValue("id"), by)
		}),
		"POST /-/actions/pause": acting(users, func(r *http.Request, by string) (any, error) {
			reason, err := reasonOf(r)
			if err != nil {
				return nil, err
			}
			err = m.Pause(r.Context(), by, reason)
			return m.Paused(), err
		}),
		"POST /-/actions/resume": acting(users, func(r *http.Request, by string) (any, error) {
			reason, err := reasonOf(r)
			if err != nil {
				return nil, err
			}
			err = m.Resume(r.Context(), by, reason)
			return m.Paused(), err
		}),
	}
}

// errBadRequest marks a request that cannot be understood.
var errBadRequest = errors.New("bad request")

func reasonOf(r *http.Request) (string, error) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
	if err != nil {
		return "", fmt.Errorf("%w: the body is longer than %d bytes or cannot be read", errBadRequest, maxRequest)
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return "", nil
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return "", fmt.Errorf(`%w: want a JSON object such as {"reason": "maintenance"}`, errBadRequest)
	}
	return body.Reason, nil
}

// acting guards a handler that changes something.
func acting(users Users, fn func(r *http.Request, by string) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(RequestHeader) == "" {
			fail(w, http.StatusForbidden, "forbidden", "header "+RequestHeader+" is missing: send it with the value 1, it proves that no other web page makes this request")
			return
		}
		if !sameOrigin(r) {
			fail(w, http.StatusForbidden, "forbidden", "the request comes from another origin")
			return
		}
		by, may := users(r)
		switch {
		case by == "":
			fail(w, http.StatusUnauthorized, "unauthorized", "actions need a user: configure one in the web configuration and in roles, and send its credentials")
			return
		case !may:
			fail(w, http.StatusForbidden, "forbidden", fmt.Sprintf("user %q may not act: role approve is needed", by))
			return
		}
		data, err := fn(r, by)
		respond(w, data, err)
	})
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
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func (m *Manager) serveAudit(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jsonl")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Trailer", HeadTrailer)
	head, err := m.deps.Audit.Snapshot(w)
	if err != nil {
		m.log.Warn("Audit log could not be served", "err", err)
		panic(http.ErrAbortHandler) // Cut the answer, so that it cannot pass for a whole log.
	}
	w.Header().Set(HeadTrailer, head.String())
}

// respond writes data or the status that belongs to err.
func respond(w http.ResponseWriter, data any, err error) {
	var refused *RefusedActionError
	switch {
	case err == nil:
		reply(w, data)
	case errors.Is(err, ErrNotFound):
		fail(w, http.StatusNotFound, "not_found", err.Error())
	case errors.Is(err, errBadRequest):
		fail(w, http.StatusBadRequest, "bad_data", err.Error())
	case errors.Is(err, ErrNotYours):
		fail(w, http.StatusForbidden, "forbidden", err.Error())
	case errors.As(err, &refused), errors.Is(err, ErrPaused):
		fail(w, http.StatusConflict, "conflict", err.Error())
	default:
		fail(w, http.StatusServiceUnavailable, "unavailable", err.Error())
	}
}

func reply(w http.ResponseWriter, data any) {
	write(w, http.StatusOK, map[string]any{"status": "success", "data": data})
}

func fail(w http.ResponseWriter, code int, kind, text string) {
	write(w, code, map[string]any{"status": "error", "errorType": kind, "error": text})
}

func write(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encoding the answer failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(data)
}

var _ Audit = (*audit.Log)(nil)
