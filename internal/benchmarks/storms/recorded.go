package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/stormtest"
	"github.com/tidemark/tidemark/correlate/topology"
)

// goals of the recorded storms: the best of the simple anchors, what is asked, and the stretch.
var goals = map[string]goal{
	"pair F1":                    {ptr(.67), ptr(.86), ptr(.92)},
	"B-cubed F1":                 {ptr(.75), ptr(.90), ptr(.95)},
	"mixed groups":               {ptr(.15), ptr(.10), ptr(.06)},
	"groups per incident":        {ptr(2.0), ptr(1.5), ptr(1.3)},
	"reduction over the truth's": {nil, ptr(.85), ptr(.97)},
	"root@1":                     {ptr(.35), ptr(.75), ptr(.88)},
	"calibration error":          {nil, ptr(.12), ptr(.08)},
}

// recorded runs the storms of the data folder; only the scoring reads their truth.
func recorded(ctx context.Context, o options) (table, []result, error) {
	t := table{title: "Recorded storms (alerts/storms of the data folder)"}
	dirs, err := filepath.Glob(filepath.Join(o.data, "alerts", "storms", "*", "alerts.jsonl"))
	if err != nil {
		return t, nil, err
	}
	if len(dirs) == 0 {
		return t, nil, fmt.Errorf("no alerts/storms/*/alerts.jsonl under %s", o.data)
	}
	out, err := os.MkdirTemp("", "storms")
	if err != nil {
		return t, nil, err
	}
	defer func() { _ = os.RemoveAll(out) }()
	var figures []stormtest.Figures
	for _, f := range dirs {
		s, err := loadStorm(filepath.Dir(f))
		if err != nil {
			return t, nil, err
		}
		a, err := answer(ctx, s, o.once)
		if err != nil {
			return t, nil, err
		}
		if err := loadTruth(s, filepath.Dir(f)); err != nil {
			return t, nil, err
		}
		figures = append(figures, s.Score(a))
		if err := writeAnswer(filepath.Join(out, s.Name+".json"), a); err != nil {
			return t, nil, err
		}
	}
	m := stormtest.Mean(figures)
	t.add("recorded", m)
	if o.bench != "" {
		cmd := exec.CommandContext(ctx, "python3", filepath.Join(o.bench, "alerts", "score.py"), "--data", filepath.Join(o.data, "alerts", "storms"), "--pred", out)
		cmd.Stderr = os.Stderr
		said, err := cmd.Output()
		if err != nil {
			return t, nil, fmt.Errorf("score with %s: %w", cmd, err)
		}
		t.note = "The public scorer on the same answers:\n\n```\n" + strings.TrimSpace(string(said)) + "\n```\n"
	}
	return t, figuresOf("recorded storms", m, goals), nil
}

func loadStorm(dir string) (*stormtest.Storm, error) {
	s := &stormtest.Storm{Name: filepath.Base(dir), Truth: map[string]string{}, Incidents: map[string]stormtest.Incident{}}
	err := errors.Join(
		withFile(filepath.Join(dir, "alerts.jsonl"), func(f *os.File) (err error) { s.Events, err = correlate.ReadRecording(f); return err }),
		withFile(filepath.Join(dir, "graph.csv"), func(f *os.File) (err error) { s.Edges, err = topology.ReadGraph(f); return err }),
		withFile(filepath.Join(dir, "nodes.csv"), func(f *os.File) (err error) { s.Found, err = topology.ReadNodes(f); return err }),
	)
	return s, err
}

func withFile(path string, read func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func loadTruth(s *stormtest.Storm, dir string) error {
	var truth struct {
		Alerts    map[string]string
		Incidents map[string]struct {
			Type, Root string
			Start      float64
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &truth); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	s.Truth = truth.Alerts
	for id, i := range truth.Incidents {
		s.Incidents[id] = stormtest.Incident{Type: i.Type, Root: i.Root, Start: time.Unix(int64(i.Start), 0)}
	}
	return nil
}

// writeAnswer writes what the scorer of the data reads.
func writeAnswer(path string, a stormtest.Answer) error {
	type cause struct {
		Entity     string  `json:"entity"`
		Confidence float64 `json:"confidence"`
	}
	type incident struct {
		ID      string   `json:"id"`
		Members []string `json:"members"`
		Causes  []cause  `json:"causes"`
	}
	var out struct {
		Incidents []incident `json:"incidents"`
	}
	seen := map[string]bool{}
	for i := range a.Groups {
		x := incident{ID: fmt.Sprint(i)}
		for _, m := range a.Groups[i] {
			if !seen[m] {
				seen[m] = true
				x.Members = append(x.Members, m)
			}
		}
		for _, c := range a.Causes[i] {
			x.Causes = append(x.Causes, cause(c))
		}
		out.Incidents = append(out.Incidents, x)
	}
	data, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
