// Command jsonnet formats, lints and renders the mixin: rules/*.yaml, dashboards/*.json, the
// PrometheusRule of the examples and the reference pages of both. With --check it writes nothing and
// fails when a file is not as it would write it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	jsonnet "github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/formatter"
	"github.com/google/go-jsonnet/linter"
)

func main() {
	root := flag.String("root", filepath.Join("..", ".."), "root of the project")
	check := flag.Bool("check", false, "compare with the committed files instead of writing them")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run formats and lints every source of the mixin, then renders it.
func run(root string, check bool) error {
	put := write
	if check {
		put = compare
	}
	return errors.Join(sources(filepath.Join(root, "mixin"), put), render(root, put))
}

// put takes what a file should hold: it writes it or compares it.
type put func(name string, want []byte) error

func write(name string, want []byte) error {
	have, err := os.ReadFile(name)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	return os.WriteFile(name, want, 0o644)
}

func compare(name string, want []byte) error {
	have, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s differs from what the mixin renders: run `make mixin`", name)
	}
	return nil
}

// sources formats and lints every jsonnet file below dir.
func sources(dir string, put put) error {
	// The style of kubernetes-mixin: two blanks, single quotes, slashes for comments.
	style := formatter.DefaultOptions()
	style.StringStyle = formatter.StringStyleSingle
	style.CommentStyle = formatter.CommentStyleSlash
	style.Indent, style.MaxBlankLines = 2, 2
	var snippets []linter.Snippet
	var errs []error
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".libsonnet" && filepath.Ext(name) != ".jsonnet" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		formatted, err := formatter.Format(name, string(data), style)
		if err != nil {
			return err
		}
		snippets = append(snippets, linter.Snippet{FileName: name, Code: formatted})
		errs = append(errs, put(name, []byte(formatted)))
		return nil
	})
	if err != nil {
		return err
	}
	if linter.LintSnippet(jsonnet.MakeVM(), os.Stderr, snippets) {
		errs = append(errs, errors.New("the mixin has lint findings"))
	}
	return errors.Join(errs...)
}

// render evaluates the mixin into the files that are committed for people without jsonnet.
func render(root string, put put) error {
	vm := jsonnet.MakeVM()
	want := map[string][]byte{}
	for source, name := range yamlFiles {
		vm.StringOutput = true
		text, err := vm.EvaluateFile(filepath.Join(root, "mixin", source))
		if err != nil {
			return err
		}
		want[filepath.FromSlash(name)] = []byte(header + strings.TrimSuffix(text, "\n") + "\n")
	}
	pages, err := vm.EvaluateFileMulti(filepath.Join(root, "mixin", "docs.jsonnet"))
	if err != nil {
		return err
	}
	for name, text := range pages {
		want[filepath.Join("docs", name)] = []byte(strings.TrimRight(text, "\n") + "\n")
	}
	vm.StringOutput = false
	dashboards, err := vm.EvaluateFileMulti(filepath.Join(root, "mixin", "dashboards.jsonnet"))
	if err != nil {
		return err
	}
	for name, text := range dashboards {
		if !json.Valid([]byte(text)) {
			return fmt.Errorf("dashboard %s is not JSON", name)
		}
		want[filepath.Join("dashboards", name)] = []byte(text)
	}
	var errs []error
	for name, text := range want {
		errs = append(errs, put(filepath.Join(root, name), text))
	}
	return errors.Join(append(errs, orphans(root, want))...)
}

// yamlFiles are what is rendered to YAML, by source.
var yamlFiles = map[string]string{
	"alerts.jsonnet":         "rules/tidemark-alerts.yaml",
	"rules.jsonnet":          "rules/tidemark-rules.yaml",
	"prometheusrule.jsonnet": "examples/kubernetes/prometheus-rule.yaml",
}

const header = "# Rendered from mixin/ by `make mixin`. Change the source, not this file.\n"

// orphans finds committed dashboards and rules that the mixin no longer renders.
func orphans(root string, want map[string][]byte) error {
	var errs []error
	for _, pattern := range []string{"rules/tidemark-*.yaml", "dashboards/*.json"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			rel, err := filepath.Rel(root, f)
			if err != nil {
				return err
			}
			if _, ok := want[rel]; !ok {
				errs = append(errs, fmt.Errorf("%s is not rendered by the mixin: remove it", rel))
			}
		}
	}
	return errors.Join(errs...)
}
