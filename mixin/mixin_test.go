// Package mixin_test checks the rendered rules: each is valid, documented and tested.
package mixin_test

import (
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
)

const (
	alertsFile = "../rules/tidemark-alerts.yaml"
	rulesFile  = "../rules/tidemark-rules.yaml"
	runbooks   = "../docs/runbooks"
)

// load reads a rule file as Prometheus does: strictly, with templates and expressions checked.
func load(t *testing.T, file string) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(file, false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	var rules []rulefmt.Rule
	for _, g := range groups.Groups {
		rules = append(rules, g.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// tests is the text of all promtool test files.
func tests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("tests/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		all.Write(data)
	}
	return all.String()
}

func TestAlerts(t *testing.T) {
	tested := tests(t)
	seen := map[string]bool{}
	for _, r := range load(t, alertsFile) {
		severity := r.Labels["severity"]
		t.Run(r.Alert+" "+severity, func(t *testing.T) {
			require.True(t, strings.HasPrefix(r.Alert, "Tidemark"), "the first word of the name says whose alert it is")
			require.Contains(t, []string{"critical", "warning", "info"}, severity)
			require.False(t, seen[r.Alert+severity], "two rules with one name and severity hide each other")
			seen[r.Alert+severity] = true

			require.Regexp(t, `^[A-Z][^{}]*\.$`, r.Annotations["summary"], "the summary is one static sentence")
			require.NotEmpty(t, r.Annotations["description"])
			page, err := os.ReadFile(filepath.Join(runbooks, path.Base(r.Annotations["runbook_url"])))
			require.NoError(t, err, "the alert's page must exist")
			require.True(t, strings.HasPrefix(string(page), "# "+r.Alert+"\n"), "the page is headed by the alert's name")

			both := regexp.MustCompile(`alertname="?` + r.Alert + `"?, severity="` + severity + `"`)
			one := regexp.MustCompile(`alertname: ` + r.Alert + `\n\s+eval_time: \S+\n\s+exp_alerts:\n\s+- exp_labels:\n\s+severity: ` + severity)
			require.True(t, both.MatchString(tested) || one.MatchString(tested), "no promtool test expects it to fire")
		})
	}
}

func TestEveryPageBelongsToAnAlert(t *testing.T) {
	alerts := map[string]bool{}
	for _, r := range load(t, alertsFile) {
		alerts[strings.ToLower(r.Alert)] = true
	}
	pages, err := filepath.Glob(filepath.Join(runbooks, "tidemark*.md"))
	require.NoError(t, err)
	for _, p := range pages {
		require.Truef(t, alerts[strings.TrimSuffix(filepath.Base(p), ".md")], "%s is the page of no alert", p)
	}
}

func TestPagesLinkToPages(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+\.md)\)`)
	pages, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	require.NoError(t, err)
	for _, p := range pages {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			require.FileExistsf(t, filepath.Join(runbooks, m[1]), "%s links to it", p)
		}
	}
}

func TestRecordingRules(t *testing.T) {
	tested := tests(t)
	// level:metric:operations, or a metric of the series itself (prometheus.io, recording rules).
	name := regexp.MustCompile(`^[a-z_]+:[a-z_]+:[a-z0-9_]+$`)
	for _, r := range load(t, rulesFile) {
		t.Run(r.Record, func(t *testing.T) {
			require.Regexp(t, name, r.Record)
			want := regexp.MustCompile(`expr: ` + r.Record + `\n\s+eval_time: \S+\n\s+exp_samples:\n\s+- labels: ` + r.Record)
			require.True(t, want.MatchString(tested), "no promtool test expects it to be recorded")
		})
	}
}

// TestPromtool runs the tests that are written in the users' own notation, with the promtool of TIDEMARK_TOOLS
// (`tools/build.sh --all` builds it in five minutes) or that on PATH.
func TestPromtool(t *testing.T) {
	promtool := filepath.Join(os.Getenv("TIDEMARK_TOOLS"), "promtool")
	if _, err := os.Stat(promtool); err != nil {
		if promtool, err = exec.LookPath("promtool"); err != nil {
			t.Skip("promtool is neither in TIDEMARK_TOOLS nor on PATH: the package prometheus has it")
		}
	}
	files, err := filepath.Glob("tests/*.yaml")
	require.NoError(t, err)
	for _, args := range [][]string{
		{"check", "rules", alertsFile, rulesFile},
		append([]string{"test", "rules"}, files...),
	} {
		out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput()
		require.NoErrorf(t, err, "promtool %s\n%s", strings.Join(args, " "), out)
	}
}
