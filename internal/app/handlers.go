package app

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/tidemark/tidemark/internal/access"
)

// serve hands a request to the session that works now.
func (a *App) serve(w http.ResponseWriter, r *http.Request) {
	s := a.current()
	if s == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "loading the configuration", http.StatusServiceUnavailable)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// lifecycle adds health, readiness, reload, quit and profiles.
func (a *App) lifecycle(mux *http.ServeMux, s *session) {
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Tidemark is Healthy.\n"))
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !s.scorer.learned.Load() {
			http.Error(w, "Tidemark is not ready: it is learning the history; /status shows how far.", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("Tidemark is Ready.\n"))
	})
	guarded := func(fn http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !a.opts.EnableLifecycle {
				http.Error(w, "Lifecycle API is not enabled: start with --web.enable-lifecycle.", http.StatusForbidden)
				return
			}
			fn(w, r)
		}
	}
	mux.HandleFunc("POST /-/reload", guarded(func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Reload(); err != nil {
			a.logger.Error("Reloading failed, the running configuration stays", "err", err)
			http.Error(w, "failed to reload config: "+err.Error(), http.StatusInternalServerError)
		}
	}))
	mux.HandleFunc("POST /-/quit", guarded(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Requesting termination... Goodbye!\n"))
		a.quitOnce.Do(func() { close(a.quit) })
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// runbookRoutes adds the API of the runbooks with the session's idea of who may act.
func (a *App) runbookRoutes(mux *http.ServeMux, s *session) {
	for pattern, h := range a.runbooks.Handlers(func(r *http.Request) (string, bool) { return s.access.Who(r, access.Approve) }) {
		mux.Handle(pattern, h)
	}
}

// externalURL is where people reach Tidemark, without a slash at the end.
func (a *App) externalURL() string {
	if u := a.opts.ExternalURL; u != nil && u.Host != "" {
		return strings.TrimSuffix(u.String(), "/")
	}
	host := (*a.opts.Web.WebListenAddresses)[0]
	if a.server != nil {
		host = a.server.Addr()
	}
	if strings.HasPrefix(host, ":") {
		host = "localhost" + host
	}
	return "http://" + strings.Replace(host, "[::]", "localhost", 1) + routePrefix(a.opts)
}
