package promread_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/promread"
)

func decodeConfig(text string) (promread.Config, error) {
	var f struct {
		Prometheus promread.Config `yaml:"prometheus"`
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	err := dec.Decode(&f)
	return f.Prometheus, err
}

func TestConfigIsRead(t *testing.T) {
	cfg, err := decodeConfig(`
prometheus:
  url: https://prometheus.example/base
  tenant: team-a
  timeout: 1m
  http_config:
    basic_auth: {username: u, password: canary}
    tls_config: {insecure_skip_verify: true}
`)
	require.NoError(t, err)
	require.Equal(t, "https://prometheus.example/base", cfg.URL.String())
	require.Equal(t, model.Duration(time.Minute), cfg.Timeout)
	require.Equal(t, 2, cfg.MaxConcurrentReads, "what is not named has its default")
	require.Equal(t, "canary", string(cfg.HTTPClientConfig.BasicAuth.Password))
	shown, err := yaml.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, string(shown), "canary")
}

func TestConfigErrorsSayWhatWouldBeRight(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no address", "{timeout: 1m}", `prometheus: url is missing: give the address of Prometheus, for example "http://localhost:9090"`},
		{"no scheme", "{url: localhost}", `prometheus: url is missing: give the address of Prometheus, for example "http://localhost:9090"`},
		{"another scheme", "{url: 'ftp://x:9090'}", `prometheus: url "ftp://x:9090": the scheme must be http or https`},
		{"the address of the read API", "{url: 'http://x:9090/api/v1/read'}", `prometheus: url "http://x:9090/api/v1/read": leave /api/v1 and what follows out, it is added`},
		{"a path without its slash", "{url: 'http://x', read_path: api}", `prometheus: read_path "api": must begin with /, the default is /api/v1/read`},
		{"many reads", "{url: 'http://x', max_concurrent_reads: 50}", `prometheus: max_concurrent_reads is 50: must be between 1 and 10`},
		{"no time", "{url: 'http://x', timeout: 0s}", `prometheus: timeout is 0s: must be between 1s and 1h`},
		{"a short slice", "{url: 'http://x', read_slice: 1s}", `prometheus: read_slice is 1s: must be between 1m and 366d`},
		{"pauses upside down", "{url: 'http://x', retry: {min_backoff: 2m}}", `prometheus: retry.max_backoff 30s is shorter than retry.min_backoff 2m`},
		{"two passwords", "{url: 'http://x', http_config: {basic_auth: {username: u, password: p, password_file: f}}}", `at most one of basic_auth password, password_file & password_ref must be configured`},
		{"an unknown field", "{url: 'http://x', ulr: y}", "yaml: unmarshal errors:\n  line 1: field ulr not found in type promread.plain"},
		{"an unknown field below", "{url: 'http://x', http_config: {basic: y}}", "yaml: unmarshal errors:\n  line 1: field basic not found in type config.plain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decodeConfig("prometheus: " + tc.text)
			require.EqualError(t, err, tc.want)
		})
	}
}

func TestCredentialsAreSent(t *testing.T) {
	var user, password string
	c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		_, _ = w.Write([]byte(success(`{}`)))
	}), func(cfg *promread.Config) {
		decoded, err := decodeConfig("prometheus: {url: 'http://x', http_config: {basic_auth: {username: reader, password: canary}}}")
		require.NoError(t, err)
		cfg.HTTPClientConfig = decoded.HTTPClientConfig
	})
	_, err := c.BuildInfo(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"reader", "canary"}, []string{user, password})
}
