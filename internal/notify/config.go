package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Config is one entry of the alertmanagers: list. All members of a cluster are listed: each alert goes to
// every one of them, not through a load balancer.
type Config struct {
	// URL is the address of one Alertmanager, up to and without /api/v2, for example
	// `http://alertmanager-0:9093`. Required.
	URL string `yaml:"url"`
	// HTTPConfig holds basic auth, TLS, bearer token, proxy and headers.
	HTTPConfig commoncfg.HTTPClientConfig `yaml:"http_config,omitempty"`
	// Timeout bounds one post, its answer included.
	Timeout model.Duration `yaml:"timeout,omitempty"`
}

// DefaultConfig gives the defaults of an entry.
func DefaultConfig() Config {
	return Config{HTTPConfig: commoncfg.DefaultHTTPClientConfig, Timeout: model.Duration(10 * time.Second)}
}

// UnmarshalYAML starts from the defaults.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says which setting is wrong and what would be right.
func (c *Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("alertmanagers: url is missing, such as http://alertmanager:9093")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("alertmanagers: url %q must be an http or https URL such as http://alertmanager:9093", c.URL)
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v2/alerts"), strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v2"):
		return fmt.Errorf("alertmanagers: url %q must end before /api/v2, which is added", c.URL)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("alertmanagers: url %q must have neither a query nor a fragment", c.URL)
	case u.User != nil:
		return fmt.Errorf("alertmanagers: url of %s must not hold credentials; use http_config.basic_auth", u.Host)
	case c.Timeout <= 0:
		return fmt.Errorf("alertmanagers: timeout of %s must be above zero, such as 10s", u.Host)
	}
	return c.HTTPConfig.Validate()
}
