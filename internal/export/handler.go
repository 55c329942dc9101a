package export

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// maxScrapes is how many scrapes may be answered at once; a further one gets 503, so that slow
// readers can't pile up.
const maxScrapes = 4

// Handler serves /metrics: what gatherer holds of ourselves first, then the watched series, in the
// text format 0.0.4 and gzipped when the client takes it. With match[]=SELECTOR, repeated as in Prometheus'
// federation, the page holds exactly the watched series that match, interesting or not, and nothing else.
func (e *Exporter) Handler(gatherer prometheus.Gatherer, logger *slog.Logger) http.Handler {
	inFlight := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case inFlight <- struct{}{}:
			defer func() { <-inFlight }()
		default:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many scrapes at once: at most 4 are answered", http.StatusServiceUnavailable)
			return
		}
		asked, err := askedFor(r)
		if err != nil {
			http.Error(w, "match[]: "+err.Error(), http.StatusBadRequest)
			return
		}
		own := gatherer
		if asked != nil {
			own = prometheus.Gatherers{}
		}
		format := expfmt.NewFormat(expfmt.TypeTextPlain)
		w.Header().Set("Content-Type", string(format))
		families, err := own.Gather()
		if err != nil {
			logger.Error("Gathering our own metrics failed", "err", err)
		}
		var out flusher = plain{w}
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			zw, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			out = zw
		}
		enc := expfmt.NewEncoder(out, format)
		for _, f := range families {
			if err := enc.Encode(f); err != nil {
				return // The client went away.
			}
		}
		if err := e.write(out, asked); err != nil {
			return
		}
		_ = out.Close()
	})
}

// askedFor reads the selectors of a request; nil when it has none.
func askedFor(r *http.Request) ([]selector, error) {
	var out []selector
	for _, text := range r.URL.Query()["match[]"] {
		s, err := parseSelector(text)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// flusher is a writer that ends with Close.
type flusher interface {
	Write(p []byte) (int, error)
	Close() error
}

type plain struct{ http.ResponseWriter }

// Close has nothing to end: the server ends the answer.
func (plain) Close() error { return nil }
