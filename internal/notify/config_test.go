package notify_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/notify"
)

func parse(text string) ([]notify.Config, error) {
	var c []notify.Config
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	return c, d.Decode(&c)
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no url", `[{timeout: 5s}]`, "alertmanagers: url is missing, such as http://alertmanager:9093"},
		{"no scheme", `[{url: "alertmanager:9093"}]`, `alertmanagers: url "alertmanager:9093" must be an http or https URL such as http://alertmanager:9093`},
		{"the path of the API", `[{url: "http://am:9093/api/v2/alerts"}]`, `alertmanagers: url "http://am:9093/api/v2/alerts" must end before /api/v2, which is added`},
		{"credentials in the url", `[{url: "http://u:secret@am:9093"}]`, "alertmanagers: url of am:9093 must not hold credentials; use http_config.basic_auth"},
		{"a query", `[{url: "http://am:9093/?a=b"}]`, `alertmanagers: url "http://am:9093/?a=b" must have neither a query nor a fragment`},
		{"no time", `[{url: "http://am:9093", timeout: 0s}]`, "alertmanagers: timeout of am:9093 must be above zero, such as 10s"},
		{
			"two kinds of credentials", `[{url: "http://am:9093", http_config: {bearer_token: a, basic_auth: {username: u}}}]`,
			"at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse(tc.text)
			require.EqualError(t, err, tc.want)
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := parse(`[{url: "http://am:9093/prefix/"}]`)
	require.NoError(t, err)
	require.Equal(t, "10s", c[0].Timeout.String())
	require.True(t, c[0].HTTPConfig.FollowRedirects)
	_, err = parse(`[{url: "http://am:9093", timeuot: 5s}]`)
	require.ErrorContains(t, err, "field timeuot not found")
}
