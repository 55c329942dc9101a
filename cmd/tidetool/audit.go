package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// auditCommand adds `tidetool audit verify`: is the log of actions whole?
func auditCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("audit", "Work with the log of decisions and actions.")
	c := clientFlags(cmd)
	verify := cmd.Command("verify", "Check the hash chain of a log: changed, removed or moved lines, torn or cut ends. Exit code 3 when something is wrong.")
	file := verify.Arg("file", "The log; without it the one of the running tidemark.").String()
	heads := verify.Flag("head", "Known end SEQ:HASH that the log must pass through, from an earlier check or tidemark's own log; repeatable.").Strings()
	return map[string]runFunc{
		"audit verify": func(ctx context.Context, s streams) error { return c.verifyAudit(ctx, s, *file, *heads) },
	}
}

func (c *client) verifyAudit(ctx context.Context, s streams, file string, heads []string) error {
	var known []audit.Head
	for _, text := range heads {
		h, err := audit.ParseHead(text)
		if err != nil {
			return fmt.Errorf("--head: %w", err)
		}
		known = append(known, h)
	}
	report, err := c.auditReport(ctx, file, known)
	if err != nil {
		return err
	}
	if c.output == "json" {
		if err := printJSON(s.out, report); err != nil {
			return err
		}
	} else {
		printReport(s.out, report)
	}
	if !report.OK() || report.TornBytes > 0 {
		return errFinding
	}
	return nil
}

func (c *client) auditReport(ctx context.Context, file string, known []audit.Head) (audit.Report, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return audit.Report{}, fmt.Errorf("open audit log: %w", err)
		}
		defer f.Close()
		return audit.Verify(f, known...)
	}
	resp, err := c.send(ctx, http.MethodGet, "/api/v1/audit", nil)
	if err != nil {
		return audit.Report{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return audit.Report{}, fmt.Errorf("tidemark answered %s.%s", resp.Status, hint(resp.StatusCode))
	}
	report, err := audit.Verify(resp.Body, known...)
	if err != nil {
		return report, fmt.Errorf("read the audit log of tidemark: %w", err)
	}
	head, err := audit.ParseHead(resp.Trailer.Get(runbook.HeadTrailer))
	switch {
	case err != nil:
		return report, errors.New("tidemark did not send the head of its log: the answer was cut")
	case head != report.Head:
		report.Problems = append(report.Problems, audit.Problem{
			Line: report.Records + 1,
			What: fmt.Sprintf("tidemark says that the log ends at %s", head),
		})
	}
	return report, nil
}

func printReport(w io.Writer, r audit.Report) {
	for _, p := range r.Problems {
		fmt.Fprintln(w, clean(p.Error()))
	}
	if r.TornBytes > 0 {
		fmt.Fprintf(w, "the last line is unfinished (%d bytes): a crash in the middle of a write; tidemark cuts it when it starts\n", r.TornBytes)
	}
	if r.OK() {
		fmt.Fprintf(w, "%d records, chain whole, head %s\n", r.Records, r.Head)
	}
}
