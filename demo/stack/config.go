package stack

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/demo/failover"
	"github.com/tidemark/tidemark/demo/shop"
)

//go:embed shop-rules.yml
var shopRules []byte

// writer turns the fail-open example into the configuration of one stack: other addresses, faster
// scrapes, the shop's targets and rules. The routing is the example's.
type writer struct {
	dir, root                          string
	prometheus, alertmanager, tidemark string
	rhythm                             shop.Rhythm
	edit                               func(map[string]any)
}

// routingKey is what the demo's pager accepts.
const routingKey = "0123456789abcdef0123456789abcdef"

func (w writer) write(targets map[shop.Target]string, pagerURL string, runbook *failover.Endpoint) error {
	token := rand.Text()
	files := map[string][]byte{
		"shop-rules.yml": shopRules,
		"pagerduty.key":  []byte(routingKey),
		"runbook.key":    []byte(runbook.Secret()),
		"approve.token":  []byte(token),
		"client.yml":     []byte("authorization:\n  credentials: " + token + "\n"),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	if err := w.rewrite("prometheus.yml", func(c map[string]any) { w.editPrometheus(c, targets) }); err != nil {
		return err
	}
	if err := w.rewrite("alertmanager.yml", func(c map[string]any) { w.editAlertmanager(c, pagerURL) }); err != nil {
		return err
	}
	return w.rewrite("tidemark.yml", func(c map[string]any) { w.editTidemark(c, runbook.URL()) })
}

// rewrite reads a file of the example, points its addresses here, lets edit change it and writes it.
func (w writer) rewrite(name string, edit func(map[string]any)) error {
	data, err := os.ReadFile(filepath.Join(w.root, "examples", "fail-open", name))
	if err != nil {
		return err
	}
	text := strings.NewReplacer("localhost:9090", w.prometheus, "localhost:9093", w.alertmanager,
		"localhost:9099", w.tidemark).Replace(string(data))
	var c map[string]any
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("read examples/fail-open/%s: %w", name, err)
	}
	edit(c)
	out, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, name), out, 0o600)
}

func (w writer) editPrometheus(c map[string]any, targets map[shop.Target]string) {
	interval := scrapeInterval.String()
	c["global"] = map[string]any{"scrape_interval": interval, "evaluation_interval": interval}
	c["rule_files"] = []string{"shop-rules.yml"}
	c["scrape_configs"] = append(c["scrape_configs"].([]any), scrapeConfigs(targets)...)
}

// scrapeConfigs lists the shop's targets by job, each under the name of its instance.
func scrapeConfigs(targets map[shop.Target]string) []any {
	byJob := map[string][]any{}
	for _, t := range shop.Targets() {
		labels := t.Labels()
		delete(labels, "job")
		byJob[t.Job] = append(byJob[t.Job], map[string]any{"targets": []string{targets[t]}, "labels": labels})
	}
	var out []any
	for _, job := range slices.Sorted(maps.Keys(byJob)) {
		out = append(out, map[string]any{"job_name": job, "static_configs": byJob[job]})
	}
	return out
}

func (w writer) editAlertmanager(c map[string]any, pagerURL string) {
	for _, r := range c["receivers"].([]any) {
		list, _ := r.(map[string]any)["pagerduty_configs"].([]any)
		for _, p := range list {
			p.(map[string]any)["url"] = pagerURL
			// Alertmanager takes this path as it stands, not from the folder of its configuration.
			p.(map[string]any)["routing_key_file"] = filepath.Join(w.dir, "pagerduty.key")
		}
	}
}

func (w writer) editTidemark(c map[string]any, runbookURL string) {
	c["runbooks"] = []any{map[string]any{
		"name": "failover", "description": "Fail over to the replica of the primary database.",
		"matchers": []string{`cause=~"db-primary.*"`},
		"url":      runbookURL, "mode": "approve", "secret_file": "runbook.key",
		"idempotent": true, "allow_hosts": []string{"127.0.0.1"},
		"verify": map[string]any{"for": "30s", "timeout": "5m"},
	}}
	c["roles"] = []any{map[string]any{"name": "demo", "token_file": "approve.token", "role": "approve"}}
	// The demo's shop lives on a Wednesday, whatever day it is: its zone and its weekend are its own.
	zone, weekend := w.rhythm.Calendar()
	baseline := c["baseline"].(map[string]any)
	baseline["time_zone"], baseline["weekend"] = zone, weekend
	// No trace shows replication: the replica calls the primary for its log.
	c["topology"].(map[string]any)["edges"] = []any{map[string]any{"from": "db-replica", "to": "db-primary", "kind": "call"}}
	// Faster than the defaults, as the scrapes are.
	discover := c["discover"].(map[string]any)
	discover["interval"], discover["rate_window"] = "30s", "1m"
	// The default waits five minutes for flapping alerts before it calls an incident over.
	c["correlate"].(map[string]any)["resolve_after"] = "20s"
	if w.edit != nil {
		w.edit(c)
	}
}
