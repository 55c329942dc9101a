package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/web"
)

// The incidents that tests open by name.
const (
	usualID    = "4f1c09aa37d2"
	stormID    = "storm-10000"
	hostileID  = "hostile-1"
	vagueID    = "vague-1"
	resolvedID = "9be2d1704c55"
	openID     = "open-1"
)

// hostile is what the author of a label, an annotation or a log line could write to harm a reader:
// markup, script, an escape sequence, right-to-left text, and a word without a place to break it.
var hostile = `"><script>window.trap=1</script><img src=x onerror="window.trap=2"><svg/onload=window.trap=3>` +
	`</title></textarea>{{.}}` + "`${window.trap=4}`" + `javascript:window.trap=5 ` + "\x1b[31m\u202e" + strings.Repeat("unbreakable", 30)

func entity(name string) correlate.Entity {
	return correlate.Entity{Kind: "service", Name: name, Namespace: "shop", Cluster: "prod-eu"}
}

func alert(name, on string, at time.Time, more model.LabelSet) correlate.Member {
	labels := model.LabelSet{
		"alertname": model.LabelValue(name), "cluster": "prod-eu", "namespace": "shop", "severity": "critical",
		"service": model.LabelValue(on), "instance": model.LabelValue(on + "-0:8080"),
	}
	for k, v := range more {
		labels[k] = v
	}
	return correlate.Member{
		Fingerprint: labels.Fingerprint().String(), Labels: labels, StartsAt: at, Onset: at.Add(-time.Minute), Status: correlate.StateFiring,
		Class: "error", Entity: entity(on), Firings: 1, Annotations: model.LabelSet{"summary": model.LabelValue(name + " on " + on + ".")},
	}
}

