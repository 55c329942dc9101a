package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/rules"
)

// file has the two sections as the configuration file has them.
type file struct {
	Discover rules.DiscoverConfig `yaml:"discover"`
	Watches  rules.Watches        `yaml:"watches"`
}

func decode(text string) (file, error) {
	var f file
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	err := dec.Decode(&f)
	return f, err
}

func TestConfigIsRead(t *testing.T) {
	f, err := decode(`
discover:
  rules: false
  presets: [node]
watches:
  - name: checkout_latency
    expr: rate(checkout_seconds_sum[5m]) / rate(checkout_seconds_count[5m])
    interval: 30s
    direction: up
    limit: 0.5
    group_by: [job]
  - name: stock
    expr: stock_level
`)
	require.NoError(t, err)
	require.False(t, f.Discover.Rules)
	require.Equal(t, []string{"node"}, f.Discover.Presets)
	require.Equal(t, model.Duration(time.Minute), f.Discover.Interval, "what is not named has its default")
	require.Equal(t, rules.Watches{
		{
			Name: "checkout_latency", Expr: "rate(checkout_seconds_sum[5m]) / rate(checkout_seconds_count[5m])",
			Interval: model.Duration(30 * time.Second), Direction: rules.Up, Limit: limit(0.5), GroupBy: []string{"job"}, Origin: "config",
		},
		{Name: "stock", Expr: "stock_level", Direction: rules.Both, Origin: "config"},
	}, f.Watches)
}

func TestConfigErrorsSayWhatWouldBeRight(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no name", "watches: [{expr: up}]", `watches[0]: name is missing`},
		{"a name with spaces", "watches: [{name: 'a b', expr: up}]", `watches[0] "a b": name: use up to 128 letters, digits and _ : . - , not beginning with a digit`},
		{"no expression", "watches: [{name: a}]", `watches[0] "a": expr: is missing: give a PromQL expression`},
		{
			"half an expression", "watches: [{name: a, expr: 'sum(rate(up[5m])'}]",
			"watches[0] \"a\": expr: 1:17: parse error: unclosed left parenthesis\n  sum(rate(up[5m])\n                  ^",
		},
		{
			"a wrong function on a second line", "watches: [{name: a, expr: \"1 +\\n\\tratte(up[5m])\"}]",
			"watches[0] \"a\": expr: 2:2: parse error: unknown function with name \"ratte\"\n  \tratte(up[5m])\n  \t^",
		},
		{"a range", "watches: [{name: a, expr: 'up[5m]'}]", `watches[0] "a": expr: "up[5m]" yields a range vector: a watch needs an instant vector or a scalar, for example rate(...) of a range`},
		{"a fixed moment", "watches: [{name: a, expr: 'up @ 5'}]", `watches[0] "a": expr: the @ modifier ties a value to another moment: a watch can't use it`},
		{"too often", "watches: [{name: a, expr: up, interval: 10ms}]", `watches[0] "a": interval is 10ms: must be between 1s and 1h`},
		{"too rarely", "watches: [{name: a, expr: up, interval: 2h}]", `watches[0] "a": interval is 2h: must be between 1s and 1h`},
		{"sideways", "watches: [{name: a, expr: up, direction: left}]", `watches[0] "a": direction is "left": must be up, down or both`},
		{"twice", "watches: [{name: a, expr: up}, {name: b, expr: up}, {name: a, expr: load}]", `watches[2]: the name "a" is taken by watches[0]: names must differ`},
		{"an empty label", "watches: [{name: a, expr: up, group_by: ['']}]", `watches[0] "a": group_by: "" is no label name`},
		{"an unknown preset", "discover: {presets: [windows]}", `discover: presets: there is no preset "windows": there are red, node, kubernetes, servicegraph`},
		{"a wrong pattern", "discover: {exclude: ['(']}", "discover: exclude: error parsing regexp: missing closing ): `(`"},
		{"no watch allowed", "discover: {max_watches: -1}", `discover: max_watches is -1: must be between 1 and 10000`},
		{"a long window", "discover: {rate_window: 2d}", `discover: rate_window is 2d: must be between 1s and 1d`},
		{"a long interval", "discover: {interval: 1d}", `discover: interval is 1d: must be between 1s and 1h`},
		{"an unknown field", "discover: {rule: true}", "yaml: unmarshal errors:\n  line 1: field rule not found in type rules.plain"},
		{"an unknown field of a watch", "watches: [{name: a, expr: up, intervall: 5m}]", "yaml: unmarshal errors:\n  line 1: field intervall not found in type rules.Watch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode(tc.text)
			require.EqualError(t, err, tc.want)
		})
	}
}
