package rules

import (
	"bytes"
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// presetTable is every preset: one row and one file in presets/ each.
var presetTable = []string{
	"red",
	"node",
	"kubernetes",
	"servicegraph",
}

// preset is a file of presets/.
type preset struct {
	// Description is one sentence for people.
	Description string `yaml:"description"`
	// Exclude are metric names that its patterns leave out, as an anchored regular expression.
	Exclude string        `yaml:"exclude,omitempty"`
	Watches []presetWatch `yaml:"watches"`

	exclude *regexp.Regexp
}

// presetWatch is one watch, or one for each metric that Match matches. In Expr, $window is the
// window of rates, $metric the metric's name, $base the part of it that the first group matched.
type presetWatch struct {
	Name string `yaml:"name"`
	// Needs are the metrics that must exist; $base stands for what Match found.
	Needs []string `yaml:"needs,omitempty"`
	// Match is an anchored regular expression over metric names.
	Match     string    `yaml:"match,omitempty"`
	Expr      string    `yaml:"expr"`
	Direction Direction `yaml:"direction"`
	Limit     *float64  `yaml:"limit,omitempty"`
	GroupBy   []string  `yaml:"group_by,omitempty"`

	match *regexp.Regexp
}

// PresetNames are the presets that there are.
func PresetNames() []string { return slices.Clone(presetTable) }

// maxMatches bounds the metrics that one pattern of a preset may watch.
const maxMatches = 40

// loadPresets decodes the files once; they are part of the binary.
var loadPresets = sync.OnceValues(func() (map[string]*preset, error) {
	out := map[string]*preset{}
	for _, name := range presetTable {
		b, err := presetFiles.ReadFile("presets/" + name + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("preset %s: %w", name, err)
		}
		p := &preset{}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(p); err != nil {
			return nil, fmt.Errorf("preset %s: %w", name, err)
		}
		if err := p.compile(); err != nil {
			return nil, fmt.Errorf("preset %s: %w", name, err)
		}
		out[name] = p
	}
	return out, nil
})

func (p *preset) compile() (err error) {
	if p.exclude, err = anchored(p.Exclude); err != nil {
		return err
	}
	for i := range p.Watches {
		if p.Watches[i].match, err = anchored(p.Watches[i].Match); err != nil {
			return err
		}
	}
	return nil
}

func anchored(expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil
	}
	return regexp.Compile(`^(?:` + expr + `)$`)
}

// fromPresets makes the watches of the configured presets whose metrics exist.
func fromPresets(metricNames []string, cfg DiscoverConfig) ([]Watch, error) {
	all, err := loadPresets()
	if err != nil {
		return nil, err
	}
	names := slices.Clone(metricNames)
	slices.Sort(names)
	exists := make(map[string]bool, len(names))
	for _, n := range names {
		exists[n] = true
	}
	var out []Watch
	for _, name := range presetTable {
		if !slices.Contains(cfg.Presets, name) {
			continue
		}
		p := all[name]
		for _, pw := range p.Watches {
			for _, w := range pw.expand(names, exists, p.exclude, cfg.RateWindow) {
				w.Origin, w.Interval = "preset "+name, cfg.Interval
				out = append(out, w)
			}
		}
	}
	return out, nil
}

// expand gives the watch, or one for each metric that matches.
func (pw *presetWatch) expand(names []string, exists map[string]bool, exclude *regexp.Regexp, window model.Duration) []Watch {
	if pw.match == nil {
		if !slices.ContainsFunc(pw.Needs, func(n string) bool { return !exists[n] }) {
			return []Watch{pw.watch("", "", window)}
		}
		return nil
	}
	var out []Watch
	for _, metric := range names {
		m := pw.match.FindStringSubmatch(metric)
		if m == nil || exclude != nil && exclude.MatchString(metric) || !validName.MatchString(metric) {
			continue
		}
		base := metric
		if len(m) > 1 {
			base = m[1]
		}
		if slices.ContainsFunc(pw.Needs, func(n string) bool { return !exists[strings.ReplaceAll(n, "$base", base)] }) {
			continue
		}
		if out = append(out, pw.watch(metric, base, window)); len(out) == maxMatches {
			break
		}
	}
	return out
}

func (pw *presetWatch) watch(metric, base string, window model.Duration) Watch {
	fill := strings.NewReplacer("$metric", metric, "$base", base, "$window", window.String())
	return Watch{
		Name: fill.Replace(pw.Name), Expr: strings.TrimSpace(fill.Replace(pw.Expr)),
		Direction: pw.Direction, Limit: pw.Limit, GroupBy: pw.GroupBy,
	}
}
