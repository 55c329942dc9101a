package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"
)

// Prometheus is the real server over the simulated past.
type Prometheus struct {
	*Process
	URL  string
	data string
}

func newPrometheus(path, dir, addr string) *Prometheus {
	data := filepath.Join(dir, "prometheus")
	return &Prometheus{
		Process: newProcess("prometheus", path, dir,
			"--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+data,
			"--storage.tsdb.retention.time=60d", "--web.listen-address="+addr, "--web.enable-lifecycle",
			"--log.level=warn"),
		URL: "http://" + addr, data: data,
	}
}

// DataDir is the storage folder.
func (p *Prometheus) DataDir() string { return p.data }

// Sample is one element of an instant vector.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Query evaluates an expression now.
func (p *Prometheus) Query(ctx context.Context, expr string) ([]Sample, error) {
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := getJSON(ctx, p.URL+"/api/v1/query?query="+url.QueryEscape(expr), &answer); err != nil {
		return nil, err
	}
	out := make([]Sample, 0, len(answer.Data.Result))
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %s: value %q: %w", expr, text, err)
		}
		out = append(out, Sample{r.Metric, v})
	}
	return out, nil
}

// Row is one element of a range vector's only series.
type Row struct {
	At    time.Time
	Value float64
}

// maxRows is how many steps Prometheus takes in one range query.
const maxRows = 11_000

// QueryRange evaluates an expression that gives one series at each step from from to to.
func (p *Prometheus) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Row, error) {
	var out []Row
	for at := from; !at.After(to); at = at.Add(maxRows * step) {
		end := at.Add((maxRows - 1) * step)
		if end.After(to) {
			end = to
		}
		var answer struct {
			Data struct {
				Result []struct{ Values [][2]any }
			}
		}
		q := url.Values{
			"query": {expr}, "step": {fmt.Sprint(step.Seconds())},
			"start": {fmt.Sprint(at.Unix())}, "end": {fmt.Sprint(end.Unix())},
		}
		if err := getJSON(ctx, p.URL+"/api/v1/query_range?"+q.Encode(), &answer); err != nil {
			return nil, err
		}
		if len(answer.Data.Result) > 1 {
			return nil, fmt.Errorf("query %s: %d series, want one", expr, len(answer.Data.Result))
		}
		for _, r := range answer.Data.Result {
			for _, v := range r.Values {
				seconds, _ := v[0].(float64)
				text, _ := v[1].(string)
				value, err := strconv.ParseFloat(text, 64)
				if err != nil {
					return nil, fmt.Errorf("query %s: value %q: %w", expr, text, err)
				}
				out = append(out, Row{time.UnixMilli(int64(seconds * 1000)), value})
			}
		}
	}
	return out, nil
}

// Alert is a firing alert of Prometheus or Alertmanager.
type Alert struct {
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	Inhibited   bool
}

// FiringAlerts are the alerts that Prometheus fires now.
func (p *Prometheus) FiringAlerts(ctx context.Context) ([]Alert, error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels, Annotations map[string]string
				State               string
				ActiveAt            time.Time
			}
		}
	}
	if err := getJSON(ctx, p.URL+"/api/v1/alerts", &answer); err != nil {
		return nil, err
	}
	var out []Alert
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			out = append(out, Alert{Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.ActiveAt})
		}
	}
	return out, nil
}

// WaitReady polls /-/ready until it answers 200.
func (p *Prometheus) WaitReady(ctx context.Context) error { return waitReady(ctx, p.Process, p.URL) }

// Alertmanager is the real server with the routes of the fail-open example.
type Alertmanager struct {
	*Process
	URL string
}

func newAlertmanager(path, dir, addr string) *Alertmanager {
	return &Alertmanager{
		Process: newProcess("alertmanager", path, dir,
			"--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "alertmanager"),
			"--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=warn"),
		URL: "http://" + addr,
	}
}

// Alerts are the alerts it holds that match all matchers, such as alertname="TidemarkIncident".
func (a *Alertmanager) Alerts(ctx context.Context, matchers ...string) ([]Alert, error) {
	q := url.Values{"filter": matchers}
	var answer []struct {
		Labels, Annotations map[string]string
		StartsAt            time.Time
		Status              struct{ InhibitedBy []string }
	}
	if err := getJSON(ctx, a.URL+"/api/v2/alerts?"+q.Encode(), &answer); err != nil {
		return nil, err
	}
	out := make([]Alert, len(answer))
	for i, r := range answer {
		out[i] = Alert{r.Labels, r.Annotations, r.StartsAt, len(r.Status.InhibitedBy) > 0}
	}
	return out, nil
}

// WaitReady polls /-/ready until it answers 200.
func (a *Alertmanager) WaitReady(ctx context.Context) error { return waitReady(ctx, a.Process, a.URL) }

// waitReady polls the readiness of a server and gives up when its process has ended.
func waitReady(ctx context.Context, p *Process, base string) error {
	return Until(ctx, p.Name+" is ready", func(ctx context.Context) (bool, error) {
		if !p.Running() {
			return false, fmt.Errorf("%s ended:\n%s", p.Name, p.LogTail(20))
		}
		status, err := statusOf(ctx, base+"/-/ready")
		return err == nil && status == http.StatusOK, nil
	})
}

// httpClient bounds every question to a server.
var httpClient = &http.Client{Timeout: 20 * time.Second}

func statusOf(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// getJSON decodes a 200 answer into out.
func getJSON(ctx context.Context, url string, out any) error {
	body, err := getText(ctx, url)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(body), out); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// getText returns the body of a 200 answer.
func getText(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("GET %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s: %.4096s", url, resp.Status, body)
	}
	return string(body), nil
}
