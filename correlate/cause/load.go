package cause

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// caseFile is the part of case.json that a ranking may read. Recorded cases also hold their answer
// (root cause, fault type, scenario, the end of the fault's window); these keys have no field here,
// so that nothing can read them.
type caseFile struct {
	ID          string      `json:"id"`
	FaultTime   float64     `json:"fault_time"`
	AlertTime   float64     `json:"alert_time"`
	Step        float64     `json:"step_s"`
	Baseline    string      `json:"baseline"`
	OtherFaults [][]float64 `json:"other_faults"`
	Symptom     struct {
		Entity string `json:"entity"`
		Metric string `json:"metric"`
	} `json:"symptom"`
	Candidates    []string `json:"candidates"`
	Logs          string   `json:"logs"`
	Spans         string   `json:"spans"`
	LogsBaseline  string   `json:"logs_baseline"`
	SpansBaseline string   `json:"spans_baseline"`
}

// LoadCase reads a recorded case from a folder: case.json, and where present metrics.csv (wide:
// `timestamp`, then one column `<entity>{<metric>}` per series, `edge:<caller>><callee>{…}` for
// calls), graph.csv (`caller,callee,kind`), alerts.csv, changes.csv (`timestamp,entity,kind,text`),
// and the log and span files that case.json names.
func LoadCase(dir string) (Case, error) {
	c, err := loadCase(dir)
	if err != nil {
		return Case{}, fmt.Errorf("case %s: %w", dir, err)
	}
	c.Dir = dir
	return c, nil
}

func loadCase(dir string) (Case, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		return Case{}, fmt.Errorf("reading case.json: %w", err)
	}
	var f caseFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return Case{}, fmt.Errorf("decoding case.json: %w", err)
	}
	c := Case{
		ID: f.ID, Candidates: f.Candidates,
		AlertTime: unixTime(f.AlertTime), FaultTime: unixTime(f.FaultTime),
		Step:    time.Duration(f.Step * float64(time.Second)),
		Symptom: Symptom{Entity: f.Symptom.Entity, Metric: f.Symptom.Metric},
	}
	if c.ID == "" {
		c.ID = filepath.Base(filepath.Clean(dir))
	}
	for i, p := range f.OtherFaults {
		if len(p) != 2 {
			return Case{}, fmt.Errorf("decoding case.json: other_faults[%d] has %d numbers, want 2: start and end", i, len(p))
		}
		c.OtherFaults = append(c.OtherFaults, Period{unixTime(p[0]), unixTime(p[1])})
	}
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := optional(at("graph.csv"), func(r io.Reader) error { c.Graph, err = readGraph(r); return err }); err != nil {
		return Case{}, err
	}
	if err := optional(at("metrics.csv"), func(r io.Reader) error { c.Series, err = readMetrics(r); return err }); err != nil {
		return Case{}, err
	}
	if f.Baseline != "" {
		if err := required(at(f.Baseline), func(r io.Reader) error {
			base, err := readMetrics(r)
			c.Series = withBaseline(c.Series, base)
			return err
		}); err != nil {
			return Case{}, err
		}
	}
	if err := optional(at("alerts.csv"), func(r io.Reader) error { c.Alerts, err = readAlerts(r); return err }); err != nil {
		return Case{}, err
	}
	if err := optional(at("changes.csv"), func(r io.Reader) error { c.Changes, err = readChanges(r); return err }); err != nil {
		return Case{}, err
	}
	if err := loadCounts(&c, f, at); err != nil {
		return Case{}, err
	}
	if len(c.Series) == 0 && len(c.Alerts) == 0 && len(c.Logs) == 0 && len(c.Spans) == 0 && len(c.Candidates) == 0 {
		return Case{}, errors.New("nothing to rank: no metrics.csv, alerts.csv, logs or spans, and no candidates in case.json")
	}
	return c, nil
}

// unixTime converts Unix seconds; 0 and nonsense are the zero time.
func unixTime(s float64) time.Time {
	if !finite(s) || s <= 0 || s > 1e11 {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(s * 1000))).UTC()
}

// required reads a file through fn and names the file in errors.
func required(path string, fn func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	if err := fn(f); err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	return nil
}

// optional is required for a file that may be missing.
func optional(path string, fn func(io.Reader) error) error {
	err := required(path, fn)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func newCSV(r io.Reader) *csv.Reader {
	cr := csv.NewReader(r)
	cr.ReuseRecord = true
	return cr
}

// header reads the first row and finds the named columns in it.
func header(cr *csv.Reader, want ...string) ([]int, error) {
	row, err := cr.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("empty file, want the header %s", strings.Join(want, ","))
	}
	if err != nil {
		return nil, err
	}
	at := make([]int, len(want))
	for i, w := range want {
		at[i] = -1
		for j, h := range row {
			if strings.TrimPrefix(h, "\ufeff") == w {
				at[i] = j
			}
		}
		if at[i] < 0 {
			return nil, fmt.Errorf("no column %q in the header, want %s", w, strings.Join(want, ","))
		}
	}
	return at, nil
}

