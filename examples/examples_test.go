// Package examples_test loads every file of the examples with what it is for.
package examples_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/config"
)

// checks says what each file is loaded with; the first pattern that matches counts.
var checks = []struct {
	pattern string
	check   func(t *testing.T, file string)
}{
	{"kubernetes/*", inModule},
	{"helm/*", inModule},
	{"*/prometheus.yml", prometheusLoads},
	{"*/alertmanager.yml", alertmanagerLoads},
	{"*/tidemark.yml", tidemarkLoads},
	{"*/rules.yml", rulesLoad},
	{"*/*.tmpl", func(t *testing.T, file string) { templates(t, filepath.Dir(file)) }},
	{"systemd/*.service", unit},
	{"docker-compose/docker-compose.yml", compose},
	{"docker-compose/fluent-bit.yaml", fluentBit},
	{"docker-compose/grafana/datasources/*", grafanaSources},
	{"docker-compose/grafana/dashboards/*", grafanaDashboards},
	{"README.md", links},
	{"*_test.go", func(*testing.T, string) {}},
}

func TestEveryFile(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t.Run(name, func(t *testing.T) {
			for _, c := range checks {
				if matches(t, c.pattern, name) {
					c.check(t, name)
					return
				}
			}
			t.Fatal("no check takes this file")
		})
		return nil
	})
	require.NoError(t, err)
}

// matches says whether the pattern fits the name or one of the folders above it.
func matches(t *testing.T, pattern, name string) bool {
	t.Helper()
	for ; name != "."; name = path.Dir(name) {
		ok, err := path.Match(pattern, name)
		require.NoError(t, err)
		if ok {
			return true
		}
	}
	return false
}

// inModule leaves a file to the tests of tools/helm, which have the types of Kubernetes and the
// template engine of Helm. Those walk the same folders.
func inModule(t *testing.T, _ string) {
	_, err := os.Stat("../tools/helm/examples_test.go")
	require.NoError(t, err)
}

// server is the real program of that name, or the test is skipped: it must be recent, so that PATH
// is not looked at.
func server(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TIDEMARK_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		require.NoError(t, err)
		dir = filepath.Join(cache, "tidemark", "tools")
	}
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not in the tools folder: run `make tools`", name)
	}
	return program
}

// loads starts a server and waits until it says that the configuration file was loaded.
func loads(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, args...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said []string
	lines, loaded := bufio.NewScanner(stderr), false
	for !loaded && lines.Scan() {
		said = append(said, lines.Text())
		loaded = strings.Contains(lines.Text(), "Completed loading of configuration file")
	}
	stop()
	_, _ = io.Copy(io.Discard, stderr)
	_ = cmd.Wait() // It was killed; whether it loaded its file is known.
	require.Truef(t, loaded, "%s did not load its configuration:\n%s", program, strings.Join(said, "\n"))
}

func prometheusLoads(t *testing.T, file string) {
	loads(t, server(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address=127.0.0.1:0")
}

func alertmanagerLoads(t *testing.T, file string) {
	t.Run("templates", func(t *testing.T) { notifications(t, file) })
	loads(t, server(t, "alertmanager"), "--config.file="+file, "--storage.path="+t.TempDir(), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
}

func tidemarkLoads(t *testing.T, file string) {
	_, err := config.LoadFile(file)
	require.NoError(t, err)
}

func rulesLoad(t *testing.T, file string) {
	_, errs := rulefmt.ParseFile(file, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
}

// strict decodes a YAML file and refuses fields that the type does not have.
func strict(t *testing.T, file string, into any) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	require.NoError(t, dec.Decode(into))
}

// flagOf finds flags in arguments.
var flagOf = regexp.MustCompile(`--([a-z][a-z.-]+)`)

// knownFlags requires that tidemark has each flag of the arguments.
func knownFlags(t *testing.T, args string) {
	t.Helper()
	source, err := os.ReadFile("../cmd/tidemark/main.go")
	require.NoError(t, err)
	// Those that exporter-toolkit and promslog add.
	known := string(source) + `Flag("web.listen-address" Flag("web.config.file" Flag("log.level" Flag("log.format"`
	found := flagOf.FindAllStringSubmatch(args, -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		require.Containsf(t, known, `Flag("`+m[1]+`"`, "tidemark has no flag --%s", m[1])
	}
}

func links(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	found := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(data), -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		_, err := os.Stat(filepath.Join(filepath.Dir(file), m[1]))
		require.NoError(t, err)
	}
}
