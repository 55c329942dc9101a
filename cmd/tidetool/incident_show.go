package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/runbook"
)

// evidenceShown is how many observations -o simple prints for a cause; what speaks against it is always printed.
const evidenceShown = 5

// showIncident prints what the incident's page shows, in its order: cause and why, what to do, what speaks for and
// against, affected, path, course, and past incidents like it.
func (c *client) showIncident(ctx context.Context, s streams, id, _ string) error {
	var i incident
	return c.get(ctx, s, incidentsPath+"/"+url.PathEscape(id), &i, func(w io.Writer) {
		// A tidemark without runbooks or a memory still has the incident.
		var o runbook.Overview
		if c.call(ctx, http.MethodGet, "/api/v1/runbooks", nil, &o) != nil {
			o.Proposals = nil
		}
		c.printIncident(w, i, o.Proposals)
		var like []similar
		if c.call(ctx, http.MethodGet, incidentsPath+"/"+url.PathEscape(id)+"/similar", nil, &like) == nil {
			printSimilar(w, like)
		}
		fmt.Fprintf(w, "\nwas the cause right?  tidetool incident confirm %s, or reject %s --cause ENTITY\n", clean(i.ID), clean(i.ID))
	})
}

func (c *client) printIncident(w io.Writer, i incident, proposals []runbook.Proposal) {
	fmt.Fprintf(w, "%s\n%s, %s, %s\n\n", clean(i.Title), orDash(i.Severity), orDash(i.State), i.lasted(time.Now()))
	c.printCause(w, &i)
	fmt.Fprintf(w, "do\t%s\n", orDash(i.Action))
	for _, p := range proposals {
		if p.Incident.ID != i.ID {
			continue
		}
		fmt.Fprintf(w, "  runbook\t%s (%s)", clean(p.Runbook), p.State)
		if p.Mode == runbook.ModeApprove && p.State == runbook.StateSuggested {
			fmt.Fprintf(w, ": tidetool runbook approve %s", clean(p.ID))
		}
		fmt.Fprintln(w)
	}
	if i.RunbookURL != "" {
		fmt.Fprintf(w, "  runbook\t%s\n", clean(i.RunbookURL))
	}
	c.printCandidates(w, &i)
	if len(i.RuledOut) > 0 {
		fmt.Fprintln(w, "\nruled out")
	}
	for _, r := range i.RuledOut {
		fmt.Fprintf(w, "  %s\t%s\n", clean(r.Entity), clean(r.Text))
	}
	fmt.Fprintln(w)
	for _, line := range [][2]string{
		{"affected", i.affected()},
		{"path", i.way()},
		{"alerts", i.byName()},
		{"shared", i.shared()},
		{"began", when(i.Start, time.Now())},
		{"ended", when(i.End, time.Now())},
		{"incident", fmt.Sprintf("%s, revision %d", i.ID, i.Revision)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], orDash(line[1]))
	}
	fmt.Fprintln(w, "\ncourse")
	for _, t := range i.Timeline {
		// What alerts and anomalies came one by one is for -o extended; what was changed, told and done is short.
		if brief := t.Kind == "change" || t.Kind == "notification" || t.Kind == "runbook" || t.Kind == "resolved"; brief || c.output == "extended" {
			fmt.Fprintf(w, "  %s\t%s: %s\n", clock(t.Time), clean(t.Kind), clean(t.Text))
		}
	}
}

// printCause says what a reader needs first: the cause, how sure that is, why, and which is next.
func (c *client) printCause(w io.Writer, i *incident) {
	if len(i.Causes) == 0 || i.NoCause {
		fmt.Fprintln(w, "cause\tno clear cause; candidates below, best first")
		return
	}
	first := i.Causes[0]
	fmt.Fprintf(w, "cause\t%s, %.0f %% sure\n", i.cause(0), 100*first.Confidence)
	for _, e := range first.Evidence {
		if e.For && e.Kind != "coverage" && e.Text != "" {
			fmt.Fprintf(w, "  why\t%s\n", clean(e.Text))
			break
		}
	}
	if first.Text != "" {
		fmt.Fprintf(w, "\t%s\n", clean(first.Text))
	}
	if len(i.Causes) > 1 {
		fmt.Fprintf(w, "  next\t%s, %.0f %%\n", i.cause(1), 100*i.Causes[1].Confidence)
	}
}

// printCandidates prints what speaks for and against the causes.
func (c *client) printCandidates(w io.Writer, i *incident) {
	for n, candidate := range i.Causes {
		if n == 3 && c.output == "simple" {
			fmt.Fprintf(w, "\n%d more candidates: -o extended\n", len(i.Causes)-n)
			break
		}
		fmt.Fprintf(w, "\nfor and against %s (%.0f %%)\n", i.cause(n), 100*candidate.Confidence)
		c.printEvidence(w, candidate.Evidence)
	}
}

func (c *client) printEvidence(w io.Writer, all []cause.Evidence) {
	shown, folded := 0, 0
	for _, e := range all {
		if shown++; c.output == "simple" && e.For && shown > evidenceShown {
			folded++
			continue
		}
		sign := "−"
		if e.For {
			sign = "+"
		}
		fmt.Fprintf(w, "  %s\t%s\n", sign, orDash(e.Text))
		if c.output == "extended" && e.Query != "" {
			fmt.Fprintf(w, "\t%s = %.4g\n", clean(e.Query), e.Value)
		}
	}
	if folded > 0 {
		fmt.Fprintf(w, "\t%d more: -o extended\n", folded)
	}
}

// lasted is since when, or for how long it was, and how many alerts are in it.
func (i *incident) lasted(now time.Time) string {
	out := "began " + ago(now.Sub(i.Start))
	if !i.End.IsZero() {
		out = "lasted " + span(i.End.Sub(i.Start)) + ", ended " + ago(now.Sub(i.End))
	}
	alerts := "alerts"
	if len(i.Alerts) == 1 {
		alerts = "alert"
	}
	return fmt.Sprintf("%s, %d %s → 1 incident", out, len(i.Alerts), alerts)
}

func ago(d time.Duration) string { return span(d) + " ago" }

// span is a time in one unit: it is read in a hurry.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

// when is a time with its zone, and how long ago that was.
func when(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return clock(t) + ", " + ago(now.Sub(t))
}

// clock is a time as people read it.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// printSimilar lists past incidents like one, and what people know of them.
func printSimilar(w io.Writer, list []similar) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\nsimilar incidents")
	for _, i := range list {
		text := fmt.Sprintf("%s, %s, %.0f %% alike", clean(i.Title), clock(i.Start), 100*i.Score)
		if i.Confirmed != "" {
			text += ", confirmed cause: " + clean(i.Confirmed)
		}
		if i.Fixed != "" {
			text += ", ended by: " + clean(i.Fixed)
		}
		fmt.Fprintf(w, "  %s\t%s\n", clean(i.ID), text)
	}
}
