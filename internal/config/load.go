package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxBytes bounds a configuration file: beyond it, something else was named by mistake.
const maxBytes = 1 << 20

// LoadFile reads and checks the configuration file name. Errors say the file, the line and what
// would be right.
func LoadFile(name string) (*Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%s: larger than 1 MiB: is this the configuration file?", name)
	}
	cfg, err := Load(data)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	cfg.SetDirectory(filepath.Dir(name))
	return cfg, nil
}

// Load decodes and checks a configuration. Errors start with the line.
func Load(data []byte) (*Config, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, atLine(err.Error())
	}
	if len(root.Content) == 0 {
		return nil, errors.New("1: the file is empty: at least prometheus.url is needed")
	}
	cfg := &Config{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(cfg); err != nil {
		return nil, explain(&root, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("1: the file holds more than one document: one is wanted")
	}
	if err := cfg.check(); err != nil {
		return nil, explain(&root, err)
	}
	return cfg, nil
}

var (
	lineOf       = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): `)
	unknownField = regexp.MustCompile(`field (\S+) not found in type (\S+)`)
	// pathStep is one step of the place that the rooms' messages begin with: `baseline: history is …`,
	// `watches[0] "x": expr: …`, `export.names is …`.
	pathStep = regexp.MustCompile(`^([a-z][a-z_]*(?:\[\d+\])?(?:\.[a-z][a-z_]*(?:\[\d+\])?)*)(?: "[^"]*"| \([^)]*\))?(: | is | are | must )`)
	quoted   = regexp.MustCompile(`"([^"]+)"$`)
)

// explain makes of a decoding error one that says the line, and of an unknown field one that says
// which names there are.
func explain(root *yaml.Node, err error) error {
	var typeErr *yaml.TypeError
	if errors.As(err, &typeErr) {
		msgs := make([]string, 0, len(typeErr.Errors))
		for _, m := range typeErr.Errors {
			msgs = append(msgs, atLine(m).Error())
		}
		return errors.New(strings.Join(msgs, "; "))
	}
	msg := err.Error()
	if lineOf.MatchString(msg) {
		return atLine(msg)
	}
	if line := find(root, pathOf(msg)); line > 0 {
		return fmt.Errorf("%d: %w", line, err)
	}
	if m := quoted.FindStringSubmatch(msg); m != nil {
		if line := holding(root, m[1]); line > 0 {
			return fmt.Errorf("%d: %w", line, err)
		}
	}
	return fmt.Errorf("1: %w", err)
}

// pathOf is the place that a message begins with, such as watches[0].expr.
func pathOf(msg string) string {
	var steps []string
	for {
		m := pathStep.FindStringSubmatch(msg)
		if m == nil {
			return strings.Join(steps, ".")
		}
		steps = append(steps, m[1])
		if m[2] != ": " {
			return strings.Join(steps, ".")
		}
		msg = msg[len(m[0]):]
	}
}

// holding is the line of the first scalar with this value.
func holding(n *yaml.Node, value string) int {
	if n.Kind == yaml.ScalarNode && n.Value == value {
		return n.Line
	}
	for _, c := range n.Content {
		if line := holding(c, value); line > 0 {
			return line
		}
	}
	return 0
}

// atLine turns yaml's "line 3: field x not found in type y" into "3: unknown field …".
func atLine(msg string) error {
	line := "1"
	if m := lineOf.FindStringSubmatch(msg); m != nil {
		line, msg = m[1], msg[len(m[0]):]
	}
	if m := unknownField.FindStringSubmatch(msg); m != nil {
		msg = fmt.Sprintf("unknown field %q", m[1])
		if near := nearest(m[1], m[2]); near != "" {
			msg += fmt.Sprintf(": did you mean %q?", near)
		}
	}
	return fmt.Errorf("%s: %s", line, strings.TrimPrefix(msg, "yaml: "))
}

// find is the line of the deepest part of a path such as watches[2].expr that the file has.
func find(root *yaml.Node, path string) int {
	node, line := root.Content[0], 0
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		next, at := child(node, name)
		if next == nil {
			return line
		}
		node, line = next, at
		if indexed {
			i, err := strconv.Atoi(index)
			if err != nil || node.Kind != yaml.SequenceNode || i >= len(node.Content) {
				return line
			}
			node = node.Content[i]
			line = node.Line
		}
	}
	return line
}

func child(node *yaml.Node, key string) (*yaml.Node, int) {
	if node.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1], node.Content[i].Line
		}
	}
	return nil, 0
}

// nearest is the known field name closest to name among the fields of the named type and, when the
// type is not found, of the whole configuration; empty when none is close.
func nearest(name, typeName string) string {
	fields := map[string][]string{}
	collect(reflect.TypeFor[Config](), fields)
	candidates := fields[typeName]
	if len(candidates) == 0 {
		// Types with their own UnmarshalYAML decode through a local type called "plain".
		for _, f := range fields {
			candidates = append(candidates, f...)
		}
	}
	best, bestDistance := "", 1+max(2, len(name)/3)
	for _, c := range candidates {
		if d := distance(name, c); d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// collect lists the YAML field names of every struct type reachable from t.
func collect(t reflect.Type, into map[string][]string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	key := t.String()
	if _, seen := into[key]; seen {
		return
	}
	into[key] = nil
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name != "" {
			into[key] = append(into[key], name)
		}
		collect(f.Type, into)
		if strings.Contains(opts, "inline") {
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			into[key] = append(into[key], into[ft.String()]...)
		}
	}
}

// distance is the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
