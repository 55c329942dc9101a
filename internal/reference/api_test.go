package reference_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/web"
	"github.com/tidemark/tidemark/receiver"
)

// document is the part of an OpenAPI file that is compared.
type document struct {
	OpenAPI    string                               `yaml:"openapi"`
	Paths      map[string]map[string]map[string]any `yaml:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `yaml:"properties"`
		} `yaml:"schemas"`
	} `yaml:"components"`
}

func openAPI(t *testing.T) (document, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs", "openapi.yaml"))
	require.NoError(t, err)
	var d document
	require.NoError(t, yaml.Unmarshal(data, &d))
	return d, data
}

// registered are the patterns that the handlers of all rooms stand under.
func registered(t *testing.T) []string {
	t.Helper()
	var out []string
	ui, err := web.New(web.Options{})
	require.NoError(t, err)
	for pattern := range ui.Handlers() {
		out = append(out, pattern)
	}
	for pattern := range (&runbook.Manager{}).Handlers(nil) {
		out = append(out, pattern)
	}
	in, err := receiver.New(receiver.Options{Config: receiver.DefaultConfig(), Log: receiver.NoLog{}})
	require.NoError(t, err)
	for path := range in.Handlers() {
		out = append(out, "POST "+path)
	}
	pattern := regexp.MustCompile(`^(GET|POST|PUT|DELETE) /`)
	for _, f := range sources(t, "internal/app") {
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && pattern.MatchString(literal(lit)) {
				out = append(out, literal(lit))
			}
			return true
		})
	}
	for i := range out {
		out[i] = strings.Replace(out[i], "{$}", "", 1)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestOpenAPIListsWhatTheHandlersServe(t *testing.T) {
	d, _ := openAPI(t)
	require.True(t, strings.HasPrefix(d.OpenAPI, "3.0."))
	var listed []string
	for path, methods := range d.Paths {
		for method, operation := range methods {
			listed = append(listed, strings.ToUpper(method)+" "+path)
			require.NotEmptyf(t, operation["summary"], "%s %s has no summary", method, path)
			require.NotEmptyf(t, operation["responses"], "%s %s has no responses", method, path)
		}
	}
	slices.Sort(listed)
	require.Equal(t, registered(t), listed)
}

func TestOpenAPINamesItsPathParametersAndParts(t *testing.T) {
	d, data := openAPI(t)
	var whole map[string]any
	require.NoError(t, yaml.Unmarshal(data, &whole))
	for _, ref := range regexp.MustCompile(`\$ref: "#/([^"]+)"`).FindAllStringSubmatch(string(data), -1) {
		var at any = whole
		for step := range strings.SplitSeq(ref[1], "/") {
			m, ok := at.(map[string]any)
			require.Truef(t, ok && m[step] != nil, "%s leads nowhere", ref[0])
			at = m[step]
		}
	}
	for path, methods := range d.Paths {
		for method, operation := range methods {
			for _, p := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				text, err := yaml.Marshal(operation["parameters"])
				require.NoError(t, err)
				require.Regexpf(t, `(?i)(name: |parameters/)`+p[1], string(text), "%s %s does not say what %s is", method, path, p[0])
			}
		}
	}
}

func TestOpenAPIKnowsEveryFieldOfAnIncident(t *testing.T) {
	d, _ := openAPI(t)
	var have, want []string
	for name := range d.Components.Schemas["Incident"].Properties {
		have = append(have, name)
	}
	for f := range reflect.TypeFor[correlate.Incident]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		want = append(want, name)
	}
	require.ElementsMatch(t, want, have)
}
