package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// live is the part that scores a fleet in several ways, one after the other, beside one Prometheus.
type live struct {
	*bench
	*report
	s    *stack.Bare
	fed  *stack.Tidemark
	prom *used
	idle time.Duration // Prometheus in one phase, for scraping alone
}

func (b *bench) scoreLive(ctx context.Context, r *report) (err error) {
	l := &live{bench: b, report: r}
	history8d := func(c map[string]any) { c["baseline"] = map[string]any{"history": "8d"} }
	if l.s, err = b.servers("live", history8d); err != nil {
		return err
	}
	defer func() { _ = l.s.Close() }()
	if l.fed, err = l.s.Another("--web.enable-remote-write-receiver"); err != nil {
		return err
	}
	end := time.Now().Truncate(minute)
	past := newFleet(b.live, append([]string{level}, kept...)...)
	if _, err := history.Write(ctx, l.s.Prometheus.DataDir(), past, history.Options{From: end.Add(-8 * day), To: end, Step: minute, Block: 2 * day}); err != nil {
		return err
	}
	target := httptest.NewServer(newFleet(b.live, level))
	defer target.Close()
	if err := l.configure(target.URL, nil, ""); err != nil {
		return err
	}
	if err := start(ctx, l.s.Prometheus); err != nil {
		return err
	}
	l.prom = &used{p: l.s.Prometheus.Process}
	return l.ways(ctx, target.URL)
}

// ways measures each way for one phase.
func (l *live) ways(ctx context.Context, target string) error {
	var err error
	if l.idle, err = l.measure(ctx); err != nil {
		return err
	}
	l.note("scraping alone: %.2f s of Prometheus in %s", l.idle.Seconds(), l.phase)
	rules := map[string]float64{}
	for _, set := range []struct {
		name   string
		groups []group
	}{{"adaptive", adaptive}, {"robust", robust}} {
		if err := l.reload(ctx, target, set.groups, ""); err != nil {
			return err
		}
		cost, err := l.measure(ctx)
		if err != nil {
			return err
		}
		added, err := l.s.Prometheus.Query(ctx, `count({__name__=~"bench:`+set.name+`:.*"})`)
		if err != nil || len(added) == 0 {
			return fmt.Errorf("the rules recorded nothing: %w", err)
		}
		rules[set.name] = l.perThousand(cost - l.idle)
		l.note("%s rules: %.3f s a minute per 1 000 series in Prometheus, %.1f series added per input", set.name, rules[set.name], added[0].Value/float64(l.live()))
	}
	if err := l.reload(ctx, target, nil, ""); err != nil {
		return err
	}
	return l.tidemark(ctx, target, rules)
}

func (l *live) live() int { return l.bench.live }

// tidemark measures both ways of Tidemark against the rules.
func (l *live) tidemark(ctx context.Context, target string, rules map[string]float64) error {
	for _, way := range []struct {
		name   string
		t      *stack.Tidemark
		before func() error
	}{
		{"by reading", l.s.Tidemark, func() error { return nil }},
		{"by remote write", l.fed, func() error { return l.reload(ctx, target, nil, l.fed.URL) }},
	} {
		if err := start(ctx, way.t); err != nil {
			return err
		}
		if err := way.before(); err != nil {
			return err
		}
		if way.t == l.fed {
			if err := l.untilFed(ctx); err != nil {
				return err
			}
		}
		time.Sleep(l.settle)
		ours := &used{p: way.t.Process}
		if _, err := ours.since(); err != nil {
			return err
		}
		theirs, err := l.only(ctx)
		if err != nil {
			return err
		}
		own, err := ours.since()
		if err != nil {
			return err
		}
		extra := max(0, theirs-l.idle)
		cost := l.perThousand(own + extra)
		l.note("Tidemark %s: %.4f s a minute per 1 000 series (%.2f s of Tidemark, %.2f s more of Prometheus in %s)", way.name, cost, own.Seconds(), extra.Seconds(), l.phase)
		l.less("processor time (ours and more of Prometheus) "+way.name+" against adaptive rules", cost/rules["adaptive"], "ratio", 1, 1.0/10, 1.0/100)
		l.less("processor time (ours and more of Prometheus) "+way.name+" against robust rules", cost/rules["robust"], "ratio", 1, 1.0/30, 1.0/300)
		if err := way.t.Stop(20 * time.Second); err != nil {
			return err
		}
	}
	return nil
}

// untilFed waits until steps are scored from the feed: the window of a selector is five minutes.
func (l *live) untilFed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	return stack.Until(ctx, "steps are fed", func(ctx context.Context) (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.fed.URL+"/metrics", nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil //nolint:nilerr // It may be busy.
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return strings.Contains(string(body), `tidemark_steps_total{from="feed"}`), err
	})
}

// measure settles and then measures Prometheus for one phase.
func (l *live) measure(ctx context.Context) (time.Duration, error) {
	time.Sleep(l.settle)
	return l.only(ctx)
}

func (l *live) only(context.Context) (time.Duration, error) {
	if _, err := l.prom.since(); err != nil {
		return 0, err
	}
	time.Sleep(l.phase)
	return l.prom.since()
}

// perThousand is processor seconds a minute per 1 000 series.
func (l *live) perThousand(d time.Duration) float64 {
	return d.Seconds() / l.phase.Minutes() / (float64(l.live()) / 1000)
}

// configure writes Prometheus' configuration.
func (l *live) configure(target string, groups []group, write string) error {
	return l.s.EditPrometheus(func(c map[string]any) {
		c["scrape_configs"] = []any{map[string]any{
			"job_name": "bench", "static_configs": []any{map[string]any{"targets": []string{strings.TrimPrefix(target, "http://")}, "labels": map[string]string{"instance": "bench:1"}}},
		}}
		delete(c, "remote_write")
		if write != "" {
			c["remote_write"] = []any{map[string]any{
				"url": write + "/api/v1/write", "protobuf_message": "io.prometheus.write.v2.Request",
				"write_relabel_configs": []any{map[string]any{"source_labels": []string{"__name__"}, "regex": level, "action": "keep"}},
			}}
		}
		data, err := yaml.Marshal(map[string]any{"groups": groups})
		if err == nil {
			err = os.WriteFile(filepath.Join(l.dir, "live", "rules.yml"), data, 0o600)
		}
		if err != nil {
			panic(err) // The folder is our own.
		}
	})
}

func (l *live) reload(ctx context.Context, target string, groups []group, write string) error {
	if err := l.configure(target, groups, write); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.s.Prometheus.URL+"/-/reload", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("reload Prometheus: %s: %s", resp.Status, body)
	}
	return nil
}
