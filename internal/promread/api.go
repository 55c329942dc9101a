package promread

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
)

// envelope is what every answer of the HTTP API is wrapped in. Source: Prometheus docs,
// querying/api.
type envelope struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
}

// get calls an endpoint of the HTTP API and decodes its data into out.
func (c *Client) get(ctx context.Context, label, path string, params url.Values, out any) error {
	k := call{
		op: label, label: label, method: http.MethodGet,
		url:    c.cfg.address(path, params),
		header: map[string]string{"Accept": "application/json"},
		hints: map[Reason]string{
			NotFound:      "check prometheus.url: this server has no Prometheus API there",
			NotPrometheus: "set prometheus.url to Prometheus itself",
		},
	}
	return c.do(ctx, k, func(resp *http.Response) error { return decode(resp.Body, c.cfg.MaxBodyBytes, out) })
}

func decode(r io.Reader, limit int, out any) error {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return cut(err, "before its end")
	}
	if len(body) > limit {
		return &fault{reason: TooLarge, msg: sprintf("the answer is over the limit of %d bytes", limit), hint: "raise prometheus.max_body_bytes"}
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return &fault{reason: NotPrometheus, msg: "the answer is not the JSON of Prometheus' API", err: err}
	}
	switch e.Status {
	case "success":
	case "error":
		return faultf(Refused, "the answer is error %s: %s", clean([]byte(e.ErrorType)), clean([]byte(e.Error)))
	default:
		return faultf(Refused, "the answer has no status \"success\": set prometheus.url to Prometheus itself")
	}
	if err := json.Unmarshal(e.Data, out); err != nil {
		return &fault{reason: NotPrometheus, msg: "the answer has data of another shape", err: err}
	}
	return nil
}

