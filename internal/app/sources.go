package app

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark/tidemark/internal/web"
)

// sums are the counters and gauges of this process, those of one name added up, by the name without its first word.
type sums map[string]float64

// gather reads our own metrics: what the status page says of a source is what /metrics says.
func gather(from prometheus.Gatherer) sums {
	out := sums{}
	families, err := from.Gather()
	if err != nil && len(families) == 0 {
		return out
	}
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "tidemark_")
		for _, m := range f.GetMetric() {
			out[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue() // One of them is not there, and 0.
		}
	}
	return out
}

// of is the count of a metric with its noun; empty when there was nothing.
func (s sums) of(metric, one, many string) string {
	switch n := s[metric]; n {
	case 0:
		return ""
	case 1:
		return "1 " + one
	default:
		return web.Number(n) + " " + many
	}
}

// commas joins what is not empty.
func commas(parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ", ")
}

// sourcesOf are what Tidemark reads, is sent and tells, and how much of it since the start.
func (s *session) sourcesOf() []web.SourceStatus {
	own := gather(prometheus.Gatherers{s.app.registry, s.registry})
	out := []web.SourceStatus{{
		Name: "metrics and rules", Where: s.cfg.Prometheus.URL.Redacted(), Seen: own.of("prometheus_calls_total", "call", "calls"),
		Trouble: own.of("prometheus_call_failures_total", "call failed", "calls failed"),
	}}
	for _, am := range s.cfg.Alertmanagers {
		told := own.of("notifications_total", "alert told", "alerts told")
		if at := own["heartbeat_last_success_timestamp_seconds"]; at > 0 {
			told = commas(told, "heartbeat "+web.Duration(s.app.now().Sub(time.Unix(int64(at), 0)))+" ago")
		}
		out = append(out, web.SourceStatus{
			Name: "Alertmanager", Where: address(am.URL), Seen: told,
			Trouble: commas(own.of("notifications_failed_total", "post failed", "posts failed"), own.of("heartbeat_withheld_total", "heartbeat withheld", "heartbeats withheld")),
		})
	}
	out = append(out,
		web.SourceStatus{Name: "alerts", Where: "/api/v1/alerts/webhook", Seen: own.of("alerts_received_total", "alert", "alerts"), Trouble: own.of("receiver_own_alerts_total", "alert of our own came back", "alerts of our own came back")},
		web.SourceStatus{Name: "changes", Where: "/api/v1/changes", Seen: own.of("receiver_changes_total", "change", "changes")},
		web.SourceStatus{Name: "log lines", Where: "/loki/api/v1/push", Seen: own.of("receiver_lines_total", "line", "lines")},
		web.SourceStatus{Name: "spans", Where: "/v1/traces", Seen: own.of("receiver_spans_total", "span", "spans")},
	)
	if s.app.opts.RemoteWriteReceiver {
		out = append(out, web.SourceStatus{
			Name: "samples", Where: "/api/v1/write", Seen: own.of("receiver_samples_total", "sample", "samples"),
			Trouble: own.of("receiver_samples_refused_total", "sample refused", "samples refused"),
		})
	}
	return append(out, web.SourceStatus{Name: "topology", Where: fmt.Sprintf("%d kinds of sources", len(s.sources)), Seen: own.of("topology_edges", "edge", "edges")})
}

// address is a URL without its password.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "" // Refused when the configuration was read.
	}
	return u.Redacted()
}

// limitsOf are the limits of what is watched, and how full they are.
func (s *session) limitsOf() []web.LimitStatus {
	var out []web.LimitStatus
	for _, u := range s.scorer.gate.Use(s.scorer.Len()) {
		l := web.LimitStatus{Name: u.Limit, Used: u.Used, Max: u.Max}
		if u.Bytes {
			l.Unit = "B"
		}
		out = append(out, l)
	}
	return out
}
