package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/internal/progress"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/replay"
)

// explainCommand adds `tidetool explain`: why a sample scored what it did.
func explainCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("explain", "Say why a series scores what it does: of a running tidemark its last sample, or of Prometheus' history any (--prometheus.url or --config).")
	e := explainCmd{client: clientFlags(cmd), prom: prometheusFlags(cmd)}
	cmd.Flag("watch", "Name of the watch.").Required().StringVar(&e.watch)
	cmd.Flag("series", `Matchers of one series, for example {instance="db-0:9100"}.`).Default("{}").StringVar(&e.series)
	cmd.Flag("time", "When: RFC 3339, Unix seconds, or a time before now such as -6h. Needs Prometheus.").StringVar(&e.time)
	return map[string]runFunc{cmd.FullCommand(): e.run}
}

type explainCmd struct {
	client              *client
	prom                *promFlags
	watch, series, time string
}

// explanation is a series with what is said of it, in the words of the API.
type explanation struct {
	Watch       string         `json:"watch"`
	Labels      string         `json:"labels"`
	Time        int64          `json:"time_ms"`
	Expr        string         `json:"expr,omitempty"`
	Explanation string         `json:"explanation"`
	Summary     string         `json:"summary"`
	Detail      string         `json:"detail"`
	State       string         `json:"state"`
	Season      string         `json:"season,omitempty"`
	Value       *float64       `json:"value"`
	Expected    *float64       `json:"expected"`
	Lower       *float64       `json:"lower"`
	Upper       *float64       `json:"upper"`
	Score       *float64       `json:"score"`
	Kind        string         `json:"kind,omitempty"`
	Detector    string         `json:"detector,omitempty"`
	Evidence    []detectorSays `json:"evidence"`

	Withheld     bool          `json:"withheld,omitempty"`
	Group        string        `json:"group,omitempty"`
	Contributors []contributor `json:"contributors,omitempty"`
	BudgetRatio  *float64      `json:"false_alarm_budget_ratio"`
}

// contributor is a series' share of a joint anomaly.
type contributor struct {
	Labels string  `json:"labels"`
	Share  float64 `json:"share"`
}

// detectorSays is the score that one detector alone would give.
type detectorSays struct {
	Detector string  `json:"detector"`
	Kind     string  `json:"kind"`
	Score    float64 `json:"score"`
	P        float64 `json:"p_value"`
}

func (e *explainCmd) run(ctx context.Context, s streams) error {
	matchers, err := matchersOf(e.series)
	if err != nil {
		return err
	}
	var found []explanation
	if e.prom.given() {
		found, err = e.ofHistory(ctx, s, matchers)
	} else {
		found, err = e.ofTidemark(ctx, matchers)
	}
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("no series of watch %s matches %s", e.watch, e.series)
	case len(found) > 1:
		return fmt.Errorf("%d series of watch %s match %s, among them %s and %s: narrow --series", len(found), e.watch, e.series, clean(found[0].Labels), clean(found[1].Labels))
	case e.client.output == "json":
		return printJSON(s.out, found[0])
	}
	return found[0].print(s.out, e.client.output == "extended")
}

// matchersOf reads a selector; {} matches everything.
func matchersOf(selector string) ([]*labels.Matcher, error) {
	if selector == "{}" {
		return nil, nil
	}
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("--series %q: %w", selector, err)
	}
	return ms, nil
}

// ofTidemark asks a running process about its last samples.
func (e *explainCmd) ofTidemark(ctx context.Context, matchers []*labels.Matcher) ([]explanation, error) {
	if e.time != "" {
		return nil, errors.New("a running tidemark explains its last sample alone: for --time give --prometheus.url or --config")
	}
	query := url.Values{"watch": {e.watch}, "explain": {"1"}, "limit": {"100000"}}
	var rows []explanation
	if err := e.client.call(ctx, http.MethodGet, "/api/v1/series?"+query.Encode(), nil, &rows); err != nil {
		return nil, err
	}
	p := parser.NewParser(parser.Options{})
	var err error
	rows = slices.DeleteFunc(rows, func(r explanation) bool {
		ls, perr := p.ParseMetric(r.Labels)
		if perr != nil {
			err = fmt.Errorf("understand the labels %s: %w", r.Labels, perr)
		}
		return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return m.Name != model.MetricNameLabel && !m.Matches(ls.Get(m.Name)) })
	})
	return rows, err
}

