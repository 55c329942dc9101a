package play

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/shop"
)

// report prints the table of what was promised and what came, and returns what failed.
func (p *scenario) report() error {
	p.rss = p.stack.Tidemark.RSS()
	var failed []error
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	row := func(name, value string, ok bool) {
		mark := "ok"
		if !ok {
			mark = "FAILED"
			failed = append(failed, fmt.Errorf("%s: %s", name, value))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", name, value, mark)
	}
	fmt.Fprintf(p.out, "\n%s: %s\n", p.fault.Name, p.fault.Title)
	row("history learned", fmt.Sprintf("%d series in %s", p.series, p.learned.Round(100*time.Millisecond)), p.learned > 0)
	row("nothing before the fault", yes(p.quiet), p.quiet)
	if p.fault.Static {
		p.staticRows(row)
	} else {
		p.contextualRows(row)
	}
	row("events the pager refused", fmt.Sprint(len(p.stack.Pager.Refused())), len(p.stack.Pager.Refused()) == 0)
	row("memory of tidemark", fmt.Sprintf("%d MB", p.rss>>20), p.rss > 0)
	row("whole demo", time.Since(p.began).Round(time.Second).String(), true)
	_ = w.Flush()
	return errors.Join(failed...)
}

func (p *scenario) staticRows(row func(name, value string, ok bool)) {
	enough := p.alerts > 0
	if p.fault.Name == shop.Faults[0].Name {
		enough = p.alerts >= storm
	}
	row("alerts → incidents", fmt.Sprintf("%d → %d", p.alerts, len(p.incidents)), enough && len(p.incidents) == 1)
	row("true cause", p.fault.Cause, true)
	row("Tidemark's cause", fmt.Sprintf("%s, confidence %.2f", orNone(p.incident.Cause()), p.incident.Confidence()), p.fault.Accept(p.incident.Cause()))
	row("cause in the first page", orNone(p.pageCause()), p.fault.Accept(p.pageCause()))
	row("affected", p.incident.AffectedText(), p.incident.AffectedText() != "")
	row("first alert → first page", fmt.Sprintf("%.1f s", p.outcome().Wait.Seconds()), p.page.Payload != nil)
	row("raw alerts that paged", fmt.Sprint(p.rawPages()), p.rawPages() == 0)
	if p.fault.Name == shop.Faults[0].Name {
		n := p.stack.FailOver.Effects()
		row("runbook carried out", fmt.Sprintf("%d time", n), n == 1 && len(p.stack.FailOver.Calls()) == 1)
	}
	row("incident and page resolved", yes(p.resolved), p.resolved)
}

func (p *scenario) contextualRows(row func(name, value string, ok bool)) {
	row("static alerts", fmt.Sprint(p.alerts), p.alerts == 0)
	row("contextual anomalies", strings.Join(p.anomalies, ", "), len(p.anomalies) > 0)
	row("incidents", fmt.Sprintf("%d, cause %s", len(p.incidents), orNone(p.incident.Cause())), len(p.incidents) == 1 && p.fault.Accept(p.incident.Cause()))
}

// rawPages counts pages that are not about an incident: the direct path, which must be held back.
func (p *scenario) rawPages() int {
	n := 0
	for _, e := range p.stack.Pager.Events() {
		if e.EventAction == pager.Trigger && e.Client != "Tidemark" {
			n++
		}
	}
	return n
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
