package reference_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/runbook"
)

const configurationHead = `# Configuration

<!-- Written by go test ./internal/reference -update from the configuration's types. -->

Tidemark reads one YAML file, given by ` + "`--config.file`" + `; without one, ` + "`--prometheus.url`" + ` and
` + "`--alertmanager.url`" + ` start it with the defaults below. Decoding is strict: an unknown field is an error
that names its line and the nearest known field. ` + "`tidetool check config FILE`" + ` checks a file without
starting anything. The file is read again on SIGHUP, on ` + "`POST /-/reload`" + ` (with
` + "`--web.enable-lifecycle`" + `) and when it changes (` + "`--config.auto-reload-interval`" + `); a file with a mistake leaves
the running configuration as it is.

Durations are written as in Prometheus (` + "`5m`, `1h30m`, `28d`" + `), sizes as ` + "`64KiB`, `32MiB`" + `. Every secret can
be read from a file by the field of the same name that ends in ` + "`_file`" + `, and is never printed. What
must be restarted to change is a flag: ` + "`tidemark --help`" + `. Where no default stands, the option is off or empty.

`

// elsewhere are types of other projects, and where they are explained.
var elsewhere = map[string]string{
	"HTTPClientConfig": "[HTTP client](https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config) as in Prometheus",
	"TLSConfig":        "[TLS](https://prometheus.io/docs/prometheus/latest/configuration/configuration/#tls_config) as in Prometheus",
	"Matchers":         "list of [matchers](https://prometheus.io/docs/alerting/latest/configuration/#matcher) as in Alertmanager",
	"URL":              "URL",
	"Secret":           "secret",
	"TimeInterval":     "[time interval](https://prometheus.io/docs/alerting/latest/configuration/#time_interval) as in Alertmanager",
}

type reference struct {
	t        *testing.T
	comments map[string]map[string]string // By package path and Type.Field, or Type alone.
	out      strings.Builder
	done     map[reflect.Type]bool
}

func (r *reference) comment(typ reflect.Type, field string) string {
	byName, ok := r.comments[typ.PkgPath()]
	if !ok {
		byName = map[string]string{}
		for _, f := range sources(r.t, strings.TrimPrefix(typ.PkgPath(), module+"/")) {
			ast.Inspect(f, func(n ast.Node) bool {
				decl, ok := n.(*ast.GenDecl)
				if !ok {
					return true
				}
				for _, s := range decl.Specs {
					ts, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					byName[ts.Name.Name] = sentence(ts.Doc, decl.Doc)
					if st, ok := ts.Type.(*ast.StructType); ok {
						for _, f := range st.Fields.List {
							for _, n := range f.Names {
								byName[ts.Name.Name+"."+n.Name] = sentence(f.Doc, f.Comment)
							}
						}
					}
				}
				return true
			})
		}
		r.comments[typ.PkgPath()] = byName
	}
	return byName[typ.Name()+field]
}

// section writes the table of a struct and then those of the structs in it.
func (r *reference) section(path string, typ reflect.Type, defaults reflect.Value) {
	type inner struct {
		path string
		typ  reflect.Type
		val  reflect.Value
	}
	var below []inner
	fmt.Fprintf(&r.out, "| field | type | default | meaning |\n|---|---|---|---|\n")
	var rows func(typ reflect.Type, defaults reflect.Value)
	rows = func(typ reflect.Type, defaults reflect.Value) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			v := defaults.Field(i)
			if strings.Contains(options, "inline") {
				if strings.HasPrefix(f.Type.PkgPath(), module) {
					rows(f.Type, v)
					continue
				}
				fmt.Fprintf(&r.out, "| … | %s | | its fields stand directly here |\n", r.typeName(f.Type))
				continue
			}
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			text := meaning(typ, r.comment(typ, "."+f.Name), f.Name)
			if complaint := unclear(text); complaint != "" {
				r.t.Errorf("%s.%s: its comment %q %s", typ, f.Name, text, complaint)
			}
			fmt.Fprintf(&r.out, "| `%s` | %s | %s | %s |\n", name, r.typeName(f.Type), r.value(v), cell(text))
			ours, many := f.Type, ""
			if ours.Kind() == reflect.Pointer {
				ours = ours.Elem()
			}
			if ours.Kind() == reflect.Slice {
				ours, many = ours.Elem(), "[]"
				v = element(ours)
			}
			if v.Kind() == reflect.Pointer {
				v = element(ours)
			}
			if ours.Kind() == reflect.Struct && strings.HasPrefix(ours.PkgPath(), module) && !r.done[ours] {
				r.done[ours] = true
				below = append(below, inner{strings.TrimPrefix(path+"."+name, ".") + many, ours, v})
			}
		}
	}
	rows(typ, defaults)
	for _, b := range below {
		fmt.Fprintf(&r.out, "\n## `%s`\n\n%s\n\n", b.path, about(inFile(b.typ, r.comment(b.typ, "")), b.typ.Name()))
		r.section(b.path, b.typ, b.val)
	}
}

// element are the defaults of one entry of a list, and of a section that is absent by default.
func element(t reflect.Type) reflect.Value {
	for _, def := range []any{notify.DefaultConfig(), runbook.DefaultRunbook(), export.DefaultRemoteWriteConfig()} {
		if v := reflect.ValueOf(def); v.Type() == t {
			return v
		}
	}
	return reflect.New(t).Elem()
}

