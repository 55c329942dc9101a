package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// page is docs/get-started.md as a newcomer runs it: its commands, with the servers' ports of this test.
type page struct {
	commands []string
	ports    *strings.Replacer
	dir      string
}

func (p *page) command(t *testing.T, begins string) *exec.Cmd {
	t.Helper()
	for _, c := range p.commands {
		if strings.HasPrefix(c, begins) {
			cmd := exec.CommandContext(t.Context(), "bash", "-c", "exec "+strings.TrimSpace(p.ports.Replace(c)))
			cmd.Dir = p.dir
			cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return cmd
		}
	}
	t.Fatalf("docs/get-started.md has no command that begins with %q", begins)
	return nil
}

func (p *page) run(t *testing.T, begins string, more ...string) string {
	t.Helper()
	cmd := p.command(t, begins)
	cmd.Args[2] = strings.Join(append([]string{cmd.Args[2]}, more...), " ")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestGetStartedWorksAsThePageSays(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: the page's commands can't be run")
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "get-started.md"))
	require.NoError(t, err)
	b := newBare(t, stack.BareOptions{Rules: "groups: [{name: shop, rules: [{alert: TargetDown, expr: up == 0}]}]\n"})
	host := func(raw string) string {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		return u.Host
	}
	p := &page{
		dir:   filepath.Dir(b.Prometheus.LogFile()),
		ports: strings.NewReplacer("localhost:9090", host(b.Prometheus.URL), "localhost:9093", host(b.Alertmanager.URL), "localhost:9099", host(b.Tidemark.URL)),
	}
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1) {
		p.commands = append(p.commands, string(m[1]))
	}
	// Step 4's three blocks are those of examples/existing-stack.
	for _, name := range []string{"prometheus.yml", "alertmanager.yml"} {
		data, err := os.ReadFile(filepath.Join(root, "examples", "existing-stack", name))
		require.NoError(t, err)
		text := strings.NewReplacer("rules/*.yml", "rules.yml", "rules/*.yaml", "rules.yaml").Replace(p.ports.Replace(string(data)))
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
	start(t, b.Prometheus, b.Alertmanager)

	require.Contains(t, p.run(t, "tidetool replay"), "hidden: none")

	cmd := p.command(t, "tidemark ")
	cmd.Args[2] += " --web.listen-address=" + host(b.Tidemark.URL)
	log, err := os.Create(filepath.Join(p.dir, "newcomer.log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.NoError(t, cmd.Wait(), "it stops cleanly")
	}()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	require.NoError(t, stack.Until(ctx, "tidemark is ready", func(ctx context.Context) (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Tidemark.URL+"/-/ready", nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // It does not listen yet.
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}))

	p.run(t, "curl ")
	list := ""
	require.NoError(t, stack.Until(ctx, "the alert is an incident", func(context.Context) (bool, error) {
		list = p.run(t, "tidetool incident list", "--tidemark.url="+b.Tidemark.URL)
		return strings.Contains(list, "checkout"), nil
	}))
	require.Contains(t, list, "firing")
}
