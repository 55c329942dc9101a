package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/correlate/cause"
)

// rcaCommand ranks the causes of recorded cases with the code that explains live incidents.
func rcaCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("rca", "Rank the root causes of recorded cases.")
	cmd.Flag("format", "Output format.").Default("json").Enum("json")
	start := cmd.Flag("start", "Start of the fault: given in case.json where it is, or found from the alert's time (auto).").Default("given").Enum("given", "auto")
	late := cmd.Flag("start-offset", "Move the given start, or the alert's time with --start=auto, to see what a late start costs.").Default("0s").Duration()
	ref := cmd.Flag("reference", "Reference of a case's logs and spans: also the earlier windows of the same system among the given cases (earlier), or the case's own fault-free window alone (own).").Default("earlier").Enum("earlier", "own")
	dirs := cmd.Arg("case", "Folder of a case: case.json with metrics.csv, graph.csv, alerts.csv, changes.csv, logs and spans.").Required().Strings()
	return map[string]runFunc{"rca": func(ctx context.Context, s streams) error {
		return rankCases(ctx, s, *dirs, cause.Reference(*ref), cause.Options{IgnoreFaultTime: *start == "auto", StartOffset: *late})
	}}
}

// rankCases prints the rankings of the cases that can be read, and returns what is wrong with the
// others.
func rankCases(ctx context.Context, s streams, dirs []string, ref cause.Reference, opts cause.Options) error {
	cases, broken := cause.LoadCases(dirs, ref)
	out := make(map[string]cause.Ranking, len(cases))
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ranking %s: %w", c.ID, err)
		}
		id := c.ID
		if _, twice := out[id]; twice {
			id = c.Dir
		}
		out[id] = cause.Rank(c, opts)
	}
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if len(out) > 0 || broken == nil {
		if err := enc.Encode(out); err != nil {
			return fmt.Errorf("writing rankings: %w", err)
		}
	}
	return broken
}
