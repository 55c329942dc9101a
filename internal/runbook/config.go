package runbook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"
	amlabels "github.com/prometheus/alertmanager/pkg/labels"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Mode says what Tidemark may do with a runbook by itself.
type Mode string

// Modes. There is no automatic mode yet.
const (
	// ModeSuggest shows the runbook in the incident; Tidemark never calls it. The default.
	ModeSuggest Mode = "suggest"
	// ModeApprove calls it once a person approved.
	ModeApprove Mode = "approve"
)

// Config is the section `runbooks:` of the configuration file.
type Config []Runbook

// Runbook is one endpoint and when and how it may be called.
type Runbook struct {
	// Name is the unique name that stands in labels, paths and the audit log: letters, digits, `.`, `_` and `-`.
	// Required.
	Name string `yaml:"name"`
	// Description tells the person who approves what will happen, in a sentence.
	Description string `yaml:"description,omitempty"`
	// Matchers are what selects incidents, in Alertmanager's syntax, for example `cause_kind="disk"`; all must hold.
	// docs/runbooks.md lists the labels. Required.
	Matchers Matchers `yaml:"matchers"`
	// URL is called as it stands here; nothing in it comes from an alert. Required.
	URL string `yaml:"url"`
	// Method is the method of the call: POST, PUT, PATCH or DELETE.
	Method string `yaml:"method,omitempty"`
	// Headers are sent as they stand here. They may hold credentials, so they never print.
	Headers map[string]commoncfg.Secret `yaml:"headers,omitempty"`
	// HTTPConfig holds basic auth, TLS and bearer token; a proxy is refused, for it would connect where
	// Tidemark can't check the address.
	HTTPConfig commoncfg.HTTPClientConfig `yaml:"http_config,omitempty"`
	// Mode is what Tidemark may do: suggest (show it in the incident, never call it) or approve (call it
	// once a person approved).
	Mode Mode `yaml:"mode,omitempty"`
	// Body is the JSON object that is sent. Strings in it are templates over the incident, for example
	// `{{ .Cause }}`; docs/runbooks.md lists what there is.
	Body map[string]any `yaml:"body,omitempty"`
	// Secret signs the calls as Standard Webhooks has it: `whsec_` and base64 of 24 to 64 bytes. Unsigned
	// when empty.
	Secret commoncfg.Secret `yaml:"secret,omitempty"`
	// SecretFile is a file with the secret, read at every call; it may hold several, one a line, while
	// keys are rotated.
	SecretFile string `yaml:"secret_file,omitempty"`
	// Idempotent is true where the endpoint acts once per `webhook-id`, however often it is called.
	Idempotent bool `yaml:"idempotent,omitempty"`
	// AllowHosts lists addresses, networks or the url's host name that may lie on this machine or its
	// link, for example `127.0.0.1`; others there are never called.
	AllowHosts []string `yaml:"allow_hosts,omitempty"`
	// Timeout bounds one attempt of a call.
	Timeout model.Duration `yaml:"timeout,omitempty"`
	// Attempts is how often a call that fails is made in all.
	Attempts int `yaml:"attempts,omitempty"`
	// TTL is the time from the approval to the last attempt; what is older is not called any more.
	TTL model.Duration `yaml:"ttl,omitempty"`
	// Limits are bounds on how often the runbook is called, whatever is approved.
	Limits Limits `yaml:"limits,omitempty"`
	// Verify says how Tidemark tells that the runbook helped.
	Verify Verify `yaml:"verify,omitempty"`
	// Roles lists who may approve, by role or by name; empty means everyone the server lets write.
	Roles []string `yaml:"roles,omitempty"`

	body  *body  // Compiled by Validate.
	guard *guard // Compiled by Validate.
}

// Limits bound how often a runbook is called, whatever is approved.
type Limits struct {
	// PerTarget is how many calls may be made for one cause and resource within an hour.
	PerTarget int `yaml:"per_target,omitempty" json:"per_target"`
	// PerHour is how many calls may be made in any hour.
	PerHour int `yaml:"per_hour,omitempty" json:"per_hour"`
	// Concurrent is how many calls may run at one time.
	Concurrent int `yaml:"concurrent,omitempty" json:"concurrent"`
}

// Verify says how Tidemark tells that a runbook helped.
type Verify struct {
	// Expr is a PromQL condition: it holds while it returns at least one sample. Empty: the
	// incident's anomalies are back inside their bands.
	Expr string `yaml:"expr,omitempty"`
	// For is how long it must hold without a break.
	For model.Duration `yaml:"for,omitempty"`
	// Timeout is how long after the call Tidemark waits for that.
	Timeout model.Duration `yaml:"timeout,omitempty"`
}

