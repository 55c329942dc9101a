package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/rules"
)

func TestWhatAServerWithoutRulesIsWatchedFor(t *testing.T) {
	for name, c := range map[string]struct {
		missing []string // Paths that are answered 404.
		broken  string   // One that is answered 400.
		want    []string
		err     string
	}{
		"rules and names":                   {want: []string{"load"}},
		"no rules, as Cortex without ruler": {missing: []string{"/rules"}, want: []string{"load"}},
		"neither: that is another server":   {missing: []string{"/rules", "/label"}, err: "metric names"},
		"rules that are refused":            {broken: "/rules", err: "read the rules of Prometheus"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, m := range c.missing {
					if strings.Contains(r.URL.Path, m) {
						http.NotFound(w, r)
						return
					}
				}
				if c.broken != "" && strings.Contains(r.URL.Path, c.broken) {
					http.Error(w, "no", http.StatusBadRequest)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				body := `{"status":"success","data":[]}`
				if strings.HasSuffix(r.URL.Path, "/rules") {
					body = `{"status":"success","data":{"groups":[]}}`
				}
				_, _ = io.WriteString(w, body)
			}))
			defer srv.Close()
			u, err := url.Parse(srv.URL)
			require.NoError(t, err)
			cfg := promread.DefaultConfig()
			cfg.URL = &commoncfg.URL{URL: u}
			prom, err := promread.New(cfg, promslog.NewNopLogger(), prometheus.NewRegistry())
			require.NoError(t, err)
			defer prom.Close()
			s := &session{
				app: &App{now: time.Now}, logger: slog.New(slog.DiscardHandler), prom: prom,
				cfg: &config.Config{Watches: []rules.Watch{{Name: "load", Expr: "load", Interval: model.Duration(time.Minute)}}},
			}
			watches, err := s.discover(t.Context())
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, w := range watches {
				got = append(got, w.Name)
			}
			require.Equal(t, c.want, got)
		})
	}
}
