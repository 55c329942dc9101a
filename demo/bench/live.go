package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// live is the part that scores a fleet in several ways, one after the other, beside one Prometheus.
type live struct {
	*bench
	dir    string
	n      int
	s      *stack.Bare
	fed    *stack.Tidemark
	prom   *used
	target string
	what   func(*live, context.Context) error // What is measured
	idle   time.Duration                      // Prometheus in one phase, for scraping alone
	rules  map[string]float64                 // What the rules cost, in processor seconds a minute per 1 000 series; nil: they are not measured
	saving time.Duration                      // One saving of the baselines
	ways   []spent
	notes  []string
}

// spent is the processor time of one phase of a way of scoring.
type spent struct {
	way        string
	own, extra time.Duration
}

// note remembers a value that nothing was asked of.
func (l *live) note(format string, args ...any) {
	text := fmt.Sprintf("%d series: "+format, append([]any{l.n}, args...)...)
	l.notes = append(l.notes, text)
	fmt.Fprintln(os.Stderr, text)
}

// scoreLive measures fleets of each size, each beside a Prometheus of its own, and the rules over the first of them beside
// another one with the same data, all at the same time: together they keep a twentieth of a core busy.
func (b *bench) scoreLive(ctx context.Context, r *report) error {
	var fleets []*live
	for _, n := range b.live {
		fleets = append(fleets, &live{bench: b, n: n, what: (*live).measureTidemark})
	}
	ruled := &live{bench: b, n: b.live[0], rules: map[string]float64{}, what: (*live).measureRules}
	if !b.noRules {
		fleets = append(fleets, ruled)
	}
	failed := make([]error, len(fleets))
	var all sync.WaitGroup
	for i, l := range fleets {
		all.Go(func() { failed[i] = b.scoreFleet(ctx, l) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	r.notes = append(r.notes, ruled.notes...)
	for _, l := range fleets[:len(b.live)] {
		l.tell(r, ruled.rules)
	}
	return nil
}

func (b *bench) scoreFleet(ctx context.Context, l *live) (err error) {
	name := fmt.Sprintf("live-%d", l.n)
	if l.rules != nil {
		name = "rules"
	}
	l.dir = filepath.Join(b.dir, name)
	if l.s, err = b.servers(name, func(c map[string]any) { c["baseline"] = map[string]any{"history": "8d"} }); err != nil {
		return err
	}
	defer func() { _ = l.s.Close() }()
	if l.fed, err = l.s.Another("--web.enable-remote-write-receiver"); err != nil {
		return err
	}
	end := time.Now().Truncate(minute)
	past := newFleet(l.n, end)
	if l.rules != nil {
		past = newFleet(l.n, end, kept()...)
	}
	if _, err := history.Write(ctx, l.s.Prometheus.DataDir(), past, history.Options{From: end.Add(-8 * day), To: end, Step: minute, Block: 2 * day}); err != nil {
		return err
	}
	target := httptest.NewServer(newFleet(l.n, end))
	defer target.Close()
	l.target = strings.TrimPrefix(target.URL, "http://")
	if err := l.configure(nil, ""); err != nil {
		return err
	}
	if err := start(ctx, l.s.Prometheus); err != nil {
		return err
	}
	l.prom = &used{p: l.s.Prometheus.Process}
	if l.idle, err = l.measure(ctx); err != nil {
		return err
	}
	l.note("scraping alone %.2f s of Prometheus in %s", l.idle.Seconds(), l.phase)
	return l.what(l, ctx)
}

// measureRules measures each method for one phase. The groups that are evaluated each five minutes fall into it as often as they
// do in an hour: the phase is a multiple of that.
func (l *live) measureRules(ctx context.Context) error {
	for _, m := range methods() {
		if err := l.reload(ctx, m.groups, ""); err != nil {
			return err
		}
		if err := l.untilWhole(ctx, m); err != nil {
			return err
		}
		cost, err := l.measure(ctx)
		if err != nil {
			return err
		}
		added, err := l.s.Prometheus.Query(ctx, `count({__name__=~"bench:`+m.name+`:.*"})`)
		if err != nil || len(added) == 0 {
			return fmt.Errorf("the rules recorded nothing: %w", err)
		}
		l.rules[m.name] = l.perThousand(cost - l.idle)
		l.note("%s rules: %.3f s a minute per 1 000 series in Prometheus, %.1f series added per input", m.name, l.rules[m.name], added[0].Value/float64(l.n))
	}
	return nil
}

// untilWhole waits until the groups that look far back have been evaluated: then the bands are whole.
func (l *live) untilWhole(ctx context.Context, m method) error {
	ctx, cancel := context.WithTimeout(ctx, 3*longInterval)
	defer cancel()
	return stack.Until(ctx, "the long-term rules are evaluated", func(ctx context.Context) (bool, error) {
		rows, err := l.s.Prometheus.Query(ctx, "count(bench:"+m.name+":"+m.slow+")")
		return len(rows) > 0, err
	})
}

// longInterval is how often the groups of rules are evaluated that look back for a day and a week.
const longInterval = 5 * time.Minute

// savingInterval is how often Tidemark saves its baselines once it has learned.
const savingInterval = 30 * time.Minute

// firstSaving is a time after the learning within which the baselines are saved a first time.
const firstSaving = 90 * time.Second

// measureTidemark measures both ways of Tidemark. A phase is too short for its share of the savings of the baselines, which cost
// more than the scoring: the one at its end is measured, and a share of it added.
func (l *live) measureTidemark(ctx context.Context) error {
	if err := start(ctx, l.s.Tidemark); err != nil {
		return err
	}
	time.Sleep(firstSaving)
	if err := l.phaseOf(ctx, "by reading", l.s.Tidemark); err != nil {
		return err
	}
	end := &used{p: l.s.Tidemark.Process}
	if _, err := end.since(); err != nil {
		return err
	}
	if err := l.s.Tidemark.Stop(20 * time.Second); err != nil {
		return err
	}
	var err error
	if l.saving, err = end.since(); err != nil {
		return err
	}
	l.note("one saving of the baselines costs %.2f s of Tidemark; there is one in %s", l.saving.Seconds(), savingInterval)
	if err := start(ctx, l.fed); err != nil {
		return err
	}
	if err := l.reload(ctx, nil, l.fed.URL); err != nil {
		return err
	}
	if err := l.untilFed(ctx); err != nil {
		return err
	}
	time.Sleep(l.settle)
	if err := l.phaseOf(ctx, "by remote write", l.fed); err != nil {
		return err
	}
	return l.fed.Stop(20 * time.Second)
}

// phaseOf measures a way of scoring for one phase.
func (l *live) phaseOf(ctx context.Context, way string, t *stack.Tidemark) error {
	ours := &used{p: t.Process}
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
	s := spent{way, own, max(0, theirs-l.idle)}
	l.ways = append(l.ways, s)
	fmt.Fprintf(os.Stderr, "%d series, %s: %s of Tidemark, %s more of Prometheus\n", l.n, way, s.own, s.extra)
	return nil
}

// share is the part of a saving that falls into a phase.
func (l *live) share() time.Duration {
	return time.Duration(float64(l.saving) * float64(l.phase) / float64(savingInterval))
}

// tell files what each way costs, against rules.
func (l *live) tell(r *report, rules map[string]float64) {
	for _, s := range l.ways {
		cost := l.perThousand(s.own + l.share() + s.extra)
		l.note("Tidemark %s: %.4f s a minute per 1 000 series (in %s %.2f s of Tidemark, %.2f s as a share of the savings, %.2f s more of Prometheus)",
			s.way, cost, l.phase, s.own.Seconds(), l.share().Seconds(), s.extra.Seconds())
		for _, m := range []struct {
			name           string
			must, moonshot float64
		}{{"adaptive", 1.0 / 10, 1.0 / 100}, {"robust", 1.0 / 30, 1.0 / 300}} {
			if rules[m.name] > 0 {
				r.less(fmt.Sprintf("%d series: processor time (ours and more of Prometheus) %s against %s rules", l.n, s.way, m.name), cost/rules[m.name], "ratio", 1, m.must, m.moonshot)
			}
		}
	}
	r.notes = append(r.notes, l.notes...)
}

// untilFed waits until steps are scored from the feed: the window of a selector is five minutes.
func (l *live) untilFed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	return stack.Until(ctx, "steps are fed", func(ctx context.Context) (bool, error) {
		time.Sleep(5 * time.Second) // Its metrics are large.
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
	return d.Seconds() / l.phase.Minutes() / (float64(l.n) / 1000)
}

// configure writes Prometheus' configuration.
func (l *live) configure(groups []group, write string) error {
	return l.s.EditPrometheus(func(c map[string]any) {
		c["scrape_configs"] = []any{map[string]any{
			"job_name": "bench", "static_configs": []any{map[string]any{"targets": []string{l.target}, "labels": map[string]string{"instance": "bench:1"}}},
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
			err = os.WriteFile(filepath.Join(l.dir, "rules.yml"), data, 0o600)
		}
		if err != nil {
			panic(err) // The folder is our own.
		}
	})
}

func (l *live) reload(ctx context.Context, groups []group, write string) error {
	if err := l.configure(groups, write); err != nil {
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
