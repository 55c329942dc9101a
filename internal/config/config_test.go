package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/config"
)

func TestWrongFilesSayLineAndWhatWouldBeRight(t *testing.T) {
	const head = "prometheus:\n  url: http://localhost:9090\n"
	for name, tc := range map[string]struct{ in, want string }{
		"empty":                          {"", "1: the file is empty: at least prometheus.url is needed"},
		"no Prometheus":                  {"watches: []\n", "1: prometheus.url is missing: the address of the Prometheus to read, such as http://localhost:9090"},
		"two documents":                  {head + "---\nwatches: []\n", "1: the file holds more than one document: one is wanted"},
		"not YAML":                       {"prometheus: [\n", "1: did not find expected node content"},
		"unknown section":                {head + "watch: []\n", `3: unknown field "watch": did you mean "watches"?`},
		"unknown field":                  {head + "baseline:\n  histori: 4w\n", `4: unknown field "histori": did you mean "history"?`},
		"unknown field, nothing like it": {head + "zzz: 1\n", `3: unknown field "zzz"`},
		"duration without unit":          {head + "baseline:\n  history: 28\n", `4: not a valid duration string: "28"`},
		"history beyond reason":          {head + "baseline:\n  history: 5y\n", "4: baseline: history is 5y; it must be between 0 (learn from now on) and 400d"},
		"bad time zone":                  {head + "baseline:\n  time_zone: Mars/Olympus\n", `4: baseline: time_zone is "Mars/Olympus"; it must be a name of the IANA database such as Europe/Berlin or UTC`},
		"bad export mode":                {head + "export:\n  mode: loud\n", `4: export.mode is "loud": want "auto", "full" or "sparse"`},
		"bad PromQL": {
			head + "watches:\n  - name: x\n    expr: rate(http_requests_total[5m)\n",
			"5: watches[0] \"x\": expr: 1:28: parse error: unexpected \")\" in subquery or range, expected \":\" or \"]\"\n  rate(http_requests_total[5m)\n                             ^",
		},
		"range vector as watch": {
			head + "watches:\n  - name: x\n    expr: up[5m]\n",
			`5: watches[0] "x": expr: "up[5m]" yields a range vector: a watch needs an instant vector or a scalar, for example rate(...) of a range`,
		},
		"two watches of one name": {
			head + "watches:\n  - {name: x, expr: up}\n  - {name: x, expr: up}\n",
			`5: watches[1]: the name "x" is taken by watches[0]: names must differ`,
		},
		"unknown preset": {head + "discover:\n  presets: [redd]\n", `4: discover: presets: there is no preset "redd": there are red, node, kubernetes, servicegraph`},
		"runbook without matchers": {
			head + "runbooks:\n  - {name: restart, url: \"https://runbooks.example/restart\"}\n",
			"4: runbooks[0] (restart): matchers: none, want at least one such as 'cause_kind=\"disk\"'",
		},
		"role without holder":      {head + "roles:\n  - role: approve\n", "4: roles[0]: exactly one of user, token and token_file is wanted, found 0"},
		"role that does not exist": {head + "roles:\n  - {user: eve, role: root}\n", `4: roles[0].role is "root": want read, ack, approve or admin`},
		"Alertmanager without URL": {head + "alertmanagers:\n  - timeout: 3s\n", "3: alertmanagers: url is missing, such as http://alertmanager:9093"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load([]byte(tc.in))
			require.EqualError(t, err, tc.want)
		})
	}
}

func TestWhatTheFileLeavesOutKeepsItsDefault(t *testing.T) {
	cfg, err := config.Load([]byte("prometheus: {url: http://localhost:9090}\nbaseline: {budget: {per_series: 2}}\n"))
	require.NoError(t, err)
	require.Equal(t, 28*24*time.Hour, time.Duration(cfg.Baseline.History))
	require.InDelta(t, 2, cfg.Baseline.Budget.PerSeries, 0)
	require.True(t, cfg.Discover.Rules)
	require.Equal(t, 3*time.Second, time.Duration(cfg.Correlate.Wait))
}

func TestZeroConfigNeedsAddressesOnly(t *testing.T) {
	cfg, err := config.ZeroConfig("http://localhost:9090", []string{"http://localhost:9093"})
	require.NoError(t, err)
	require.Equal(t, "http://localhost:9093", cfg.Alertmanagers[0].URL)
	_, err = config.ZeroConfig("localhost:9090", nil)
	require.EqualError(t, err, `--prometheus.url: "localhost:9090" is no http or https address such as http://localhost:9090`)
}

// canary is a value that must not be seen anywhere.
const canary = "cAnArY-7f3a9c"

func TestSecretsNeverPrint(t *testing.T) {
	cfg, err := config.Load([]byte(strings.ReplaceAll(`
prometheus:
  url: http://localhost:9090
  http_config: {basic_auth: {username: a, password: CANARY}}
alertmanagers:
  - url: http://localhost:9093
    http_config: {authorization: {credentials: CANARY}}
export:
  remote_write: {url: http://localhost:9090/api/v1/write, http_config: {basic_auth: {username: a, password: CANARY}}}
roles:
  - {name: oncall, token: CANARY-CANARY-CANARY, role: approve}
`, "CANARY", canary)))
	require.NoError(t, err)
	require.NotContains(t, cfg.String(), canary)
	require.Contains(t, cfg.String(), "<secret>")
}

func TestFileNamesAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "tidemark.yml")
	require.NoError(t, os.WriteFile(name, []byte("prometheus: {url: http://localhost:9090}\nroles: [{name: a, token_file: token, role: ack}]\n"), 0o600))
	cfg, err := config.LoadFile(name)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "token"), cfg.Roles[0].TokenFile)
	_, err = config.LoadFile(filepath.Join(dir, "none.yml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestPrintedConfigurationLoadsAgain(t *testing.T) {
	cfg, err := config.ZeroConfig("http://localhost:9090", []string{"http://localhost:9093"})
	require.NoError(t, err)
	again, err := config.Load([]byte(cfg.String()))
	require.NoError(t, err)
	require.Equal(t, cfg.String(), again.String())
}

func FuzzLoad(f *testing.F) {
	f.Add("prometheus: {url: http://localhost:9090}\n")
	f.Add("watches:\n  - {name: x, expr: up}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(_ *testing.T, in string) {
		if cfg, err := config.Load([]byte(in)); err == nil {
			_ = cfg.String()
		}
	})
}
