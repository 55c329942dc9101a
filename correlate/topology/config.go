package topology

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Config is the section `topology:`. Sources whose metrics do not exist cost an empty query each.
type Config struct {
	// Refresh is how often the sources are asked.
	Refresh model.Duration `yaml:"refresh,omitempty"`
	// TTL is how long an edge stands after it was last seen.
	TTL model.Duration `yaml:"ttl,omitempty"`
	// Retention is how long old edges are kept to explain past incidents.
	Retention model.Duration `yaml:"retention,omitempty"`
	// MaxEdges bounds the edges of the graph; above it no new ones are taken in.
	MaxEdges int `yaml:"max_edges,omitempty"`

	// ServiceGraph reads the service-graph metrics of Tempo, Alloy, Beyla and the OpenTelemetry
	// Collector (`traces_service_graph_request_total`).
	ServiceGraph bool `yaml:"service_graph"`
	// Istio reads who calls whom from Istio's `istio_requests_total`.
	Istio bool `yaml:"istio"`
	// Linkerd reads who calls whom from Linkerd's `request_total` and `tcp_open_total`.
	Linkerd bool `yaml:"linkerd"`
	// Hubble reads who calls whom from Cilium Hubble's flow, HTTP and TCP flag metrics.
	Hubble bool `yaml:"hubble"`
	// Kubernetes reads what runs where from kube-state-metrics.
	Kubernetes bool `yaml:"kubernetes"`
	// Targets reads which instances belong to a job from `up`, and node names from `node_uname_info`.
	Targets bool `yaml:"targets"`

	// Rules are your own sources: metrics with a label for each end of an edge.
	Rules []Rule `yaml:"rules,omitempty"`
	// Edges are edges that you know and no metric tells.
	Edges []StaticEdge `yaml:"edges,omitempty"`
	// Entities are what you know about services and machines: tier, zone, address.
	Entities []StaticEntity `yaml:"entities,omitempty"`
}

// DefaultConfig is what an empty section means: every source.
func DefaultConfig() Config {
	return Config{
		Refresh:      model.Duration(time.Minute),
		TTL:          model.Duration(time.Hour),
		Retention:    model.Duration(30 * 24 * time.Hour),
		MaxEdges:     200_000,
		ServiceGraph: true, Istio: true, Linkerd: true, Hubble: true, Kubernetes: true, Targets: true,
	}
}

// UnmarshalYAML fills in the defaults and checks the section.
func (c *Config) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultConfig()
	type plain Config
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// Validate says what is wrong, where, and what would be right.
func (c *Config) Validate() error {
	if d := time.Duration(c.Refresh); d < 5*time.Second || d > time.Hour {
		return fmt.Errorf("topology.refresh is %s: want a duration between 5s and 1h", c.Refresh)
	}
	if c.TTL < c.Refresh {
		return fmt.Errorf("topology.ttl is %s: want at least topology.refresh (%s), or edges would vanish between two looks", c.TTL, c.Refresh)
	}
	if c.Retention < c.TTL {
		return fmt.Errorf("topology.retention is %s: want at least topology.ttl (%s)", c.Retention, c.TTL)
	}
	if c.MaxEdges < 1 {
		return fmt.Errorf("topology.max_edges is %d: want 1 or more", c.MaxEdges)
	}
	for i := range c.Rules {
		if err := c.Rules[i].Validate(); err != nil {
			return fmt.Errorf("topology.rules[%d]: %w", i, err)
		}
	}
	for i := range c.Edges {
		if err := c.Edges[i].Validate(); err != nil {
			return fmt.Errorf("topology.edges[%d]: %w", i, err)
		}
	}
	for i := range c.Entities {
		if c.Entities[i].Name == "" {
			return fmt.Errorf("topology.entities[%d]: name is missing", i)
		}
	}
	return nil
}

// Options are the graph's bounds as the configuration has them.
func (c *Config) Options() Options {
	return Options{TTL: time.Duration(c.TTL), Retention: time.Duration(c.Retention), MaxEdges: c.MaxEdges}
}

// Sources is the table of sources that the configuration switches on; one row and one file each.
func (c *Config) Sources() []Source {
	var out []Source
	for _, row := range []struct {
		on     bool
		source Source
	}{
		{c.ServiceGraph, ServiceGraph{}},
		{c.Istio, Istio{}},
		{c.Linkerd, Linkerd{}},
		{c.Hubble, Hubble{}},
		{c.Kubernetes, Kube{}},
		{c.Targets, Targets{}},
		{len(c.Edges)+len(c.Entities) > 0, Static{c.Edges, c.Entities}},
	} {
		if row.on {
			out = append(out, row.source)
		}
	}
	for _, r := range c.Rules {
		out = append(out, RuleSource{r})
	}
	return out
}
