package promread

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
)

// QueryRange evaluates an expression on the server at every step from one time to another, both included: many
// instant queries in one call. Histograms are left out. Servers refuse more than 11 000 steps.
func (c *Client) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (model.Matrix, error) {
	var data struct {
		Type   model.ValueType `json:"resultType"`
		Result model.Matrix    `json:"result"`
	}
	params := url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}, "step": {fmt.Sprintf("%.3f", step.Seconds())}}
	if err := c.get(ctx, "query_range", "/api/v1/query_range", params, &data); err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	if data.Type != model.ValMatrix {
		return nil, fmt.Errorf("query %q: the result is a %s: want a matrix", expr, data.Type)
	}
	return data.Result, nil
}
