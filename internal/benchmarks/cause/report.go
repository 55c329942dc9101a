package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

// write stores the report as markdown and JSON.
func (r *report) write(dir string) error {
	if err := figures.Write(filepath.Join(dir, "benchmarks-cause.json"), r.figures); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks-cause.md"), []byte(r.markdown()), 0o644); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// print shows the figures on a terminal.
func (r *report) print(w io.Writer) error {
	for _, f := range r.figures {
		if _, err := fmt.Fprintf(w, "%-78s %s%s\n", f.Name, show(&f.Value, f.Unit), verdict(f)); err != nil {
			return err
		}
	}
	return nil
}

func show(x *float64, unit string) string {
	switch {
	case x == nil:
		return ""
	case unit == "share":
		return fmt.Sprintf("%.3f", *x)
	case *x >= 1000:
		return fmt.Sprintf("%.0f %s", *x, unit)
	}
	return fmt.Sprintf("%.1f %s", *x, unit)
}

// verdict is the figure's own, with a space before it where there is one.
func verdict(f figures.Figure) string {
	if v := f.Verdict(); v != "" {
		return " " + v
	}
	return ""
}

// lessIsBetter says whether less of a figure is better.
func lessIsBetter(name, unit string) bool {
	return unit == "ms" || strings.Contains(name, "calibration error") || strings.Contains(name, "lost")
}

func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Benchmarks: causes\n\nWritten by `" + command + "`; nothing in it is written by hand.\n\n" +
		"Public labelled data, per system. Constants that are fitted (weights of alert lists, the confidence) come from models that did not see the system they are scored on. " +
		"Partner is the best simple method measured on the same cases. One case of 28 is .036; what is short of a goal by less than a case is missed all the same.\n\n" +
		"| figure | value | partner | must | moonshot | |\n|---|---|---|---|---|---|\n")
	for _, f := range r.figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |%s |\n", f.Name, show(&f.Value, f.Unit), show(f.Partner, f.Unit), show(f.Must, f.Unit), show(f.Moonshot, f.Unit), verdict(f))
	}
	b.WriteString("\n## By fault type\n\n| system | fault | cases | top-1 | top-3 |\n|---|---|---|---|---|\n" + strings.Join(r.faults, "\n") + "\n")
	b.WriteString("\n## Reliability of the confidence\n\nWhat was said, and how often it was right; leave one system out.\n\n| | said | cases | mean said | right |\n|---|---|---|---|---|\n" + strings.Join(r.reliability, "\n") + "\n")
	b.WriteString("\n## The public scorer on the product's own answers\n\nWith the constants that are shipped (`tidetool rca`), so the confidences and the alert lists are in-sample here.\n\n```\n" + r.scorer + "```\n")
	return b.String()
}