// DefaultRunbook has the defaults of every field that has one.
func DefaultRunbook() Runbook {
	return Runbook{
		Method:     http.MethodPost,
		HTTPConfig: commoncfg.DefaultHTTPClientConfig,
		Mode:       ModeSuggest,
		Timeout:    model.Duration(15 * time.Second),
		Attempts:   5,
		TTL:        model.Duration(30 * time.Minute),
		Limits:     Limits{PerTarget: 1, PerHour: 10, Concurrent: 4},
		Verify:     Verify{For: model.Duration(5 * time.Minute), Timeout: model.Duration(20 * time.Minute)},
	}
}

// UnmarshalYAML decodes over the defaults. It has the form with a function because that one keeps
// the decoder's refusal of unknown fields.
func (r *Runbook) UnmarshalYAML(unmarshal func(any) error) error {
	*r = DefaultRunbook()
	type plain Runbook
	return unmarshal((*plain)(r))
}

// MarshalYAML writes the runbook without secrets; the query of its URL may hold one.
func (r Runbook) MarshalYAML() (any, error) {
	type plain Runbook
	out := plain(r)
	out.URL = r.printableURL()
	return out, nil
}

// String returns the name: a runbook that is printed by mistake tells no secret.
func (r Runbook) String() string { return "runbook " + r.Name }

// GoString is String.
func (r Runbook) GoString() string { return r.String() }

// Matchers are Alertmanager matchers, each written as one string.
type Matchers []*amlabels.Matcher

// UnmarshalYAML reads a list of strings such as `cause_kind="disk"`.
func (m *Matchers) UnmarshalYAML(unmarshal func(any) error) error {
	var lines []string
	if err := unmarshal(&lines); err != nil {
		return fmt.Errorf("matchers: want a list of strings such as 'cause_kind=\"disk\"': %w", err)
	}
	*m = nil
	for _, line := range lines {
		matcher, err := parse.Matcher(line)
		if err != nil {
			return fmt.Errorf("matchers: %q is not a matcher (%w), want for example 'cause_kind=\"disk\"'", line, err)
		}
		*m = append(*m, matcher)
	}
	return nil
}

// MarshalYAML writes the list of strings.
func (m Matchers) MarshalYAML() (any, error) { return m.Strings(), nil }

// Strings returns the matchers as they are written in the configuration.
func (m Matchers) Strings() []string {
	out := make([]string, 0, len(m))
	for _, matcher := range m {
		out = append(out, matcher.String())
	}
	return out
}

// Validate checks and compiles every runbook. Its errors say which runbook and field, what is wrong
// and what would be right. A Config must be validated before it is given to [New].
func (c Config) Validate() error {
	var errs []error
	seen := map[string]int{}
	for i := range c {
		r := &c[i]
		if err := r.validate(); err != nil {
			errs = append(errs, fmt.Errorf("runbooks[%d] (%s): %w", i, r.Name, err))
		}
		if first, dup := seen[r.Name]; dup {
			errs = append(errs, fmt.Errorf("runbooks[%d] (%s): name: runbooks[%d] has it too, want unique names", i, r.Name, first))
		}
		seen[r.Name] = i
	}
	return errors.Join(errs...)
}

// SetDirectory joins relative file names with dir, the folder of the configuration file.
func (c Config) SetDirectory(dir string) {
	for i := range c {
		c[i].SecretFile = commoncfg.JoinDir(dir, c[i].SecretFile)
		c[i].HTTPConfig.SetDirectory(dir)
	}
}

var nameRE = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