// meaning is a field's comment as the page has it: without the field's name, which stands in the row, and
// other fields of the type by their names in the file.
func meaning(typ reflect.Type, text, code string) string {
	if rest, ok := strings.CutPrefix(text, code+" "); ok {
		for _, verb := range []string{"is ", "are ", "says ", "say "} {
			if what, ok := strings.CutPrefix(rest, verb); ok && !strings.HasPrefix(what, "only") {
				rest = what
				break
			}
		}
		text = strings.ToUpper(rest[:1]) + rest[1:]
	}
	return inFile(typ, text)
}

// camel are names that can only be identifiers: two capitals with small letters between.
var camel = regexp.MustCompile(`\b[A-Z][a-z0-9]+[A-Z]\w*\b`)

func inFile(typ reflect.Type, text string) string {
	return camel.ReplaceAllStringFunc(text, func(name string) string {
		f, ok := typ.FieldByName(name)
		if tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); ok && tag != "" {
			return "`" + tag + "`"
		}
		return name
	})
}

// unclear says why a meaning explains nothing to somebody who reads only the page; empty when it does.
func unclear(text string) string {
	switch {
	case text == "":
		return "is missing: want a sentence that says what the option does"
	case len(strings.Fields(text)) < 3 || !strings.HasSuffix(text, "."):
		return "is no sentence: want a few words that end with a period"
	case strings.ContainsAny(text[:1], "abcdefghijklmnopqrstuvwxyz"):
		return "does not begin with a capital"
	case docLink.MatchString(text):
		return "links to a declaration, which the page can't follow"
	}
	return ""
}

var docLink = regexp.MustCompile(`\[[A-Z][\w.]*\]|\[[a-z]+\]\.`)

// about is a type's comment without the type's name.
func about(text, code string) string {
	if rest, ok := strings.CutPrefix(text, code+" is "); ok {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	if rest, ok := strings.CutPrefix(text, code+" "); ok {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return text
}

func (r *reference) typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[runbook.Matchers]():
		return elsewhere["Matchers"]
	case reflect.TypeFor[map[string]any]():
		return "object"
	}
	if s := elsewhere[t.Name()]; s != "" && !strings.HasPrefix(t.PkgPath(), module) {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.typeName(t.Elem())
	case reflect.Slice:
		return "list of " + r.typeName(t.Elem())
	case reflect.Map:
		return "map of " + r.typeName(t.Elem())
	case reflect.Struct:
		if strings.HasPrefix(t.PkgPath(), module) {
			return "section"
		}
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	default:
		if t.Name() == "Duration" {
			return "duration"
		}
		if t.Name() == "ByteSize" {
			return "size"
		}
		return "whole number"
	}
	return t.Name()
}

// value is a default as it would stand in the file; nothing for sections and zeros.
func (r *reference) value(v reflect.Value) string {
	if v.IsValid() && v.Kind() == reflect.Bool {
		return fmt.Sprintf("`%t`", v.Bool())
	}
	if !v.IsValid() || v.IsZero() || v.Kind() == reflect.Struct || v.Kind() == reflect.Pointer {
		return ""
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
		return fmt.Sprintf("%d entries", v.Len())
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return "`" + model.Duration(d).String() + "`"
	}
	node := &yaml.Node{}
	require.NoError(r.t, node.Encode(v.Interface()))
	node.Style = yaml.FlowStyle
	data, err := yaml.Marshal(node)
	require.NoError(r.t, err)
	return "`" + cell(strings.Join(strings.Fields(string(data)), " ")) + "`"
}

func TestConfigurationPageIsWhatTheCodeSays(t *testing.T) {
	r := &reference{t: t, comments: map[string]map[string]string{}, done: map[reflect.Type]bool{}}
	r.out.WriteString(configurationHead)
	example, err := os.ReadFile(filepath.Join(root, "examples", "configuration", "tidemark.yml"))
	require.NoError(t, err)
	for i := range reflect.TypeFor[config.Config]().NumField() {
		section, _, _ := strings.Cut(reflect.TypeFor[config.Config]().Field(i).Tag.Get("yaml"), ",")
		require.Containsf(t, string(example), "\n"+section+":", "the example of the whole configuration lacks a section")
	}
	fmt.Fprintf(&r.out, "```yaml\n%s```\n\n## The whole file\n\n", example)
	def := config.Default()
	r.section("", reflect.TypeFor[config.Config](), reflect.ValueOf(def))
	page(t, "configuration.md", r.out.String())
}

func TestAnOptionWithoutAMeaningIsNoticed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no comment", "", "is missing"},
		{"a few words", "per second", "is no sentence"},
		{"no period", "Bounds one message as it arrives", "is no sentence"},
		{"goes on from the code's name", "of one alert; annotations too.", "does not begin"},
		{"a link for godoc", "Templates over [Incident] that are sent.", "links to"},
		{"a sentence", "Bounds one message as it arrives.", ""},
		{"a list in brackets", "Required, for example `[client, server]`.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := unclear(c.text)
			require.Equal(t, c.want == "", got == "", got)
			require.Contains(t, got, c.want)
		})
	}
}
