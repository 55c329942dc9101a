package promread

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"
)

// ExternalLabels are the labels that Prometheus adds to what it sends to others, answers to remote reads included, and
// does not know in its own queries (global.external_labels, docs configuration/configuration). A server that does not
// show its configuration has none, unless they are set: servers behind which many Prometheis stand know them in queries.
func (c *Client) ExternalLabels(ctx context.Context) (labels.Labels, error) {
	if c.cfg.ExternalLabels != nil {
		return labels.FromMap(c.cfg.ExternalLabels), nil
	}
	var data struct {
		YAML string `json:"yaml"`
	}
	if err := c.get(ctx, "config", "/api/v1/status/config", nil, &data); err != nil {
		switch ReasonOf(err) {
		case NotFound, Unauthorized, NotPrometheus:
			return labels.EmptyLabels(), nil
		}
		return labels.EmptyLabels(), err
	}
	var config struct {
		Global struct {
			ExternalLabels map[string]string `yaml:"external_labels"`
		} `yaml:"global"`
	}
	if err := yaml.Unmarshal([]byte(data.YAML), &config); err != nil {
		return labels.EmptyLabels(), fmt.Errorf("understand the configuration that Prometheus shows: %w", err)
	}
	return labels.FromMap(config.Global.ExternalLabels), nil
}