// rows calls fn for every row after the header.
func rows(cr *csv.Reader, fn func(row []string) error) error {
	for {
		row, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(row); err != nil {
			line, _ := cr.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func readGraph(r io.Reader) ([]Edge, error) {
	cr := newCSV(r)
	at, err := header(cr, "caller", "callee", "kind")
	if err != nil {
		return nil, err
	}
	var out []Edge
	err = rows(cr, func(row []string) error {
		e := Edge{From: row[at[0]], To: row[at[1]], Kind: row[at[2]]}
		if e.From == "" || e.To == "" {
			return errors.New("an edge needs a caller and a callee")
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

// readMetrics reads a wide table; rows are sorted by nobody, so an unordered file is an error.
func readMetrics(r io.Reader) ([]Series, error) {
	cr := newCSV(r)
	head, err := cr.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if strings.TrimPrefix(head[0], "\ufeff") != "timestamp" {
		return nil, fmt.Errorf("first column is %q, want \"timestamp\"", head[0])
	}
	out := make([]Series, len(head)-1)
	for i, name := range head[1:] {
		if out[i], err = column(strings.Clone(name)); err != nil {
			return nil, err
		}
	}
	last := int64(math.MinInt64)
	err = rows(cr, func(row []string) error {
		sec, err := strconv.ParseFloat(row[0], 64)
		if err != nil || !finite(sec) || math.Abs(sec) > 1e11 {
			return fmt.Errorf("time stamp %q is no number of seconds", row[0])
		}
		t := int64(math.Round(sec * 1000))
		if t < last {
			return fmt.Errorf("time stamp %s lies before the row above", row[0])
		}
		last = t
		for i, f := range row[1:] {
			if f == "" {
				continue
			}
			x, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return fmt.Errorf("value %q of %s is no number", f, out[i].Query)
			}
			out[i].T, out[i].V = append(out[i].T, t), append(out[i].V, x)
		}
		return nil
	})
	return out, err
}

// column splits `<entity>{<metric>}`; an entity may itself contain braces.
func column(name string) (Series, error) {
	i := strings.LastIndexByte(name, '{')
	if i <= 0 || !strings.HasSuffix(name, "}") {
		return Series{}, fmt.Errorf("column %q is not of the form <entity>{<metric>}", name)
	}
	s := Series{Entity: name[:i], Metric: name[i+1 : len(name)-1], Query: name}
	if edge, ok := strings.CutPrefix(s.Entity, "edge:"); ok {
		if from, to, ok := strings.Cut(edge, ">"); ok {
			s.Entity, s.Peer = from, to
		}
	}
	return s, nil
}

// withBaseline adds the samples of a fault-free time to the series of the same name. A series that
// only the baseline has is kept: it may have stopped.
func withBaseline(series, base []Series) []Series {
	by := make(map[string]int, len(series))
	for i := range series {
		by[series[i].Query] = i
	}
	for _, b := range base {
		i, ok := by[b.Query]
		if !ok {
			b.BaseT, b.BaseV, b.T, b.V = b.T, b.V, nil, nil
			series = append(series, b)
			continue
		}
		series[i].BaseT, series[i].BaseV = b.T, b.V
	}
	return series
}

func readAlerts(r io.Reader) ([]Alert, error) {
	cr := newCSV(r)
	at, err := header(cr, "timestamp", "entity", "source", "name", "direction", "detail")
	if err != nil {
		return nil, err
	}
	var out []Alert
	err = rows(cr, func(row []string) error {
		t, err := strconv.ParseFloat(row[at[0]], 64)
		if err != nil {
			return fmt.Errorf("time stamp %q is no number of seconds", row[at[0]])
		}
		out = append(out, Alert{Time: unixTime(t), Entity: row[at[1]], Source: row[at[2]], Name: row[at[3]], Direction: row[at[4]], Detail: row[at[5]]})
		return nil
	})
	return out, err
}

func readChanges(r io.Reader) ([]Change, error) {
	cr := newCSV(r)
	at, err := header(cr, "timestamp", "entity", "kind", "text")
	if err != nil {
		return nil, err
	}
	var out []Change
	err = rows(cr, func(row []string) error {
		t, err := strconv.ParseFloat(row[at[0]], 64)
		if err != nil {
			return fmt.Errorf("time stamp %q is no number of seconds", row[at[0]])
		}
		out = append(out, Change{Time: unixTime(t), Entity: row[at[1]], Kind: row[at[2]], Text: row[at[3]]})
		return nil
	})
	return out, err
}
