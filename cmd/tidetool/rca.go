package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/correlate/cause"
)

// rcaCommand ranks the causes of recorded cases.
func rcaCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("rca", "Rank the root causes of recorded cases.")
	format := cmd.Flag("format", "Output format.").Default("json").Enum("json")
	dirs := cmd.Arg("case", "Folder of a case.").Required().Strings()
	ref := cmd.Flag("reference", "Reference for logs and spans: earlier windows of the same system among the given cases, or each case's own fault-free window alone.").Default("earlier").Enum("earlier", "own")
	_ = format
	return map[string]runFunc{"rca": func(_ context.Context, s streams) error {
		out := map[string]cause.Ranking{}
		cases, err := cause.LoadCases(*dirs, cause.Reference(*ref))
		if err != nil {
			return err
		}
		for _, c := range cases {
			out[c.ID] = cause.Rank(c, cause.Options{})
		}
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", " ")
		if err := enc.Encode(out); err != nil {
			return fmt.Errorf("writing rankings: %w", err)
		}
		return nil
	}}
}
