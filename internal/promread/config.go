package promread

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Config is the section `prometheus:` of the configuration file: which server to read, and how
// gently. Everything but the URL has a default that suits one Prometheus next door.
type Config struct {
	// URL is the address of Prometheus, Mimir, Cortex or another server with remote read, up to
	// and without /api/v1, for example `http://localhost:9090`. Required.
	URL *commoncfg.URL `yaml:"url,omitempty"`
	// ReadPath is the path of remote read below the url; Mimir has it at `/prometheus/api/v1/read`.
	ReadPath string `yaml:"read_path,omitempty"`
	// Tenant is sent as X-Scope-OrgID when set, which Mimir wants. Other headers belong to
	// `http_config.http_headers`.
	Tenant string `yaml:"tenant,omitempty"`
	// ExternalLabels are the labels that Prometheus adds to what it sends and does not know in its own queries, so that
	// queries leave them out. Empty: read from the configuration that it shows.
	ExternalLabels map[string]string `yaml:"external_labels,omitempty"`
	// HTTPClientConfig holds basic auth, TLS, bearer token, proxy and headers.
	HTTPClientConfig commoncfg.HTTPClientConfig `yaml:"http_config,omitempty"`

	// Timeout bounds one call, its answer included.
	Timeout model.Duration `yaml:"timeout,omitempty"`
	// MaxConcurrentReads bounds the remote reads in flight. Prometheus serves ten at a time to all
	// of its clients together, so keep it small.
	MaxConcurrentReads int `yaml:"max_concurrent_reads,omitempty"`
	// LearningDuty is the share of the time in which reading history may keep Prometheus busy, above 0 and at most 1. It is
	// lowered by itself while Prometheus is slower than usual or overloaded; samples of now are never delayed.
	LearningDuty float64 `yaml:"learning_duty,omitempty"`
	// ReadSlice is the time range that one remote read asks for at most.
	ReadSlice model.Duration `yaml:"read_slice,omitempty"`
	// Lookback is how long a sample counts as current; keep it equal to Prometheus'
	// --query.lookback-delta.
	Lookback model.Duration `yaml:"lookback,omitempty"`

	// MaxFrameBytes bounds one frame of a streamed answer, in bytes after decompression; a larger one
	// fails the read.
	MaxFrameBytes int `yaml:"max_frame_bytes,omitempty"`
	// MaxBodyBytes bounds any other answer, in bytes after decompression.
	MaxBodyBytes int `yaml:"max_body_bytes,omitempty"`
	// MaxQuerySamples bounds the samples that one slice of a PromQL expression holds in memory.
	MaxQuerySamples int `yaml:"max_query_samples,omitempty"`

	// Retry says how calls are repeated after 429, 5xx, broken answers and network errors.
	Retry RetryConfig `yaml:"retry,omitempty"`
}

// RetryConfig says how often and how fast a failed call is repeated. The pause doubles from
// MinBackoff to MaxBackoff, a quarter of it random. After OpenAfter failures in a row no call is
// made for OpenFor; then one tries whether the server is back.
type RetryConfig struct {
	// Attempts is how often a call is made in all, the first one included.
	Attempts int `yaml:"attempts,omitempty"`
	// MinBackoff is the pause before the second attempt.
	MinBackoff model.Duration `yaml:"min_backoff,omitempty"`
	// MaxBackoff is the longest pause, also where the server asks for a longer one by Retry-After.
	MaxBackoff model.Duration `yaml:"max_backoff,omitempty"`
	// OpenAfter is the number of failures in a row after which the server is left alone.
	OpenAfter int `yaml:"open_after,omitempty"`
	// OpenFor is how long it is left alone before one call tries again.
	OpenFor model.Duration `yaml:"open_for,omitempty"`
}

// DefaultConfig returns the settings that hold where the file says nothing; only the URL is missing.
func DefaultConfig() Config {
	return Config{
		ReadPath:           "/api/v1/read",
		HTTPClientConfig:   commoncfg.DefaultHTTPClientConfig,
		Timeout:            model.Duration(5 * time.Minute),
		MaxConcurrentReads: 2,
		LearningDuty:       0.5,
		ReadSlice:          model.Duration(7 * 24 * time.Hour),
		Lookback:           model.Duration(5 * time.Minute),
		MaxFrameBytes:      50_000_000,
		MaxBodyBytes:       64 << 20,
		MaxQuerySamples:    5_000_000,
		Retry: RetryConfig{
			Attempts:   4,
			MinBackoff: model.Duration(time.Second),
			MaxBackoff: model.Duration(30 * time.Second),
			OpenAfter:  5,
			OpenFor:    model.Duration(30 * time.Second),
		},
	}
}

