// Package config composes the configuration file from the sections of the rooms: it decodes
// strictly, checks what concerns more than one section, and says where and what is wrong.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/access"
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/receiver"
	"github.com/tidemark/tidemark/rules"
)

// Config is the whole configuration file.
type Config struct {
	// Prometheus is the server that history and samples are read from.
	Prometheus promread.Config `yaml:"prometheus"`
	// Alertmanagers are all members of the cluster that incidents are handed to.
	Alertmanagers []notify.Config `yaml:"alertmanagers,omitempty"`
	// Baseline is how series are learned and scored.
	Baseline baseline.Config `yaml:"baseline,omitempty"`
	// Discover says what to watch without being told.
	Discover rules.DiscoverConfig `yaml:"discover,omitempty"`
	// Watches are expressions to watch besides.
	Watches rules.Watches `yaml:"watches,omitempty"`
	// Export is how scores and bands are written.
	Export export.Config `yaml:"export,omitempty"`
	// Limits bound the series that are watched.
	Limits admit.Config `yaml:"limits,omitempty"`
	// Receiver bounds what is taken in over HTTP.
	Receiver receiver.Config `yaml:"receiver,omitempty"`
	// Correlate is how alerts become incidents.
	Correlate correlate.Config `yaml:"correlate,omitempty"`
	// Topology is where the graph comes from.
	Topology topology.Config `yaml:"topology,omitempty"`
	// Runbooks are the endpoints that may be suggested or called.
	Runbooks runbook.Config `yaml:"runbooks,omitempty"`
	// Roles say who may approve and give feedback; nobody when empty.
	Roles []access.Rule `yaml:"roles,omitempty"`
}

// Default is the configuration of an empty file; only the addresses are missing.
func Default() Config {
	return Config{
		Prometheus: promread.DefaultConfig(),
		Baseline:   baseline.DefaultConfig(),
		Discover:   rules.DefaultDiscoverConfig(),
		Export:     export.DefaultConfig(),
		Limits:     admit.DefaultConfig(),
		Receiver:   receiver.DefaultConfig(),
		Correlate:  correlate.DefaultConfig(),
		Topology:   topology.DefaultConfig(),
	}
}

// UnmarshalYAML starts from the defaults, so that a file names only what differs.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = Default()
	type plain Config
	return unmarshal((*plain)(c))
}

// check looks at what one section can't know.
func (c *Config) check() error {
	if c.Prometheus.URL == nil {
		return errors.New("prometheus.url is missing: the address of the Prometheus to read, such as http://localhost:9090")
	}
	if err := c.Runbooks.Validate(); err != nil {
		return err
	}
	for i, r := range c.Roles {
		if err := r.Check(fmt.Sprintf("roles[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

// ZeroConfig is the configuration of a start with addresses alone.
func ZeroConfig(prometheusURL string, alertmanagerURLs []string) (*Config, error) {
	c := Default()
	u, err := parseURL("--prometheus.url", prometheusURL)
	if err != nil {
		return nil, err
	}
	c.Prometheus.URL = u
	for _, a := range alertmanagerURLs {
		if _, err := parseURL("--alertmanager.url", a); err != nil {
			return nil, err
		}
		am := notify.DefaultConfig()
		am.URL = a
		c.Alertmanagers = append(c.Alertmanagers, am)
	}
	return &c, c.check()
}

func parseURL(flag, s string) (*commoncfg.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is no http or https address such as http://localhost:9090", flag, s)
	}
	return &commoncfg.URL{URL: u}, nil
}

// SetDirectory makes file names in the configuration relative to the folder of the configuration
// file, as Prometheus does.
func (c *Config) SetDirectory(dir string) {
	c.Prometheus.HTTPClientConfig.SetDirectory(dir)
	for i := range c.Alertmanagers {
		c.Alertmanagers[i].HTTPConfig.SetDirectory(dir)
	}
	c.Runbooks.SetDirectory(dir)
	for i := range c.Roles {
		c.Roles[i].TokenFile = joinDir(dir, c.Roles[i].TokenFile)
	}
}

func joinDir(dir, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// String is the configuration as YAML, every secret as <secret>.
func (c *Config) String() string {
	var sb strings.Builder
	enc := yaml.NewEncoder(&sb)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return fmt.Sprintf("# the configuration could not be written: %v", err)
	}
	return sb.String()
}
