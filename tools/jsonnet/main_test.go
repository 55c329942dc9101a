package main

import (
	"os"
	"path/filepath"
	"testing"
)

// tree makes a project with a mixin of one rule and one dashboard.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"mixin/alerts.jsonnet":         "'groups: []'\n",
		"mixin/rules.jsonnet":          "'groups: []'\n",
		"mixin/prometheusrule.jsonnet": "'kind: PrometheusRule'\n",
		"mixin/docs.jsonnet":           "{ 'a.md': '# A' }\n",
		"mixin/dashboards.jsonnet":     "{ 'a.json': { uid: 'a' } }\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"rules", "dashboards", "examples/kubernetes", "docs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCheckFindsWhatWriteWouldChange(t *testing.T) {
	edit := func(name, text string) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, change := range map[string]func(t *testing.T, root string){
		"a rendered rule file was edited by hand":     edit("rules/tidemark-rules.yaml", "groups: [] # mine\n"),
		"a dashboard was edited by hand":              edit("dashboards/a.json", "{}"),
		"a page was edited by hand":                   edit("docs/a.md", "# Mine\n"),
		"a source changed and was not rendered":       edit("mixin/dashboards.jsonnet", "{ 'a.json': { uid: 'b' } }\n"),
		"a source is not formatted":                   edit("mixin/rules.jsonnet", "\"groups: []\"\n"),
		"a source has an unused variable":             edit("mixin/rules.jsonnet", "local unused = 1;\n'groups: []'\n"),
		"a dashboard is left over from an old source": edit("dashboards/old.json", "{}"),
		"a source does not evaluate":                  edit("mixin/alerts.jsonnet", "error 'no'\n"),
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t)
			if err := run(root, false); err != nil {
				t.Fatalf("write: %v", err)
			}
			if err := run(root, true); err != nil {
				t.Fatalf("check right after write: %v", err)
			}
			change(t, root)
			if err := run(root, true); err == nil {
				t.Fatal("check found nothing")
			}
		})
	}
}

func TestTheCommittedRenderingIsTheMixins(t *testing.T) {
	if err := run(filepath.Join("..", ".."), true); err != nil {
		t.Fatal(err)
	}
}
