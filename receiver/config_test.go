package receiver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/receiver"
)

func parseConfig(text string) (receiver.Config, error) {
	var c receiver.Config
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	return c, d.Decode(&c)
}

func TestConfigNamesWhatDiffers(t *testing.T) {
	c, err := parseConfig("webhook:\n  max_body: 64MiB\n")
	require.NoError(t, err)
	want := receiver.DefaultConfig()
	want.Webhook.MaxBody = 64 * receiver.MiB
	require.Equal(t, want, c)

	text, err := yaml.Marshal(c)
	require.NoError(t, err)
	require.Contains(t, string(text), "max_body: 64MiB")
	again, err := parseConfig(string(text))
	require.NoError(t, err)
	require.Equal(t, c, again)
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a size without a unit", "webhook: {max_body: 32}", `line 1: size "32" is not a whole number with B, KiB, MiB or GiB, such as 32MiB`},
		{"a size in words", "loki: {max_line_size: big}", `line 1: size "big" is not a whole number with B, KiB, MiB or GiB, such as 32MiB`},
		{"nothing at once", "max_inflight: 0", "receiver: max_inflight must be above zero; leave it out for the default"},
		{
			"values that Prometheus cannot hold", "webhook: {max_value_size: 17MiB}",
			"receiver: label and annotation values are limited to 16MiB: Prometheus' label encoder cannot hold more",
		},
		{
			"counts of no whole seconds", "count_every: 1500ms",
			"receiver: count_every is 1s500ms, must be whole seconds from 1s to 1m",
		},
		{
			"keys that are forgotten too soon", "webhook: {dedup_retention: 5m}",
			"receiver: webhook.dedup_retention is 5m, must be at least 1h: Alertmanager repeats a message each repeat_interval (default 4h)",
		},
		{"less room than one body", "max_inflight_bytes: 1MiB", "receiver: max_inflight_bytes is 1MiB, must be at least webhook.max_body, 32MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parseConfig(tc.text)
			require.EqualError(t, err, tc.want)
		})
	}
	_, err := parseConfig("webhok: {}")
	require.ErrorContains(t, err, "field webhok not found")
}

func TestConfigCanChange(t *testing.T) {
	r := newRig(t)
	c := receiver.DefaultConfig()
	c.Webhook.MaxBody = 10
	require.NoError(t, r.ApplyConfig(c))
	require.Equal(t, 413, r.webhook(alert("A", "firing", start)).Code)
	c.MaxInflight = -1
	require.Error(t, r.ApplyConfig(c))
	require.Equal(t, 413, r.webhook(alert("A", "firing", start)).Code, "a bad configuration changes nothing")
}

func TestReceiverNeedsALog(t *testing.T) {
	_, err := receiver.New(receiver.Options{Config: receiver.DefaultConfig()})
	require.EqualError(t, err, "receiver: Log is missing; NoLog{} keeps nothing")
}