// usual is the incident of the handbook: a disk is full of work, what depends on it fails.
func usual(now time.Time) correlate.Incident {
	at := func(min float64) time.Time { return now.Add(time.Duration((min - 23) * float64(time.Minute))) }
	inc := correlate.Incident{
		ID: usualID, State: correlate.StateFiring, Severity: "critical", Title: "payments-db disk degradation affecting checkout, payments and web",
		Summary: "24 alerts on 6 services.", Start: at(0), FirstAlert: at(4), Opened: at(4), Revision: 1,
		Shared: model.LabelSet{"cluster": "prod-eu", "namespace": "shop"},
		Action: "Look at what fills the disk of payments-db before failing over.", RunbookURL: "https://runbooks.example/payments-db",
		Changes: []correlate.Change{{Time: at(-1), Entity: entity("payments-db"), Kind: "deploy", Text: "StatefulSet payments-db revision 41 → 42 (Argo CD app payments)", Source: "kube-state-metrics"}},
		Path: []correlate.Hop{
			{Entity: entity("payments-db"), State: "DiskIOSaturated"},
			{Entity: entity("payments"), State: "HighErrorRate (4) and SlowRequests"},
			{Entity: entity("checkout"), State: "HighErrorRate (6)"},
			{Entity: entity("web"), State: "ProbeFailing (12)"},
		},
		Affected: []correlate.Count{
			{Noun: "web servers", N: 12, Names: []string{"web-0", "web-1", "web-2", "web-3", "web-4", "web-5", "web-6", "web-7", "web-8", "web-9", "web-10", "web-11"}},
			{Noun: "services", N: 3, Names: []string{"checkout", "payments", "web"}},
			{Noun: "database", N: 1, Names: []string{"payments-db"}},
		},
		Causes: []correlate.Cause{
			{
				Entity: entity("payments-db"), Resource: "disk", Confidence: 0.82, Score: 9.1, Start: at(0),
				Text: "disk of payments-db (DiskIOSaturated and disk_io_time); explains 24 of 24 alerts",
				Evidence: []cause.Evidence{
					{Kind: "resource", For: true, Entity: "payments-db", Text: "disk_io_time of payments-db is 98 %, normally 21 %: 41 times its usual spread above that.", Query: `rate(node_disk_io_time_seconds_total{service="payments-db"}[5m])`, Value: 0.98, Time: at(0)},
					{Kind: "path", For: true, Entity: "payments-db", Text: "5 of the 6 services that alert call payments-db, directly or through payments."},
					{Kind: "change", For: true, Entity: "payments-db", Text: "StatefulSet payments-db was changed 1 min before: revision 41 → 42.", Query: `kube_statefulset_status_observed_generation{statefulset="payments-db"}`, Value: 42, Time: at(-1)},
					{Kind: "log", For: true, Entity: "payments-db", Text: "A log pattern is new: «disk quota exceeded <*>», 310 lines a minute.", Query: `rate(tidemark_log_lines_total{service="payments-db",template="disk quota exceeded <*>"}[5m])`, Value: 5.17, Time: at(1)},
					{Kind: "residual", Entity: "node-17", Text: "CPU of node-17 is high too, yet inside its band for this hour.", Query: `instance:node_cpu:ratio{node="node-17"}`, Value: 0.71},
				},
			},
			{Entity: entity("payments"), Confidence: 0.09, Start: at(3), Text: "payments answers with errors", Evidence: []cause.Evidence{{For: true, Text: "Errors began 3 min after the disk of payments-db."}}},
			{Entity: entity("node-17"), Resource: "cpu", Confidence: 0.04, Start: at(5), Text: "node-17 is busy"},
		},
		Anomalies: []correlate.Anomaly{
			{Watch: "disk_io_time", Labels: model.LabelSet{"service": "payments-db", "device": "sda"}, Kind: "shift", Score: 9.1, Since: at(0), Active: true, Brief: "disk_io_time of payments-db sda is 98 %, usually 10 to 35 %", Unit: "ratio", Text: "disk_io_time of payments-db sda: 0.98, 4.7x its usual level of 0.21 and never so high in 28 days, for 23 min; score 9.10; season daily, fitted on 28 of 28 days."},
			{Watch: "http_errors", Labels: model.LabelSet{"service": "checkout"}, Kind: "point", Score: 4.3, Since: at(5), Active: true, Brief: "http_errors of checkout is 31/s, usually 0 to 1.2/s", Unit: "/s", Text: "http_errors of checkout: 31, 30.6 above its usual level of 0.4, for 18 min; score 4.30; season daily, fitted on 28 of 28 days."},
		},
	}
	inc.Alerts = append(inc.Alerts, alert("DiskIOSaturated", "payments-db", at(4), nil))
	for i := range 4 {
		inc.Alerts = append(inc.Alerts, alert("HighErrorRate", "payments", at(5+float64(i)/2), model.LabelSet{"instance": model.LabelValue(fmt.Sprintf("payments-%d:8080", i))}))
	}
	for i := range 6 {
		inc.Alerts = append(inc.Alerts, alert("HighErrorRate", "checkout", at(6+float64(i)/2), model.LabelSet{"instance": model.LabelValue(fmt.Sprintf("checkout-%d:8080", i))}))
	}
	for i := range 12 {
		inc.Alerts = append(inc.Alerts, alert("ProbeFailing", "web", at(8+float64(i)), model.LabelSet{"instance": model.LabelValue(fmt.Sprintf("web-%d:443", i)), "severity": "warning"}))
	}
	inc.Alerts = append(inc.Alerts, alert("SlowRequests", "payments", at(9), model.LabelSet{"severity": "warning"}))
	for _, c := range inc.Changes {
		inc.Timeline = append(inc.Timeline, correlate.Entry{Time: c.Time, Kind: "change", Text: c.Text})
	}
	inc.Timeline = append(inc.Timeline, correlate.Entry{Time: at(0), Kind: "cause", Text: "supposed start: payments-db"})
	for _, a := range inc.Anomalies {
		inc.Timeline = append(inc.Timeline, correlate.Entry{Time: a.Since, Kind: "anomaly", Text: a.Brief})
	}
	inc.Posts = []correlate.Post{
		{Time: at(4.2), Type: correlate.EventOpened, Revision: 1, Cause: "payments", Confidence: 0.41},
		{Time: at(6.3), Type: correlate.EventRevised, Revision: 2, Cause: "payments-db disk", Confidence: 0.82},
	}
	for _, m := range inc.Alerts {
		inc.Timeline = append(inc.Timeline, correlate.Entry{Time: m.StartsAt, Kind: "alert", Text: string(m.Labels["alertname"]) + " on " + m.Entity.Name})
	}
	return inc
}

// storm is an incident of 10 000 alerts.
func storm(now time.Time) correlate.Incident {
	inc := usual(now)
	inc.ID, inc.Title, inc.Alerts = stormID, "rack 12 network outage affecting 400 services", nil
	inc.Affected = []correlate.Count{{Noun: "services", N: 400}}
	for i := range 10_000 {
		inc.Alerts = append(inc.Alerts, alert(
			[]string{"TargetDown", "HighErrorRate", "SlowRequests", "ProbeFailing", "QueueGrowing"}[i%5], fmt.Sprintf("service-%03d", i%400),
			now.Add(-time.Duration(1380-i/8)*time.Second), model.LabelSet{"instance": model.LabelValue(fmt.Sprintf("10.12.%d.%d:9100", i/250, i%250))}))
	}
	return inc
}

