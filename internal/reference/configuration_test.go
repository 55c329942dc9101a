package reference_test

import (
	"fmt"
	"go/ast"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/notify"
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
must be restarted to change is a flag: ` + "`tidemark --help`" + `.

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
			text := r.comment(typ, "."+f.Name)
			require.NotEmptyf(r.t, path+text+name, "%s.%s has no comment", typ, f.Name)
			fmt.Fprintf(&r.out, "| `%s` | %s | %s | %s |\n", name, r.typeName(f.Type), r.value(v), cell(named(text, f.Name, name)))
			ours, many := f.Type, ""
			if ours.Kind() == reflect.Pointer {
				ours = ours.Elem()
			}
			if ours.Kind() == reflect.Slice {
				ours, many = ours.Elem(), "[]"
				v = element(ours)
			}
			if v.Kind() == reflect.Pointer {
				v = reflect.New(ours).Elem()
			}
			if ours.Kind() == reflect.Struct && strings.HasPrefix(ours.PkgPath(), module) && !r.done[ours] {
				r.done[ours] = true
				below = append(below, inner{strings.TrimPrefix(path+"."+name, ".") + many, ours, v})
			}
		}
	}
	rows(typ, defaults)
	for _, b := range below {
		fmt.Fprintf(&r.out, "\n## `%s`\n\n%s\n\n", b.path, about(r.comment(b.typ, ""), b.typ.Name()))
		r.section(b.path, b.typ, b.val)
	}
}

// element are the defaults of one entry of a list.
func element(t reflect.Type) reflect.Value {
	if t == reflect.TypeFor[notify.Config]() {
		return reflect.ValueOf(notify.DefaultConfig())
	}
	return reflect.New(t).Elem()
}

// named says the field's name as the file has it where the comment begins with the code's.
func named(text, code, file string) string {
	if rest, ok := strings.CutPrefix(text, code+" "); ok {
		return "`" + file + "` " + rest
	}
	return text
}

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
	def := config.Default()
	r.section("", reflect.TypeFor[config.Config](), reflect.ValueOf(def))
	page(t, "configuration.md", r.out.String())
}