func (r *Runbook) validate() error {
	checks := []func() error{
		r.checkName, r.checkMode, r.checkMatchers, r.checkURL, r.checkMethod, r.checkHeaders,
		r.checkHTTPConfig, r.checkSecret, r.checkNumbers, r.checkVerify, r.compile,
	}
	var errs []error
	for _, check := range checks {
		if err := check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Runbook) checkName() error {
	if !nameRE.MatchString(r.Name) {
		return fmt.Errorf("name: %q, want 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit", r.Name)
	}
	return nil
}

func (r *Runbook) checkMode() error {
	switch r.Mode {
	case ModeSuggest, ModeApprove:
		return nil
	case "auto":
		return errors.New("mode: auto is not available yet, want suggest (show it) or approve (call it when a person approved)")
	}
	return fmt.Errorf("mode: %q, want suggest or approve", r.Mode)
}

func (r *Runbook) checkMatchers() error {
	if len(r.Matchers) == 0 {
		return errors.New("matchers: none, want at least one such as 'cause_kind=\"disk\"'")
	}
	for _, m := range r.Matchers {
		if !m.Matches("") {
			return nil
		}
	}
	return fmt.Errorf("matchers: %s match every incident, want at least one that does not match the empty value",
		strings.Join(r.Matchers.Strings(), ", "))
}

func (r *Runbook) checkURL() error {
	u, err := url.Parse(r.URL)
	switch {
	case r.URL == "":
		return errors.New("url: missing, want for example https://runner.example.com/failover")
	case err != nil:
		return errors.New("url: cannot be parsed, want for example https://runner.example.com/failover")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("url: scheme %q, want http or https", u.Scheme)
	case u.Hostname() == "":
		return errors.New("url: no host, want for example https://runner.example.com/failover")
	case u.User != nil:
		return errors.New("url: holds a user name or password, want them in http_config.basic_auth")
	case strings.Contains(r.URL, "{{"):
		return errors.New("url: holds a template, want a fixed URL: only values of body may come from an incident")
	}
	return nil
}

func (r *Runbook) checkMethod() error {
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return nil
	}
	return fmt.Errorf("method: %q, want POST, PUT, PATCH or DELETE", r.Method)
}

// ours are the headers that Tidemark sets itself.
var ours = []string{headerID, headerTimestamp, headerSignature, headerKey, "Content-Type", "Content-Length", "Host", "User-Agent"}

func (r *Runbook) checkHeaders() error {
	var errs []error
	for name, value := range r.Headers {
		switch {
		case !validToken(name):
			errs = append(errs, fmt.Errorf("headers: %q is not a header name", name))
		case strings.ContainsAny(string(value), "\r\n\x00"):
			errs = append(errs, fmt.Errorf("headers: the value of %q holds a line break, want one line", name))
		case strings.Contains(string(value), "{{"):
			errs = append(errs, fmt.Errorf("headers: %q holds a template, want a fixed value: only values of body may come from an incident", name))
		}
		for _, own := range ours {
			if strings.EqualFold(name, own) {
				errs = append(errs, fmt.Errorf("headers: %q is set by Tidemark, want it left out", name))
			}
		}
	}
	return errors.Join(errs...)
}

// validToken says whether s is a token of RFC 9110, section 5.6.2.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

func (r *Runbook) checkHTTPConfig() error {
	if r.HTTPConfig.ProxyURL.URL != nil || r.HTTPConfig.ProxyFromEnvironment {
		return errors.New("http_config: a proxy would connect where Tidemark cannot check the address, want none")
	}
	if err := r.HTTPConfig.Validate(); err != nil {
		return fmt.Errorf("http_config: %w", err)
	}
	return nil
}

func (r *Runbook) checkSecret() error {
	if r.Secret != "" && r.SecretFile != "" {
		return errors.New("secret, secret_file: both set, want at most one")
	}
	if r.Secret == "" {
		return nil
	}
	if _, err := parseKeys(string(r.Secret)); err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	return nil
}

func (r *Runbook) checkNumbers() error {
	var errs []error
	for _, n := range []struct {
		field      string
		value, max int
	}{
		{"attempts", r.Attempts, 20},
		{"limits.per_target", r.Limits.PerTarget, 1000},
		{"limits.per_hour", r.Limits.PerHour, 1000},
		{"limits.concurrent", r.Limits.Concurrent, 100},
	} {
		if n.value < 1 || n.value > n.max {
			errs = append(errs, fmt.Errorf("%s: %d, want 1 to %d", n.field, n.value, n.max))
		}
	}
	for _, d := range []struct {
		field    string
		value    model.Duration
		min, max time.Duration
	}{
		{"timeout", r.Timeout, time.Second, 5 * time.Minute},
		{"ttl", r.TTL, time.Minute, 24 * time.Hour},
		{"verify.for", r.Verify.For, time.Second, 24 * time.Hour},
		{"verify.timeout", r.Verify.Timeout, time.Duration(r.Verify.For), 24 * time.Hour},
	} {
		if v := time.Duration(d.value); v < d.min || v > d.max {
			errs = append(errs, fmt.Errorf("%s: %s, want %s to %s", d.field, d.value, model.Duration(d.min), model.Duration(d.max)))
		}
	}
	return errors.Join(errs...)
}