// hostileIncident has text that means harm wherever somebody else than Tidemark writes text.
func hostileIncident(now time.Time) correlate.Incident {
	bad := correlate.Entity{Kind: "service", Name: hostile}
	inc := usual(now)
	inc.ID, inc.Title, inc.Summary, inc.Action, inc.RunbookURL = hostileID, hostile, hostile, hostile, "javascript:window.trap=6"
	inc.Shared = model.LabelSet{"cluster": model.LabelValue(hostile)}
	inc.Path = []correlate.Hop{{Entity: bad, State: hostile}, {Entity: entity("web"), State: hostile}}
	inc.Affected = []correlate.Count{{Noun: hostile, N: 3, Names: []string{hostile, hostile}}}
	inc.Causes = []correlate.Cause{
		{Entity: bad, Resource: hostile, Text: hostile, Confidence: 0.7, Evidence: []cause.Evidence{{For: true, Text: hostile, Query: hostile, Value: 1}, {Text: hostile}}},
		{Entity: bad, Confidence: 0.2},
	}
	inc.Changes = []correlate.Change{{Time: now.Add(-time.Hour), Entity: bad, Text: hostile}}
	inc.Anomalies = []correlate.Anomaly{{Watch: "hostile", Labels: model.LabelSet{"path": model.LabelValue(hostile)}, Since: now.Add(-20 * time.Minute), Text: hostile, Score: 3}}
	inc.Alerts = []correlate.Member{alert(hostile, hostile, now.Add(-10*time.Minute), model.LabelSet{"path": model.LabelValue(hostile)})}
	inc.Timeline = []correlate.Entry{{Time: now, Kind: "alert", Text: hostile}}
	return inc
}

// open is an incident that a test lets go on and end.
func open(now time.Time) correlate.Incident {
	inc := usual(now)
	inc.ID, inc.Title = openID, "payments-db disk degradation that goes on"
	return inc
}

// vague is an incident without a clear cause.
func vague(now time.Time) correlate.Incident {
	inc := usual(now)
	inc.ID, inc.Title, inc.NoClearCause, inc.Severity = vagueID, "24 alerts on checkout, payments and web", true, "warning"
	inc.Posts = inc.Posts[:1]
	inc.Posts[0].Cause = ""
	inc.Causes[0].Confidence, inc.Causes[1].Confidence, inc.Causes[2].Confidence = 0.31, 0.28, 0.22
	inc.Changes, inc.Anomalies, inc.Path, inc.Action, inc.RunbookURL = nil, nil, nil, "", ""
	return inc
}

func resolved(now time.Time) correlate.Incident {
	inc := usual(now.Add(-30 * time.Hour))
	inc.ID, inc.Title, inc.State, inc.End = resolvedID, "database degradation affecting checkout and payments", correlate.StateResolved, now.Add(-29*time.Hour)
	for i := range inc.Alerts {
		inc.Alerts[i].Status, inc.Alerts[i].EndsAt = correlate.StateResolved, inc.End
	}
	inc.Posts = append(inc.Posts, correlate.Post{Time: inc.End, Type: correlate.EventResolved, Revision: 2, Cause: "payments-db disk", Confidence: 0.93})
	return inc
}

// past is one of the many incidents that fill the list.
func past(now time.Time, i int) correlate.Incident {
	start := now.Add(-time.Duration(i) * 47 * time.Minute)
	service := fmt.Sprintf("service-%02d", i%37)
	inc := correlate.Incident{
		ID: fmt.Sprintf("%012x", uint64(i)*0x9e3779b97f4a&0xffffffffffff), State: correlate.StateResolved, Severity: []string{"critical", "warning", "info"}[i/2%3],
		Title: fmt.Sprintf("latency of %s and %d others", service, i%9+1), Start: start, FirstAlert: start, End: start.Add(time.Duration(3+i%90) * time.Minute),
		Causes:       []correlate.Cause{{Entity: entity(service), Resource: "cpu", Confidence: 0.4 + float64(i%60)/100}},
		NoClearCause: i%7 == 0,
	}
	for k := range i%9 + 2 {
		m := alert("SlowRequests", fmt.Sprintf("service-%02d", (i+k)%37), start.Add(time.Duration(k)*20*time.Second), nil)
		m.Status, m.EndsAt = correlate.StateResolved, inc.End
		inc.Alerts = append(inc.Alerts, m)
	}
	return inc
}