// Rules returns the alerting and recording rules that Prometheus runs, by group.
func (c *Client) Rules(ctx context.Context) ([]rulefmt.RuleGroup, error) {
	var data struct {
		Groups []struct {
			Name     string  `json:"name"`
			Interval float64 `json:"interval"`
			Rules    []struct {
				Type          string            `json:"type"`
				Name          string            `json:"name"`
				Query         string            `json:"query"`
				Duration      float64           `json:"duration"`
				KeepFiringFor float64           `json:"keepFiringFor"`
				Labels        map[string]string `json:"labels"`
				Annotations   map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := c.get(ctx, "rules", "/api/v1/rules", nil, &data); err != nil {
		return nil, err
	}
	groups := make([]rulefmt.RuleGroup, 0, len(data.Groups))
	for _, g := range data.Groups {
		group := rulefmt.RuleGroup{Name: g.Name, Interval: seconds(g.Interval)}
		for _, r := range g.Rules {
			rule := rulefmt.Rule{Expr: r.Query, Labels: r.Labels}
			if r.Type == "alerting" {
				rule.Alert, rule.Annotations = r.Name, r.Annotations
				rule.For, rule.KeepFiringFor = seconds(r.Duration), seconds(r.KeepFiringFor)
			} else {
				rule.Record = r.Name
			}
			group.Rules = append(group.Rules, rule)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func seconds(s float64) model.Duration { return model.Duration(s * float64(time.Second)) }

// Query evaluates an expression on the server, at one moment: for topology and evidence, never for
// learning. A scalar comes as one sample without labels; histograms are left out.
func (c *Client) Query(ctx context.Context, expr string, at time.Time) (model.Vector, error) {
	var data struct {
		Type   model.ValueType `json:"resultType"`
		Result json.RawMessage `json:"result"`
	}
	params := url.Values{"query": {expr}, "time": {unix(at)}}
	if err := c.get(ctx, "query", "/api/v1/query", params, &data); err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	switch data.Type {
	case model.ValVector:
		var v model.Vector
		if err := json.Unmarshal(data.Result, &v); err != nil {
			return nil, fmt.Errorf("query %q: decode the vector: %w", expr, err)
		}
		floats := v[:0]
		for _, s := range v {
			if s.Histogram == nil {
				floats = append(floats, s)
			}
		}
		return floats, nil
	case model.ValScalar:
		var s model.Scalar
		if err := json.Unmarshal(data.Result, &s); err != nil {
			return nil, fmt.Errorf("query %q: decode the scalar: %w", expr, err)
		}
		return model.Vector{{Metric: model.Metric{}, Value: s.Value, Timestamp: s.Timestamp}}, nil
	}
	return nil, fmt.Errorf("query %q: the result is a %s: ask for an instant vector or a scalar", expr, data.Type)
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// Series returns the label sets of the series that match a selector such as up{job="node"} and have
// samples between from and to, at most limit of them (0: no limit of ours; servers before
// 2.55 ignore it).
func (c *Client) Series(ctx context.Context, selector string, from, to time.Time, limit int) ([]labels.Labels, error) {
	params := url.Values{"match[]": {selector}, "start": {unix(from)}, "end": {unix(to)}}
	if limit > 0 {
		params.Set("limit", strconv.Itoa(limit))
	}
	var data []labels.Labels
	if err := c.get(ctx, "series", "/api/v1/series", params, &data); err != nil {
		return nil, fmt.Errorf("series of %s: %w", selector, err)
	}
	if limit > 0 && len(data) > limit {
		data = data[:limit]
	}
	return data, nil
}

// LabelValues returns the values of a label between from and to, sorted, of the series that
// match the selector, or of all series when it is empty. LabelValues(ctx, "__name__", "", …) lists the
// metric names.
func (c *Client) LabelValues(ctx context.Context, name, selector string, from, to time.Time) ([]string, error) {
	params := url.Values{"start": {unix(from)}, "end": {unix(to)}}
	if selector != "" {
		params.Set("match[]", selector)
	}
	var data []string
	if err := c.get(ctx, "label_values", "/api/v1/label/"+url.PathEscape(name)+"/values", params, &data); err != nil {
		return nil, fmt.Errorf("values of label %s: %w", name, err)
	}
	return data, nil
}

// BuildInfo is the version that a server says it has.
type BuildInfo struct {
	Application string `json:"application"` // Empty for Prometheus itself.
	Version     string `json:"version"`
	Revision    string `json:"revision"`
}

// BuildInfo asks the server for its version. It is the cheapest call, so it also tells whether the
// address and the credentials are right.
func (c *Client) BuildInfo(ctx context.Context) (BuildInfo, error) {
	var b BuildInfo
	return b, c.get(ctx, "build_info", "/api/v1/status/buildinfo", nil, &b)
}

// Target is one scrape target that Prometheus has active.
type Target struct {
	Labels     labels.Labels
	URL        string
	Health     string // up, down or unknown.
	LastError  string
	LastScrape time.Time
	Interval   time.Duration // 0 when the server does not say.
}

// Targets returns the active scrape targets.
func (c *Client) Targets(ctx context.Context) ([]Target, error) {
	var data struct {
		Active []struct {
			Labels     labels.Labels `json:"labels"`
			URL        string        `json:"scrapeUrl"`
			Health     string        `json:"health"`
			LastError  string        `json:"lastError"`
			LastScrape time.Time     `json:"lastScrape"`
			Interval   string        `json:"scrapeInterval"`
		} `json:"activeTargets"`
	}
	if err := c.get(ctx, "targets", "/api/v1/targets", url.Values{"state": {"active"}}, &data); err != nil {
		return nil, err
	}
	out := make([]Target, len(data.Active))
	for i, t := range data.Active {
		interval, err := model.ParseDuration(t.Interval)
		if err != nil {
			interval = 0
		}
		out[i] = Target{Labels: t.Labels, URL: t.URL, Health: t.Health, LastError: t.LastError, LastScrape: t.LastScrape, Interval: time.Duration(interval)}
	}
	return out, nil
}