// UnmarshalYAML fills the defaults first. It takes the decoder's own function, so that strict
// decoding holds below this section too.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says which setting can't be meant, and what would be right.
func (c *Config) Validate() error {
	if c.URL == nil || c.URL.URL == nil || c.URL.Host == "" {
		return errors.New(`prometheus: url is missing: give the address of Prometheus, for example "http://localhost:9090"`)
	}
	if c.URL.Scheme != "http" && c.URL.Scheme != "https" {
		return fmt.Errorf("prometheus: url %q: the scheme must be http or https", c.URL.Redacted())
	}
	if strings.Contains(c.URL.Path, "/api/v1") {
		return fmt.Errorf("prometheus: url %q: leave /api/v1 and what follows out, it is added", c.URL.Redacted())
	}
	if !strings.HasPrefix(c.ReadPath, "/") {
		return fmt.Errorf("prometheus: read_path %q: must begin with /, the default is /api/v1/read", c.ReadPath)
	}
	for name, value := range c.ExternalLabels {
		if !model.UTF8Validation.IsValidLabelName(name) || value == "" {
			return fmt.Errorf("prometheus: external_labels: %q: %q: want a label name and a value, as in global.external_labels of Prometheus", name, value)
		}
	}
	for _, b := range c.bounds() {
		if b.value < b.low || b.value > b.high {
			return fmt.Errorf("prometheus: %s is %s: must be between %s and %s", b.name, b.show(b.value), b.show(b.low), b.show(b.high))
		}
	}
	if !(c.LearningDuty > 0 && c.LearningDuty <= 1) {
		return fmt.Errorf("prometheus: learning_duty is %g: must be above 0 and at most 1, the share of the time", c.LearningDuty)
	}
	if c.Retry.MaxBackoff < c.Retry.MinBackoff {
		return fmt.Errorf("prometheus: retry.max_backoff %s is shorter than retry.min_backoff %s", c.Retry.MaxBackoff, c.Retry.MinBackoff)
	}
	if err := c.HTTPClientConfig.Validate(); err != nil {
		return fmt.Errorf("prometheus: http_config: %w", err)
	}
	return nil
}

type bound struct {
	name             string
	value, low, high int64
	show             func(int64) string
}

func (c *Config) bounds() []bound {
	number := func(v int64) string { return fmt.Sprint(v) }
	span := func(v int64) string { return model.Duration(v).String() }
	return []bound{
		{"timeout", int64(c.Timeout), int64(time.Second), int64(time.Hour), span},
		{"max_concurrent_reads", int64(c.MaxConcurrentReads), 1, 10, number},
		{"read_slice", int64(c.ReadSlice), int64(time.Minute), int64(366 * 24 * time.Hour), span},
		{"lookback", int64(c.Lookback), int64(time.Second), int64(24 * time.Hour), span},
		{"max_frame_bytes", int64(c.MaxFrameBytes), 1 << 20, 1 << 30, number},
		{"max_body_bytes", int64(c.MaxBodyBytes), 1 << 20, 1 << 32, number},
		{"max_query_samples", int64(c.MaxQuerySamples), 10_000, 1_000_000_000, number},
		{"retry.attempts", int64(c.Retry.Attempts), 1, 100, number},
		{"retry.min_backoff", int64(c.Retry.MinBackoff), int64(time.Millisecond), int64(time.Hour), span},
		{"retry.open_after", int64(c.Retry.OpenAfter), 1, 1000, number},
		{"retry.open_for", int64(c.Retry.OpenFor), int64(time.Millisecond), int64(time.Hour), span},
	}
}

// address is URL with a path and a query added.
func (c *Config) address(path string, params url.Values) string {
	u := *c.URL.URL
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawQuery = params.Encode()
	return u.String()
}
