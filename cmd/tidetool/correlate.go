package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/tidemark/tidemark/correlate"
)

// correlateCommand adds `tidetool correlate`: recorded alerts through the engine of the live process, on
// the recording's own clock.
func correlateCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("correlate", "Turn recorded alerts (JSON lines on standard input: receivedAt, status, startsAt, endsAt, labels, annotations) into incidents.")
	var c correlateCmd
	cmd.Flag("format", "Output format.").Default("simple").EnumVar(&c.format, "simple", "json")
	cmd.Flag("topology", "Graph as CSV (source,target,kind); nodes.csv (node,internal_ip,zone) beside it is read, too.").ExistingFileVar(&c.topology)
	return map[string]runFunc{"correlate": c.run}
}

type correlateCmd struct{ format, topology string }

func (c *correlateCmd) run(ctx context.Context, s streams) error {
	graph, err := readGraphFiles(c.topology)
	if err != nil {
		return err
	}
	alerts, err := correlate.ReadRecording(s.in)
	if err != nil {
		return err
	}
	var past []correlate.Incident
	engine := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{
		Topology: graph,
		Archive:  func(i correlate.Incident) { past = append(past, i) },
	})
	if err := correlate.Replay(ctx, engine, alerts); err != nil {
		return err
	}
	return c.print(s.out, append(past, engine.Incidents()...), ownFingerprints(alerts))
}

// nodesBeside is the nodes file of a graph file.
func nodesBeside(graph string) string { return filepath.Join(filepath.Dir(graph), "nodes.csv") }

// ownFingerprints maps the fingerprint of an alert's labels to what the recording calls it.
func ownFingerprints(alerts []correlate.Recorded) map[string]string {
	out := make(map[string]string, len(alerts))
	for _, a := range alerts {
		if a.Fingerprint != "" {
			out[a.Labels.Fingerprint().String()] = a.Fingerprint
		}
	}
	return out
}

// printedIncident is an incident as scripts read it.
type printedIncident struct {
	ID         string            `json:"id"`
	State      string            `json:"state"`
	Severity   string            `json:"severity,omitempty"`
	Title      string            `json:"title"`
	Summary    string            `json:"summary"`
	Start      time.Time         `json:"start"`
	FirstAlert time.Time         `json:"first_alert"`
	End        time.Time         `json:"end,omitzero"`
	Members    []string          `json:"members"`
	Causes     []printedCause    `json:"causes"`
	NoCause    bool              `json:"no_clear_cause"`
	Affected   []correlate.Count `json:"affected,omitempty"`
	Path       []correlate.Hop   `json:"path,omitempty"`
}

type printedCause struct {
	Entity     string  `json:"entity"`
	Kind       string  `json:"kind"`
	Resource   string  `json:"resource,omitempty"`
	Confidence float64 `json:"confidence"`
	Text       string  `json:"text"`
	Evidence   any     `json:"evidence,omitempty"`
}

func (c *correlateCmd) print(w io.Writer, incidents []correlate.Incident, own map[string]string) error {
	slices.SortFunc(incidents, func(a, b correlate.Incident) int {
		return cmp.Or(a.FirstAlert.Compare(b.FirstAlert), cmp.Compare(a.ID, b.ID))
	})
	out := make([]printedIncident, 0, len(incidents))
	placed := map[string]bool{}
	for _, i := range incidents {
		if p := printable(i, own, placed); len(p.Members) > 0 {
			out = append(out, p)
		}
	}
	if c.format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(map[string]any{"incidents": out})
	}
	for _, p := range out {
		if _, err := fmt.Fprintf(w, "%s  %s  %s  %s\n    %s\n", p.ID, p.FirstAlert.UTC().Format(time.RFC3339), p.State, p.Title, p.Summary); err != nil {
			return err
		}
	}
	return nil
}

// printable lists every fingerprint once: an alert that fired in two incidents counts for the first.
func printable(i correlate.Incident, own map[string]string, placed map[string]bool) printedIncident {
	p := printedIncident{
		ID: i.ID, State: i.State, Severity: i.Severity, Title: i.Title, Summary: i.Summary, Start: i.Start, FirstAlert: i.FirstAlert, End: i.End,
		NoCause: i.NoClearCause, Affected: i.Affected, Path: i.Path, Causes: []printedCause{},
	}
	for _, m := range i.Alerts {
		fps := m.Fingerprints
		if len(fps) == 0 {
			fps = []string{m.Fingerprint}
		}
		for _, fp := range fps {
			if name, ok := own[fp]; ok {
				fp = name
			}
			if !placed[fp] {
				placed[fp] = true
				p.Members = append(p.Members, fp)
			}
		}
	}
	for n, c := range i.Causes {
		pc := printedCause{Entity: c.Entity.Name, Kind: c.Entity.Kind, Resource: c.Resource, Confidence: c.Confidence, Text: c.Text}
		if n == 0 && len(c.Evidence) > 0 {
			pc.Evidence = c.Evidence
		}
		p.Causes = append(p.Causes, pc)
	}
	return p
}
