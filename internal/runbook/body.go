package runbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"
)

// Limits of a rendered body: values come from alerts, which anybody may send.
const (
	maxValue = 4 << 10
	// maxBody follows the advice of Standard Webhooks to stay under 20 KB.
	maxBody = 16 << 10
)

// node renders one value of the body.
type node func(Incident) (any, error)

// body is a compiled body: fixed keys, values with templates. The templates fill values, never the
// JSON around them: what they return is encoded as a JSON string.
type body struct{ root node }

// compileBody parses all templates and tries them on an example, so that a mistake in one is found
// when the configuration is read.
func compileBody(spec map[string]any) (*body, error) {
	root, err := compileNode("body", any(spec))
	if err != nil {
		return nil, err
	}
	return &body{root: root}, nil
}

func compileNode(path string, spec any) (node, error) {
	switch v := spec.(type) {
	case string:
		return compileTemplate(path, v)
	case map[string]any:
		return compileObject(path, v)
	case []any:
		return compileList(path, v)
	case nil, bool, int, int64, uint64, float64:
		return func(Incident) (any, error) { return v, nil }, nil
	}
	return nil, fmt.Errorf("%s: a %T, want a text, number, true, false, list or object with text keys", path, spec)
}

func compileObject(path string, spec map[string]any) (node, error) {
	fields := make(map[string]node, len(spec))
	for _, key := range slices.Sorted(maps.Keys(spec)) {
		if strings.Contains(key, "{{") {
			return nil, fmt.Errorf("%s: key %q holds a template, want a fixed key: only values may come from an incident", path, key)
		}
		n, err := compileNode(path+"."+key, spec[key])
		if err != nil {
			return nil, err
		}
		fields[key] = n
	}
	return func(i Incident) (any, error) {
		out := make(map[string]any, len(fields))
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			v, err := fields[key](i)
			if err != nil {
				return nil, err
			}
			out[key] = v
		}
		return out, nil
	}, nil
}

func compileList(path string, spec []any) (node, error) {
	items := make([]node, 0, len(spec))
	for n, item := range spec {
		compiled, err := compileNode(fmt.Sprintf("%s[%d]", path, n), item)
		if err != nil {
			return nil, err
		}
		items = append(items, compiled)
	}
	return func(i Incident) (any, error) {
		out := make([]any, 0, len(items))
		for _, item := range items {
			v, err := item(i)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}, nil
}

func compileTemplate(path, text string) (node, error) {
	if !strings.Contains(text, "{{") {
		return func(Incident) (any, error) { return text, nil }, nil
	}
	tmpl, err := template.New(path).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w, want a Go template such as '{{ .Resource }}'", path, err)
	}
	lenient := template.Must(tmpl.Clone()).Option("missingkey=zero")
	if _, err := execute(path, lenient, exampleIncident()); err != nil {
		return nil, fmt.Errorf("%w, want fields of the incident such as .ID, .Cause, .Resource, .Severity, .Labels.NAME", err)
	}
	return func(i Incident) (any, error) { return execute(path, tmpl, i) }, nil
}

// errTooLong ends a template that writes more than maxValue.
var errTooLong = fmt.Errorf("the value is longer than %d bytes", maxValue)

// limited is a buffer that refuses to grow above maxValue.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxValue {
		return 0, errTooLong
	}
	return l.Buffer.Write(p)
}

// view is an Incident for templates: they reach a label as a field only in a map of plain strings.
type view struct {
	Incident
	Labels map[string]string
}

func newView(i Incident) view {
	v := view{Incident: i, Labels: make(map[string]string, len(i.Labels))}
	for name, value := range i.Labels {
		v.Labels[string(name)] = string(value)
	}
	return v
}

func execute(path string, tmpl *template.Template, i Incident) (string, error) {
	var out limited
	err := tmpl.Execute(&out, newView(i))
	switch {
	case errors.Is(err, errTooLong):
		return "", fmt.Errorf("%s: %w", path, errTooLong)
	case err != nil:
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return out.String(), nil
}

// render returns the JSON that is sent for an incident. The same incident gives the same bytes.
func (b *body) render(i Incident) ([]byte, error) {
	v, err := b.root(i)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if len(out) > maxBody {
		return nil, fmt.Errorf("body: %d bytes, at most %d are sent", len(out), maxBody)
	}
	return out, nil
}

// exampleIncident has every field filled.
func exampleIncident() Incident {
	t := time.Unix(0, 0).UTC()
	return Incident{
		ID: "example", Severity: "critical", Cause: "db-0/disk", CauseKind: "disk", Confidence: 0.9,
		Resource: "db-0", Summary: "disk of db-0 is saturated", Labels: model.LabelSet{"cluster": "eu-1"},
		Alertnames: []string{"HighLatency"}, Affected: []string{"api-1"}, StartsAt: t, DataTime: t, Anomalies: 1,
	}
}
