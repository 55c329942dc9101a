package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// showIncident prints what the incident's page shows: cause, evidence, affected, path, action, course, and
// past incidents like it.
func (c *client) showIncident(ctx context.Context, s streams, id, _ string) error {
	var i incident
	return c.get(ctx, s, incidentsPath+"/"+url.PathEscape(id), &i, func(w io.Writer) {
		c.printIncident(w, i)
		var like []similar
		// A tidemark without a memory still has the incident.
		if c.call(ctx, http.MethodGet, incidentsPath+"/"+url.PathEscape(id)+"/similar", nil, &like) == nil {
			printSimilar(w, like)
		}
	})
}

func (c *client) printIncident(w io.Writer, i incident) {
	fmt.Fprintf(w, "%s\n%s\n\n", clean(i.Title), clean(i.Summary))
	for _, line := range [][2]string{
		{"incident", i.ID},
		{"state", i.State},
		{"severity", i.Severity},
		{"start", stamp(i.Start)},
		{"end", stamp(i.End)},
		{"revision", fmt.Sprint(i.Revision)},
		{"shared", i.shared()},
		{"alerts", i.byName()},
		{"affected", i.affected()},
		{"path", i.way()},
		{"action", i.Action},
		{"runbook", i.RunbookURL},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], orDash(line[1]))
	}
	if i.NoCause {
		fmt.Fprintf(w, "\nno clear cause; candidates, best first:\n")
	}
	for n, cause := range i.Causes {
		if n == 3 && c.output == "simple" {
			fmt.Fprintf(w, "\n%d more causes: -o extended\n", len(i.Causes)-n)
			break
		}
		fmt.Fprintf(w, "\ncause %d\t%s (%.2f) %s\n", n+1, i.cause(n), cause.Confidence, clean(cause.Text))
		for _, e := range cause.Evidence {
			sign := "−"
			if e.For {
				sign = "+"
			}
			fmt.Fprintf(w, "  %s\t%s\n", sign, orDash(e.Text))
			if c.output == "extended" && e.Query != "" {
				fmt.Fprintf(w, "\t%s = %.4g\n", clean(e.Query), e.Value)
			}
		}
	}
	if len(i.RuledOut) > 0 {
		fmt.Fprintln(w, "\nruled out")
	}
	for _, r := range i.RuledOut {
		fmt.Fprintf(w, "  %s\t%s\n", clean(r.Entity), clean(r.Text))
	}
	fmt.Fprintln(w, "\ncourse")
	for _, t := range i.Timeline {
		// What alerts and anomalies came one by one is for -o extended; what was changed, told and done is short.
		if brief := t.Kind == "change" || t.Kind == "notification" || t.Kind == "runbook" || t.Kind == "resolved"; brief || c.output == "extended" {
			fmt.Fprintf(w, "  %s\t%s: %s\n", stamp(t.Time), clean(t.Kind), clean(t.Text))
		}
	}
}

// printSimilar lists past incidents like one, and what people know of them.
func printSimilar(w io.Writer, list []similar) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\nsimilar incidents")
	for _, i := range list {
		text := fmt.Sprintf("%s, %s, %.0f %% alike", clean(i.Title), stamp(i.Start), 100*i.Score)
		if i.Confirmed != "" {
			text += ", confirmed cause: " + clean(i.Confirmed)
		}
		if i.Fixed != "" {
			text += ", ended by: " + clean(i.Fixed)
		}
		fmt.Fprintf(w, "  %s\t%s\n", clean(i.ID), text)
	}
}