// watched are series with bands: two that the usual incident names, one that means harm, and others.
func watched(now time.Time, many int) []web.SeriesDetail {
	out := []web.SeriesDetail{
		drawn(now, "disk_io_time", model.LabelSet{"service": "payments-db", "device": "sda"}.String(), 0.21, 0.98, 23),
		drawn(now, "http_errors", model.LabelSet{"service": "checkout"}.String(), 0.4, 31, 18),
		drawn(now, "hostile", model.LabelSet{"path": model.LabelValue(hostile)}.String(), 10, 90, 20),
	}
	out[0].Unit, out[1].Unit = "ratio", "/s"
	out[2].Expr, out[2].Explanation, out[2].Season = hostile, hostile, hostile
	for i := range many {
		out = append(out, drawn(now, "http_latency", model.LabelSet{"service": model.LabelValue(fmt.Sprintf("service-%03d", i)), "quantile": "0.99"}.String(), 0.12, 0.12, 0))
		out[len(out)-1].Unit = "s"
	}
	return out
}

// drawn is a series of a day with a daily season that jumps to high the given minutes ago.
func drawn(now time.Time, watch, labels string, level, high float64, minutes int) web.SeriesDetail {
	const step = 2 * time.Minute
	why := &web.SeriesWhy{
		Expr: watch + labels, Season: "daily by working day and day off",
		Explanation: fmt.Sprintf("The value left its band: expected %.3g at this hour.", level),
		Evidence:    []web.DetectorSays{{Detector: "season_up", Kind: "contextual", Score: 9.1, P: 4.8e-18}, {Detector: "slow_up", Kind: "collective", Score: 1.2, P: 0.0052}},
	}
	d := web.SeriesDetail{}
	for t := now.Add(-24 * time.Hour); !t.After(now); t = t.Add(step) {
		day := math.Sin(2 * math.Pi * float64(t.Unix()%86400) / 86400)
		expected := level * (1 + 0.3*day)
		value := expected * (1 + 0.12*math.Sin(float64(t.Unix())/331)*math.Cos(float64(t.Unix())/97))
		score := 0.3
		if now.Sub(t) < time.Duration(minutes)*time.Minute {
			value, score = high*(1+0.03*math.Sin(float64(t.Unix())/60)), 9.1
		}
		d.Points = append(d.Points, web.Point{Time: t.UnixMilli(), Value: value, Expected: expected, Lower: expected * 0.7, Upper: expected * 1.4, Score: score})
	}
	for i := range 96 {
		d.Profile = append(d.Profile, level*(1+0.3*math.Sin(2*math.Pi*float64(i)/96)))
	}
	hour, day := level*1.5, level*1.7
	why.Forecasts = []web.ForecastRow{{Horizon: "1h", Expected: &level, Lower: &level, Upper: &hour}, {Horizon: "24h", Expected: &level, Lower: &level, Upper: &day}}
	left := 3.0 * 86400
	why.Limit = &web.LimitRow{Limit: 10 * level, Seconds: &left}
	why.BudgetRatio = &why.Evidence[1].Score
	last := d.Points[len(d.Points)-1]
	d.SeriesRow = web.SeriesRow{
		Watch: watch, Labels: labels, Time: last.Time, Value: &last.Value, Expected: &last.Expected, Lower: &last.Lower, Upper: &last.Upper, Score: &last.Score, State: "ready",
	}
	d.SeriesWhy = why
	if minutes > 0 {
		d.Active, d.Kind, d.Detector = true, "shift", "cusum"
	}
	return d
}

// shop is a topology of twenty services, and one edge whose names mean harm.
func shop(now time.Time) []web.Edge {
	calls := [][2]string{
		{"web", "checkout"},
		{"web", "catalog"},
		{"web", "search"},
		{"web", "account"},
		{"mobile", "checkout"},
		{"mobile", "catalog"},
		{"checkout", "payments"},
		{"checkout", "cart"},
		{"checkout", "shipping"},
		{"checkout", "mail"},
		{"payments", "payments-db"},
		{"payments", "fraud"},
		{"cart", "cart-cache"},
		{"catalog", "catalog-db"},
		{"catalog", "images"},
		{"search", "search-index"},
		{"account", "account-db"},
		{"account", "sessions"},
		{"shipping", "shipping-db"},
		{"fraud", "payments-db"},
		{"mail", "queue"},
	}
	edges := make([]web.Edge, 0, len(calls)+2)
	for i, c := range calls {
		edges = append(edges, web.Edge{
			From: c[0], To: c[1], Kind: "call", Source: []string{"servicegraph", "istio", "static"}[i%3], Confidence: 1 - float64(i%5)/10,
			FirstSeen: now.Add(-200 * time.Hour), LastSeen: now.Add(-time.Minute),
		})
	}
	return append(edges,
		web.Edge{From: "payments-db", To: "node-17", Kind: "host", Source: "kubernetes", Confidence: 1, LastSeen: now},
		web.Edge{From: "web", To: hostile, Kind: "call", Source: hostile, Confidence: 0.5, LastSeen: now})
}