// ofHistory learns the watch from Prometheus up to the time asked for.
func (e *explainCmd) ofHistory(ctx context.Context, s streams, matchers []*labels.Matcher) ([]explanation, error) {
	at, err := parseTime("--time", orNow(e.time), time.Now())
	if err != nil {
		return nil, err
	}
	c, cfg, err := e.prom.open(s)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	w, err := replay.FindWatch(ctx, c, cfg.Watches, cfg.Discover, e.watch, at)
	if err != nil {
		return nil, err
	}
	bar := progress.New(s.err, "Learning")
	found, err := replay.Explain(ctx, promread.Scrapes{Client: c}, cfg.Baseline, w, matchers, at, bar.Set)
	bar.Done()
	if err != nil {
		return nil, err
	}
	out := make([]explanation, 0, len(found))
	for _, f := range found {
		x := explanation{
			Watch: w.Name, Labels: f.Labels.String(), Time: f.Score.Time, Expr: w.Expr, Explanation: f.Why.Text, Summary: f.Why.Summary, Detail: f.Why.Detail, State: f.Why.State, Season: f.Why.Season,
			Value: finite(f.Score.Value), Expected: finite(f.Score.Expected), Lower: finite(f.Score.Lower), Upper: finite(f.Score.Upper), Score: finite(f.Score.Raw),
			Kind: string(f.Score.Kind), Detector: f.Score.Detector, Evidence: []detectorSays{},
			Withheld: f.Score.Withheld, Group: f.Why.Group, BudgetRatio: finite(f.BudgetRatio),
		}
		for _, c := range f.Why.Contributors {
			x.Contributors = append(x.Contributors, contributor{cmp.Or(c.Name, x.Labels), c.Part})
		}
		for _, d := range f.Evidence {
			x.Evidence = append(x.Evidence, detectorSays{d.Detector, string(d.Kind), d.Score, d.P})
		}
		out = append(out, x)
	}
	return out, nil
}

func orNow(s string) string {
	if s == "" {
		return "now"
	}
	return s
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (x *explanation) print(out io.Writer, extended bool) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s %s at %s\n%s\n", clean(x.Watch), clean(x.Labels), stamp(time.UnixMilli(x.Time)), clean(cmp.Or(x.Summary, x.Explanation)))
	if x.Detail != "" {
		fmt.Fprintln(w, clean(x.Detail))
	}
	fmt.Fprintln(w)
	if extended {
		fmt.Fprintf(w, "expression\t%s\nseason\t%s\n", orDash(x.Expr), orDash(x.Season))
	}
	for _, row := range []struct {
		name string
		v    *float64
	}{{"value", x.Value}, {"expected", x.Expected}, {"lower", x.Lower}, {"upper", x.Upper}, {"score", x.Score}} {
		fmt.Fprintf(w, "%s\t%s\n", row.name, digits(row.v))
	}
	if x.BudgetRatio != nil {
		fmt.Fprintf(w, "budget\t%s\n", digits(x.BudgetRatio))
	}
	for _, c := range x.Contributors {
		fmt.Fprintf(w, "share\t%s %.0f %%\n", clean(c.Labels), 100*c.Share)
	}
	fmt.Fprintf(w, "state\t%s\n\nDETECTOR\tKIND\tSCORE ALONE\tP-VALUE\n", orDash(x.State))
	for _, d := range x.Evidence {
		if d.Score > 0 || extended {
			fmt.Fprintf(w, "%s\t%s\t%.3f\t%.2g\n", clean(d.Detector), clean(d.Kind), d.Score, d.P)
		}
	}
	return w.Flush()
}

func digits(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}
