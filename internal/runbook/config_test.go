package runbook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/runbook"
)

func TestDefaults(t *testing.T) {
	cfg := config(t, `[{name: a, matchers: ['cause_kind="disk"'], url: "https://runner.example/x"}]`)
	r := cfg[0]
	require.Equal(t, runbook.ModeSuggest, r.Mode)
	require.Equal(t, "POST", r.Method)
	require.False(t, r.Idempotent)
	require.Equal(t, 5, r.Attempts)
	require.Equal(t, 15*time.Second, time.Duration(r.Timeout))
	require.Equal(t, 30*time.Minute, time.Duration(r.TTL))
	require.Equal(t, runbook.Limits{PerTarget: 1, PerHour: 10, Concurrent: 4}, r.Limits)
	require.Equal(t, 5*time.Minute, time.Duration(r.Verify.For))
	body, err := runbook.Render(cfg, incident())
	require.NoError(t, err)
	require.JSONEq(t, `{"incident":"i-1","severity":"critical","cause":"db-0/disk","cause_kind":"disk","resource":"db-0"}`, string(body))
}

// TestMistakes has one line for each mistake and the exact text that a user reads.
func TestMistakes(t *testing.T) {
	const prefix = "runbooks[0] (a): "
	for name, tc := range map[string]struct{ change, want string }{
		"unknown field":       {"colour: red", "line 2: field colour not found in type runbook.plain"},
		"mode auto":           {"mode: auto", prefix + "mode: auto is not available yet, want suggest (show it) or approve (call it when a person approved)"},
		"another mode":        {"mode: maybe", prefix + `mode: "maybe", want suggest or approve`},
		"no name":             {`name: ""`, `runbooks[0] (): name: "", want 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit`},
		"name with a slash":   {`name: a/b`, `runbooks[0] (a/b): name: "a/b", want 1 to 63 letters`},
		"no matchers":         {"matchers: []", prefix + `matchers: none, want at least one such as 'cause_kind="disk"'`},
		"matches everything":  {`matchers: ['severity=~".*"']`, prefix + `matchers: severity=~".*" match every incident, want at least one that does not match the empty value`},
		"not a matcher":       {`matchers: ['cause_kind']`, `matchers: "cause_kind" is not a matcher (`},
		"matchers as a map":   {`matchers: {cause_kind: disk}`, `matchers: want a list of strings such as 'cause_kind="disk"'`},
		"bad regular exp.":    {`matchers: ['a=~"("']`, "missing closing )"},
		"no URL":              {`url: ""`, prefix + "url: missing, want for example https://runner.example.com/failover"},
		"URL without scheme":  {`url: "runner.example/x"`, prefix + `url: scheme "", want http or https`},
		"URL without host":    {`url: "http:///x"`, prefix + "url: no host, want for example https://runner.example.com/failover"},
		"URL with a password": {`url: "http://ann:hunter2@runner.example/"`, prefix + "url: holds a user name or password, want them in http_config.basic_auth"},
		"URL with a template": {`url: "http://runner.example/{{.Resource}}"`, "url: holds a template, want a fixed URL: only values of body may come from an incident"},
		"URL of this machine": {`url: "http://127.0.0.1:8080/"`, prefix + "url: address 127.0.0.1 refused: loopback address, allow_hosts does not list it, want another host, or this one in allow_hosts if you mean it"},
		"URL of metadata":     {`url: "http://169.254.169.254/"`, prefix + "url: address 169.254.169.254 refused: metadata service, never called"},
		"method GET":          {"method: GET", prefix + `method: "GET", want POST, PUT, PATCH or DELETE`},
		"header of ours":      {"headers: {Webhook-ID: x}", prefix + `headers: "Webhook-ID" is set by Tidemark, want it left out`},
		"header with a break": {`headers: {X: "a\r\nY: b"}`, prefix + `headers: the value of "X" holds a line break, want one line`},
		"header name":         {`headers: {"X Y": a}`, prefix + `headers: "X Y" is not a header name`},
		"header template":     {`headers: {X: "{{ .ID }}"}`, prefix + `headers: "X" holds a template, want a fixed value: only values of body may come from an incident`},
		"proxy":               {`http_config: {proxy_url: "http://proxy.example"}`, prefix + "http_config: a proxy would connect where Tidemark cannot check the address, want none"},
		"two credentials":     {`http_config: {basic_auth: {username: a}, authorization: {credentials: b}}`, "at most one of basic_auth, oauth2 & authorization must be configured"},
		"unknown in http":     {`http_config: {basic: 1}`, "field basic not found"},
		"weak secret":         {"secret: hunter2", prefix + "secret: not a signing key, want whsec_ and base64 of 24 to 64 random bytes, for example from: openssl rand -base64 32"},
		"secret and file":     {"secret: " + keyA + "\n  secret_file: x", prefix + "secret, secret_file: both set, want at most one"},
		"no attempts":         {"attempts: 0", prefix + "attempts: 0, want 1 to 20"},
		"no calls an hour":    {"limits: {per_hour: 0}", prefix + "limits.per_hour: 0, want 1 to 1000"},
		"timeout":             {"timeout: 10m", prefix + "timeout: 10m, want 1s to 5m"},
		"ttl":                 {"ttl: 10s", prefix + "ttl: 10s, want 1m to 1d"},
		"verify shorter":      {"verify: {for: 10m, timeout: 5m}", prefix + "verify.timeout: 5m, want 10m to 1d"},
		"verify not PromQL":   {"verify: {expr: 'up =='}", prefix + "verify.expr: not PromQL ("},
		"allowed other host":  {"allow_hosts: [other.example]", prefix + `allow_hosts: "other.example" is neither an address, a network nor the host of url, want for example 127.0.0.1 or 10.0.0.0/8`},
		"allowed metadata":    {"allow_hosts: [169.254.169.254]", prefix + "allow_hosts: 169.254.169.254/32 is a metadata service that hands out credentials, want it left out: it is never called"},
		"template syntax":     {"body: {x: '{{ .ID'}", prefix + "body.x: template: body.x:1: unclosed action, want a Go template such as '{{ .Resource }}'"},
		"template field":      {"body: {x: {y: ['{{ .Resorce }}']}}", "body.x.y[0]: template: body.x.y[0]:1:3"},
		"template in a key":   {"body: {'{{ .ID }}': 1}", prefix + `body: key "{{ .ID }}" holds a template, want a fixed key: only values may come from an incident`},
		"number as a key":     {"body: {x: {1: 2}}", "want a text, number, true, false, list or object with text keys"},
	} {
		t.Run(name, func(t *testing.T) {
			base := map[string]string{"name": "a", "matchers": `['cause_kind="disk"']`, "url": "http://runner.example/"}
			field, _, _ := strings.Cut(tc.change, ":")
			delete(base, field)
			text := "- " + tc.change + "\n"
			for _, name := range []string{"name", "matchers", "url"} {
				if value, ok := base[name]; ok {
					text += "  " + name + ": " + value + "\n"
				}
			}
			if field == "colour" {
				text = "- name: a\n  colour: red\n"
			}
			cfg, err := parseConfig(text)
			if err == nil {
				err = cfg.Validate()
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestTwoRunbooksOfOneName(t *testing.T) {
	cfg, err := parseConfig(strings.Repeat(`
- {name: a, matchers: ['x="y"'], url: "http://runner.example"}`, 2))
	require.NoError(t, err)
	require.EqualError(t, cfg.Validate(), "runbooks[1] (a): name: runbooks[0] has it too, want unique names")
}

func TestFilesLieBesideTheConfiguration(t *testing.T) {
	cfg := config(t, `[{name: a, matchers: ['x="y"'], url: "http://runner.example", secret_file: key, http_config: {tls_config: {ca_file: ca.pem}}}]`)
	cfg.SetDirectory("/etc/tidemark")
	require.Equal(t, "/etc/tidemark/key", cfg[0].SecretFile)
	require.Equal(t, "/etc/tidemark/ca.pem", cfg[0].HTTPConfig.TLSConfig.CAFile)
}

func TestMatchLabels(t *testing.T) {
	i := runbook.Incident{
		ID: "i-1", Severity: "critical", Cause: "c", CauseKind: "disk", Resource: "db-0",
		// Anybody can send an alert with these labels; they must not select a runbook.
		Labels:     model.LabelSet{"cluster": "eu", "cause_kind": "deploy", "resource": "other", "incident": "x", "severity": "none", "cause": "y", "alertname": "Forged"},
		Alertnames: []string{"A"},
	}
	require.Equal(t, model.LabelSet{
		"alertname": "A", "cluster": "eu", "incident": "i-1", "severity": "critical", "cause": "c",
		"cause_kind": "disk", "resource": "db-0",
	}, i.MatchLabels())
	i.Alertnames = []string{"A", "B"}
	require.NotContains(t, i.MatchLabels(), model.LabelName("alertname"), "there is none when there are two")
}

func TestMatchersSelectRunbooks(t *testing.T) {
	inBubble(t, `
- {name: disk, matchers: ['cause_kind="disk"', 'severity=~"critical|page"'], url: "http://runner.example"}
- {name: deploy, matchers: ['cause_kind="deploy"'], url: "http://runner.example"}
- {name: eu, matchers: ['cluster="eu"', 'team=""'], url: "http://runner.example"}
- {name: team, matchers: ['cluster="eu"', 'team!=""'], url: "http://runner.example"}
`, func(r *rig) {
		var names []string
		for _, p := range r.m.Propose(incident()) {
			names = append(names, p.Runbook)
		}
		require.Equal(t, []string{"disk", "eu"}, names)
	})
}

func TestBodyValuesAreData(t *testing.T) {
	cfg := config(t, `
- name: a
  matchers: ['x="y"']
  url: http://runner.example
  body: {text: '{{ .Summary }}', deep: {list: ['{{ .Labels.x }}', 1, true, null, 2.5]}, none: '{{ index .Labels "none" }}', n: '{{ len .Affected }}'}
`)
	i := runbook.Incident{Summary: `"},"admin":true,{"x":"` + "\u2028</script>{{ .ID }}\x00", Labels: model.LabelSet{"x": "{{ .ID }}"}, Affected: []string{"a", "b"}}
	body, err := runbook.Render(cfg, i)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, map[string]any{
		"text": i.Summary, "none": "", "n": "2",
		"deep": map[string]any{"list": []any{"{{ .ID }}", 1.0, true, nil, 2.5}},
	}, got)

	i.Summary = strings.Repeat("x", 4097)
	_, err = runbook.Render(cfg, i)
	require.EqualError(t, err, "body.text: the value is longer than 4096 bytes")
	_, err = runbook.Render(cfg, runbook.Incident{})
	require.ErrorContains(t, err, `map has no entry for key "x"`)
}

func TestBodyIsBounded(t *testing.T) {
	cfg := config(t, `[{name: a, matchers: ['x="y"'], url: "http://runner.example", body: {a: '{{ .Summary }}', b: '{{ .Summary }}', c: '{{ .Summary }}', d: '{{ .Summary }}'}}]`)
	_, err := runbook.Render(cfg, runbook.Incident{Summary: strings.Repeat("<", 4096)})
	require.ErrorContains(t, err, "at most 16384 are sent")
}

// FuzzBody: whatever an incident says, the body has exactly the fields that were configured, and
// each holds exactly what was said.
func FuzzBody(f *testing.F) {
	cfg := config(f, `[{name: a, matchers: ['x="y"'], url: "http://runner.example", body: {one: '{{ .Summary }}', two: 'x {{ .Labels.l }}'}}]`)
	f.Add("a", "b")
	f.Add(`","two":"`, "{{ .ID }}")
	f.Add("\xff\xfe", "\x00\u2029")
	f.Fuzz(func(t *testing.T, one, two string) {
		body, err := runbook.Render(cfg, runbook.Incident{Summary: one, Labels: model.LabelSet{"l": model.LabelValue(two)}})
		if err != nil {
			return // Too long.
		}
		var got map[string]string
		require.NoError(t, json.Unmarshal(body, &got))
		require.Equal(t, map[string]string{"one": utf8(one), "two": "x " + utf8(two)}, got)
	})
}

// utf8 is what encoding/json makes of a string: U+FFFD for every byte that is no UTF-8.
func utf8(s string) string { return string([]rune(s)) }

// FuzzConfig: no text of a configuration file brings the process down.
func FuzzConfig(f *testing.F) {
	f.Add(failover)
	f.Add("[{name: a, body: &a {x: *a}}]")
	f.Add("[{matchers: ['a=~\"((((((\"']}]")
	f.Add("[{headers: {a: [1]}, body: {1: {2: 3}}}]")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parseConfig(text)
		if err != nil || cfg.Validate() != nil {
			return
		}
		_, err = yaml.Marshal(cfg)
		require.NoError(t, err)
	})
}
