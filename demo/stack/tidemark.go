package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tidemark is the sidecar that is demonstrated and tested.
type Tidemark struct {
	*Process
	URL    string
	tool   string // Path of tidetool.
	client string // Path of tidetool's HTTP configuration, with the token that may approve.
	config string // Path of its configuration.
	data   string // Its folder.
}

func newTidemark(bin, dir, addr string) *Tidemark {
	config, data := filepath.Join(dir, "tidemark.yml"), filepath.Join(dir, "tidemark")
	return &Tidemark{
		Process: newProcess("tidemark", filepath.Join(bin, "tidemark"), dir,
			"--config.file="+config, "--storage.path="+data,
			"--web.listen-address="+addr, "--web.enable-lifecycle"),
		URL: "http://" + addr, tool: filepath.Join(bin, "tidetool"), client: filepath.Join(dir, "client.yml"),
		config: config, data: data,
	}
}

// WaitReady polls /-/ready until it answers 200: history is learned.
func (t *Tidemark) WaitReady(ctx context.Context) error { return waitReady(ctx, t.Process, t.URL) }

// Incident is an element of GET /api/v1/incidents, as far as demo and tests look at it.
type Incident struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	Title      string    `json:"title"`
	Summary    string    `json:"summary"`
	FirstAlert time.Time `json:"first_alert"`
	Opened     time.Time `json:"opened"`
	End        time.Time `json:"end"`
	Revision   int       `json:"revision"`
	Alerts     []struct {
		Labels map[string]string `json:"labels"`
		Status string            `json:"status"`
	} `json:"alerts"`
	Anomalies []struct {
		Watch  string            `json:"watch"`
		Labels map[string]string `json:"labels"`
		Kind   string            `json:"kind"`
		Active bool              `json:"active"`
		Text   string            `json:"text"`
	} `json:"anomalies"`
	Causes []struct {
		Entity struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"entity"`
		Resource   string  `json:"resource"`
		Text       string  `json:"text"`
		Confidence float64 `json:"confidence"`
	} `json:"causes"`
	NoClearCause bool `json:"no_clear_cause"`
	Affected     []struct {
		Noun string `json:"noun"`
		N    int    `json:"n"`
	} `json:"affected"`
	Action     string `json:"action"`
	MergedInto string `json:"merged_into"`
}

// Cause is the first cause as one text, entity and resource; empty when no cause is clear.
func (i Incident) Cause() string {
	if len(i.Causes) == 0 || i.NoClearCause {
		return ""
	}
	return strings.TrimSpace(i.Causes[0].Entity.Name + " " + i.Causes[0].Resource)
}

// Confidence is that of the first cause, 0 to 1.
func (i Incident) Confidence() float64 {
	if len(i.Causes) == 0 {
		return 0
	}
	return i.Causes[0].Confidence
}

// AffectedText lists the affected entities by kind: "12 web servers, 3 APIs".
func (i Incident) AffectedText() string {
	parts := make([]string, len(i.Affected))
	for k, a := range i.Affected {
		parts[k] = fmt.Sprintf("%d %s", a.N, a.Noun)
	}
	return strings.Join(parts, ", ")
}

// Incidents are all incidents Tidemark knows, ended ones included.
func (t *Tidemark) Incidents(ctx context.Context) ([]Incident, error) {
	var out []Incident
	return out, t.get(ctx, "/api/v1/incidents", &out)
}

// Status is GET /api/v1/status, as far as demo and tests look at it.
type Status struct {
	Ready       bool    `json:"ready"`
	Series      int     `json:"series"`
	Learned     float64 `json:"learned_ratio"`
	ConfigError string  `json:"config_error"`
	Config      string  `json:"config"`
	Watches     []struct {
		Name   string `json:"name"`
		Expr   string `json:"expr"`
		Series int    `json:"series"`
	} `json:"watches"`
}

// Status says how far Tidemark is.
func (t *Tidemark) Status(ctx context.Context) (Status, error) {
	var out Status
	return out, t.get(ctx, "/api/v1/status", &out)
}

// get reads an answer of the API, whose content stands under data.
func (t *Tidemark) get(ctx context.Context, path string, out any) error {
	answer := struct {
		Data any `json:"data"`
	}{out}
	return getJSON(ctx, t.URL+path, &answer)
}

// Proposal is a runbook proposed for an incident, as `tidetool runbook` shows it.
type Proposal struct {
	ID      string `json:"id"`
	Runbook string `json:"runbook"`
	State   string `json:"state"`
	Key     string `json:"key"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	Problem string `json:"problem"`
	Waiting string `json:"waiting"`

	Incident struct {
		ID    string `json:"id"`
		Cause string `json:"cause"`
	} `json:"incident"`
}

// Proposals lists all proposals, ended ones included.
func (t *Tidemark) Proposals(ctx context.Context) ([]Proposal, error) {
	out, err := t.Tool(ctx, "runbook", "list", "--all", "-o", "json")
	if err != nil {
		return nil, err
	}
	var o struct{ Proposals []Proposal }
	if err := json.Unmarshal([]byte(out), &o); err != nil {
		return nil, fmt.Errorf("tidetool runbook list: %w", err)
	}
	return o.Proposals, nil
}

// Approve lets Tidemark call the proposed runbook, as `tidetool runbook approve` does.
func (t *Tidemark) Approve(ctx context.Context, proposal string) error {
	_, err := t.Tool(ctx, "runbook", "approve", proposal)
	return err
}

// Tool runs a command of tidetool against this Tidemark and returns what it printed.
func (t *Tidemark) Tool(ctx context.Context, command ...string) (string, error) {
	args := append(command, "--tidemark.url="+t.URL, "--http.config.file="+t.client)
	return RunTool(ctx, t.tool, args...)
}

// RunTool runs a program and returns what it printed; an error holds what it said on stderr.
func RunTool(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", filepath.Base(path), strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// AuditVerify checks the hash chain of the audit log.
func (t *Tidemark) AuditVerify(ctx context.Context) (string, error) {
	return RunTool(ctx, t.tool, "audit", "verify", filepath.Join(t.data, "audit.jsonl"))
}

// ConfigFile is the path of its configuration.
func (t *Tidemark) ConfigFile() string { return t.config }

// Point is one sample of a watched series with its band and score; what is no number is nil.
type Point struct {
	T                                    int64 // Milliseconds since the epoch.
	Value, Expected, Lower, Upper, Score *float64
}

// Time is when the sample was taken.
func (p Point) Time() time.Time { return time.UnixMilli(p.T) }

// Points are the latest samples of a series, oldest first.
func (t *Tidemark) Points(ctx context.Context, watch, labels string) ([]Point, error) {
	q := url.Values{"watch": {watch}, "labels": {labels}}
	var out []Point
	return out, t.get(ctx, "/api/v1/series/points?"+q.Encode(), &out)
}

// Metrics are its own metrics that have no labels.
func (t *Tidemark) Metrics(ctx context.Context) (map[string]float64, error) {
	body, err := getText(ctx, t.URL+"/metrics")
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(body) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.Contains(fields[0], "{") {
			continue
		}
		if out[fields[0]], err = strconv.ParseFloat(fields[1], 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", fields[0], err)
		}
	}
	return out, nil
}
