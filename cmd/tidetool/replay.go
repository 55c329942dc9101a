package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/internal/progress"
	"github.com/tidemark/tidemark/internal/replay"
)

// replayCommand adds `tidetool replay`: what Tidemark would have made of the alerts that a Prometheus
// remembers.
func replayCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("replay", "Show what would have become of the alerts that Prometheus remembers: incidents, pages spared, and what nobody would have been told of (exit code 3).")
	r := replayCmd{prom: prometheusFlags(cmd)}
	cmd.Flag("from", "Begin of the range: RFC 3339, Unix seconds, or a time before now such as -6h.").Default("-24h").StringVar(&r.from)
	cmd.Flag("to", "End of the range.").Default("now").StringVar(&r.to)
	cmd.Flag("match", `Only these alerts, those of the route to Tidemark, for example {severity!="none"}.`).StringVar(&r.match)
	cmd.Flag("alerts-only", "Leave out what the watched series and changes would have said: faster, and less than the live process knows.").BoolVar(&r.alertsOnly)
	cmd.Flag("team-label", "Label by which the report counts.").Default("team").StringVar(&r.team)
	cmd.Flag("output", "Output format: simple, extended or json.").Short('o').Default("simple").EnumVar(&r.output, "simple", "extended", "json")
	return map[string]runFunc{cmd.FullCommand(): r.run}
}

type replayCmd struct {
	prom                          *promFlags
	alertsOnly                    bool
	from, to, match, team, output string
}

func (r *replayCmd) run(ctx context.Context, s streams) error {
	o := replay.Options{TeamLabel: r.team, Logger: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	var err error
	now := time.Now()
	if o.From, err = parseTime("--from", r.from, now); err != nil {
		return err
	}
	if o.To, err = parseTime("--to", r.to, now); err != nil {
		return err
	}
	if r.match != "" {
		if o.Match, err = parser.NewParser(parser.Options{}).ParseMetricSelector(r.match); err != nil {
			return fmt.Errorf("--match %q: %w", r.match, err)
		}
	}
	c, cfg, err := r.prom.open(s)
	if err != nil {
		return err
	}
	defer c.Close()
	o.Config, o.AlertsOnly = cfg, r.alertsOnly
	bar := progress.New(s.err, "Replaying")
	o.Progress = bar.Set
	report, err := replay.Run(ctx, c, o)
	bar.Done()
	if err != nil {
		return err
	}
	if r.output == "json" {
		err = printJSON(s.out, report)
	} else {
		err = r.print(s.out, report)
	}
	if err == nil && len(report.Hidden) > 0 {
		return errFinding
	}
	return err
}

func (r *replayCmd) print(out io.Writer, p *replay.Report) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s to %s\n", stamp(p.From), stamp(p.To))
	fmt.Fprintf(w, "alerts: %d, firings: %d (%d since before the range), incidents: %d\n", p.Alerts, p.Firings, p.AlreadyFiring, len(p.Incidents))
	fmt.Fprintf(w, "pages: %d when grouped by alertname, %d as incidents, %s; %d with a changed cause later\n", p.AlertPages, p.IncidentPages, spared(p), p.Revised)
	if len(p.Hidden) == 0 {
		fmt.Fprintln(w, "hidden: none, every alert is in an incident that was told")
	} else {
		fmt.Fprintf(w, "hidden: %d, in no incident that was told\n", len(p.Hidden))
		for _, h := range p.Hidden {
			fmt.Fprintf(w, "  %s to %s %s\n", stamp(h.Start), stamp(h.End), clean(h.Labels.String()))
		}
	}
	fmt.Fprintf(w, "\n%s\tALERTS\tPAGES BEFORE\tPAGES NOW\tHIDDEN\n", strings.ToUpper(clean(r.team)))
	for _, t := range p.Teams {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", orDash(t.Name), t.Firings, t.AlertPages, t.IncidentPages, t.Hidden)
	}
	fmt.Fprintln(w, "\nINCIDENT\tFIRST ALERT\tEND\tSEVERITY\tALERTS\tCAUSE\tCONFIDENCE")
	for _, i := range p.Incidents {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%.2f\n", clean(i.ID), stamp(i.FirstAlert), stamp(i.End), orDash(i.Severity), i.Alerts,
			cmp.Or(clean(i.Cause), "no clear cause"), i.Confidence)
		if r.output == "extended" {
			fmt.Fprintf(w, "  %s\n  %s\n", clean(i.Title), clean(i.Summary))
			if i.MergedInto != "" {
				fmt.Fprintf(w, "  became part of %s\n", clean(i.MergedInto))
			}
		}
	}
	if r.output == "extended" {
		fmt.Fprintln(w, "\n"+r.grounds())
	}
	return w.Flush()
}

// grounds says what the report stands on.
func (r *replayCmd) grounds() string {
	if r.alertsOnly {
		return "Alerts and topology decide here (--alerts-only). The live process also weighs anomalies, changes and metrics. The rules are those of today."
	}
	return "Decided as the live process does, from alerts, topology, anomalies, changes and metrics. What is pushed to it (log lines, spans, changes) is not in Prometheus; the rules are those of today."
}

// spared says how many pages fewer there are.
func spared(p *replay.Report) string {
	n := p.PagesSpared()
	switch {
	case n < 0:
		return fmt.Sprintf("%d more: unrelated alerts shared a name", -n)
	case p.AlertPages == 0:
		return "none to spare"
	}
	return fmt.Sprintf("%d spared (%.0f %%)", n, 100*float64(n)/float64(p.AlertPages))
}
