package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/internal/runbook"
)

const proposalsPath = "/api/v1/runbooks/proposals/"

// runbookCommand adds `tidetool runbook`: see, try, approve and reject what a running tidemark proposes.
func runbookCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("runbook", "Work with the runbooks of a running tidemark.")
	c := clientFlags(cmd)
	list := cmd.Command("list", "Runbooks and proposals that are open.")
	all := list.Flag("all", "Show proposals that ended too.").Bool()
	incident := list.Flag("incident", "Show proposals of this incident only.").String()
	out := map[string]runFunc{
		"runbook list": func(ctx context.Context, s streams) error { return c.listRunbooks(ctx, s, *all, *incident) },
	}
	add := func(name, help string, fn func(ctx context.Context, s streams, id string) error) {
		sub := cmd.Command(name, help)
		id := sub.Arg("proposal", "Identifier of the proposal, as list prints it.").Required().String()
		out["runbook "+name] = func(ctx context.Context, s streams) error { return fn(ctx, s, *id) }
	}
	add("show", "One proposal in full.", func(ctx context.Context, s streams, id string) error {
		return c.proposal(ctx, s, http.MethodGet, id, "")
	})
	add("dry-run", "What would be sent, and what stands against it. Exit code 3 when something does.", c.dryRun)
	add("approve", "Let Tidemark make the call.", func(ctx context.Context, s streams, id string) error {
		return c.proposal(ctx, s, http.MethodPost, id, "/approve")
	})
	add("reject", "Close the proposal; nothing is called.", func(ctx context.Context, s streams, id string) error {
		return c.proposal(ctx, s, http.MethodPost, id, "/reject")
	})
	for _, name := range []string{"pause", "resume"} {
		sub := cmd.Command(name, map[string]string{"pause": "Stop all actions at once, over restarts too.", "resume": "Allow actions again."}[name])
		reason := sub.Flag("reason", "Why; stands in the audit log.").String()
		out["runbook "+name] = func(ctx context.Context, s streams) error { return c.toggle(ctx, s, name, *reason) }
	}
	return out
}

func (c *client) listRunbooks(ctx context.Context, s streams, all bool, incident string) error {
	var o runbook.Overview
	if err := c.call(ctx, http.MethodGet, "/api/v1/runbooks", nil, &o); err != nil {
		return err
	}
	o.Proposals = slices.DeleteFunc(o.Proposals, func(p runbook.Proposal) bool {
		return !all && p.State.Ended() || incident != "" && p.Incident.ID != incident
	})
	if c.output == "json" {
		return printJSON(s.out, o)
	}
	if o.Pause.Paused {
		fmt.Fprintf(s.out, "Actions are paused by %s since %s: %s\n", orDash(o.Pause.By), stamp(o.Pause.At), orDash(o.Pause.Reason))
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	if c.output == "extended" {
		fmt.Fprintln(w, "RUNBOOK\tMODE\tMATCHERS\tCALLS\tURL")
		for _, r := range o.Runbooks {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %s\n", clean(r.Name), r.Mode, clean(strings.Join(r.Matchers, ", ")), results(r.Results), r.Method, clean(r.URL))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "PROPOSAL\tRUNBOOK\tINCIDENT\tRESOURCE\tSTATE\tDETAIL")
	for _, p := range o.Proposals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(p.ID), clean(p.Runbook), clean(p.Incident.ID), orDash(p.Incident.Resource), p.State, detail(p))
	}
	return w.Flush()
}

func results(r map[runbook.Verdict]int) string {
	var out []string
	for _, v := range slices.Sorted(maps.Keys(r)) {
		out = append(out, fmt.Sprintf("%d %s", r[v], v))
	}
	return orDash(strings.Join(out, ", "))
}

// detail is what a person should know of a proposal next.
func detail(p runbook.Proposal) string {
	for _, text := range []string{p.Problem, p.Waiting, p.Reason} {
		if text != "" {
			return clean(text)
		}
	}
	if p.State == runbook.StateSuggested && p.Mode != runbook.ModeApprove {
		return "shown only, the runbook's mode is " + clean(string(p.Mode))
	}
	return "-"
}

func (c *client) proposal(ctx context.Context, s streams, method, id, verb string) error {
	var p runbook.Proposal
	if err := c.call(ctx, method, proposalsPath+url.PathEscape(id)+verb, nil, &p); err != nil {
		return err
	}
	switch {
	case c.output == "json":
		return printJSON(s.out, p)
	case c.output == "simple" && method == http.MethodPost:
		_, err := fmt.Fprintf(s.out, "%s %s (%s): %s\n", clean(p.ID), clean(p.Runbook), clean(p.Incident.ID), p.State)
		return err
	}
	return printProposal(s.out, p)
}

func printProposal(out io.Writer, p runbook.Proposal) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, line := range [][2]string{
		{"proposal", p.ID},
		{"runbook", p.Runbook + " (mode " + string(p.Mode) + ")"},
		{"incident", p.Incident.ID},
		{"cause", p.Incident.Cause},
		{"resource", p.Incident.Resource},
		{"state", string(p.State)},
		{"verdict", string(p.Verdict)},
		{"detail", detail(p)},
		{"suggested", stamp(p.SuggestedAt)},
		{"approved", stamp(p.ApprovedAt)},
		{"by", p.ApprovedBy},
		{"called", stamp(p.CalledAt)},
		{"attempts", fmt.Sprint(p.Attempts)},
		{"ended", stamp(p.EndedAt)},
		{"key", p.Key},
		{"body", string(p.Body)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], orDash(line[1]))
	}
	return w.Flush()
}

func (c *client) dryRun(ctx context.Context, s streams, id string) error {
	var d runbook.DryRun
	if err := c.call(ctx, http.MethodPost, proposalsPath+url.PathEscape(id)+"/dry-run", nil, &d); err != nil {
		return err
	}
	if c.output == "json" {
		if err := printJSON(s.out, d); err != nil {
			return err
		}
	} else {
		printDryRun(s.out, d)
	}
	if len(d.Against) > 0 {
		return errFinding
	}
	return nil
}

func printDryRun(w io.Writer, d runbook.DryRun) {
	fmt.Fprintf(w, "%s %s\n", clean(d.Method), clean(d.URL))
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		fmt.Fprintf(w, "%s: %s\n", clean(name), clean(d.Headers[name]))
	}
	fmt.Fprintf(w, "\n%s\n\n", clean(string(d.Body)))
	for _, a := range d.Addresses {
		fmt.Fprintf(w, "address %s\n", clean(a))
	}
	if len(d.Against) == 0 {
		fmt.Fprintln(w, "An approval would send this. Nothing was sent.")
		return
	}
	for _, reason := range d.Against {
		fmt.Fprintf(w, "against: %s\n", clean(reason))
	}
}

func (c *client) toggle(ctx context.Context, s streams, verb, reason string) error {
	var p runbook.Pause
	if err := c.call(ctx, http.MethodPost, "/-/actions/"+verb, map[string]string{"reason": reason}, &p); err != nil {
		return err
	}
	if c.output == "json" {
		return printJSON(s.out, p)
	}
	_, err := fmt.Fprintf(s.out, "actions are %s\n", map[bool]string{true: "paused", false: "allowed"}[p.Paused])
	return err
}
