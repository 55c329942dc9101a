package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/template"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// incident is an alert as Tidemark posts it.
func incident(status, revision, cause string) template.Alert {
	a := template.Alert{
		Status: status,
		Labels: template.KV{"alertname": "TidemarkIncident", "incident": "INC-1", "severity": "critical", "cluster": "eu"},
		Annotations: template.KV{
			"summary":     "checkout errors, probably caused by " + cause,
			"description": "The whole story.",
			"cause":       cause,
			"confidence":  "0.82",
			"evidence":    "its disk left the band 4 min before the first error",
			"affected":    "12 web servers, 3 APIs, 1 database",
			"action":      "fail over to the replica",
			"runbook_url": "https://runbooks.example.com/disk",
			"dashboard":   "http://localhost:9099/incidents/INC-1",
			"alerts":      "143",
		},
	}
	if revision != "" {
		a.Labels["revision"] = revision
	}
	return a
}

// situations are the groups that a receiver sees: the first page, a revised cause, the end.
var situations = []struct {
	name, status string
	alerts       template.Alerts
	cause        string
}{
	{"first page", "firing", template.Alerts{incident("firing", "", "db-0")}, "db-0"},
	{"the cause is revised", "firing", template.Alerts{incident("resolved", "", "db-0"), incident("firing", "2", "node-17")}, "node-17"},
	{"the old revision has not ended yet", "firing", template.Alerts{incident("firing", "", "db-0"), incident("firing", "2", "node-17")}, "node-17"},
	{"resolved", "resolved", template.Alerts{incident("resolved", "", "db-0")}, "db-0"},
}

// templates parses the template files of a folder; without one, the built-in ones remain.
func templates(t *testing.T, dir string) *template.Template {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tmpl"))
	require.NoError(t, err)
	tmpl, err := template.FromGlobs(files)
	require.NoError(t, err)
	return tmpl
}

// receiver is what is read of a receiver: everything, by kind.
type receiver map[string]yaml.Node

// notifications renders every template of every receiver, in every situation.
func notifications(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var cfg struct {
		Receivers []receiver `yaml:"receivers"`
	}
	require.NoError(t, yaml.Unmarshal(data, &cfg))
	tmpl := templates(t, filepath.Dir(file))
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			group := &template.Data{
				Status: s.status, Alerts: s.alerts, GroupLabels: template.KV{"incident": "INC-1"},
				CommonLabels: template.KV{"alertname": "TidemarkIncident", "incident": "INC-1", "severity": "critical"},
			}
			for _, r := range cfg.Receivers {
				for kind, node := range r {
					if kind == "name" {
						continue
					}
					var text strings.Builder
					render(t, tmpl, group, &node, &text)
					if !strings.Contains(text.String(), "\n") {
						continue // It has no template of its own.
					}
					require.Containsf(t, text.String(), s.cause, "%s does not name the cause", kind)
				}
			}
		})
	}
}

// render executes every string with a template in it.
func render(t *testing.T, tmpl *template.Template, data *template.Data, node *yaml.Node, into *strings.Builder) {
	t.Helper()
	if node.Kind == yaml.ScalarNode && strings.Contains(node.Value, "{{") {
		out, err := tmpl.ExecuteTextString(node.Value, data)
		require.NoError(t, err)
		require.NotContains(t, out, "<no value>")
		into.WriteString(out + "\n")
	}
	for _, child := range node.Content {
		render(t, tmpl, data, child, into)
	}
}

// TestPagerDutyDetails: above 512 000 bytes PagerDuty drops all details, and the built-in ones grow
// with the group, so every PagerDuty receiver blanks them and keeps the cause.
func TestPagerDutyDetails(t *testing.T) {
	files, err := filepath.Glob("*/alertmanager.yml")
	require.NoError(t, err)
	seen := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var cfg struct {
			Receivers []struct {
				Name      string `yaml:"name"`
				PagerDuty []struct {
					Details map[string]string `yaml:"details"`
				} `yaml:"pagerduty_configs"`
			} `yaml:"receivers"`
		}
		require.NoError(t, yaml.Unmarshal(data, &cfg))
		for _, r := range cfg.Receivers {
			for _, pd := range r.PagerDuty {
				seen++
				for _, key := range []string{"firing", "resolved"} {
					text, set := pd.Details[key]
					require.Truef(t, set && text == "", "%s: receiver %s must blank details.%s", file, r.Name, key)
				}
			}
		}
	}
	require.Positive(t, seen)
}
