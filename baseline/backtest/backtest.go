// Package backtest runs recorded series through the engine that serves live, row by row, as if
// each row had just arrived.
package backtest

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
)

// Row is a recorded sample.
type Row struct {
	Time  float64 // unix seconds
	Value float64
}

// Files lists the CSV files under dir, as sorted paths relative to it.
func Files(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasSuffix(path, ".csv") {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			out = append(out, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list series under %s: %w", dir, err)
	}
	slices.Sort(out)
	return out, nil
}

// ErrHeader is returned for a file without the columns timestamp and value.
var ErrHeader = errors.New("the header must name timestamp and value")

// torn is the value of a row whose window reaches over a hole in the scrapes.
const torn = "gap"

// Read decodes a CSV with the columns timestamp (unix seconds) and value. An empty value is NaN, and gap is one that
// a live process would not score, since its window reaches over a hole in the scrapes.
func Read(r io.Reader) ([]Row, error) {
	cr := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	cr.ReuseRecord = true
	head, err := cr.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	ti, vi := slices.Index(head, "timestamp"), slices.Index(head, "value")
	if ti < 0 || vi < 0 {
		return nil, fmt.Errorf("%w, found %s", ErrHeader, strings.Join(head, ", "))
	}
	var rows []Row
	for {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row := Row{Value: math.NaN()}
		if row.Time, err = strconv.ParseFloat(rec[ti], 64); err != nil || math.IsNaN(row.Time) || math.Abs(row.Time) > 1e12 {
			return nil, fmt.Errorf("row %d: timestamp %q is not in unix seconds", len(rows)+2, rec[ti])
		}
		if rec[vi] == torn {
			row.Value = baseline.Torn()
		} else if rec[vi] != "" {
			if row.Value, err = strconv.ParseFloat(rec[vi], 64); err != nil && !errors.Is(err, strconv.ErrRange) {
				return nil, fmt.Errorf("row %d: value %q is neither a number nor gap", len(rows)+2, rec[vi])
			}
		}
		rows = append(rows, row)
	}
}

// Score runs rows through a new series of the engine, in order, and hands each score to each.
// Rows are scored causally: nothing of a later row is known.
func Score(e *baseline.Engine, name string, rows []Row, each func(Row, baseline.Score)) *baseline.Series {
	return score(e, name, 0, 0, rows, each)
}

// score is Score for values that look back by a window, after a history of a length that is learned as a live process
// learns what it finds at its start.
func score(e *baseline.Engine, name string, window, history time.Duration, rows []Row, each func(Row, baseline.Score)) *baseline.Series {
	s := e.Add("backtest", labels.FromStrings(model.MetricNameLabel, name), 0, baseline.SeriesOptions{Window: window})
	if len(rows) > 0 {
		old := learn(s, rows, observeFrom(e, rows, history, false))
		for _, r := range rows[:old] {
			each(r, unscored(r))
		}
		rows = rows[old:]
	}
	for _, r := range rows {
		each(r, s.Observe(milli(r), r.Value))
	}
	return s
}

// observeFrom is when observing begins for rows that begin with a history of a length; 0 is none.
func observeFrom(e *baseline.Engine, rows []Row, history time.Duration, compared bool) int64 {
	if history <= 0 {
		return math.MinInt64
	}
	return e.ObserveFrom(time.UnixMilli(milli(rows[0])).Add(history), compared)
}

// learn skims the first rows, those before from, and returns how many they are.
func learn(s *baseline.Series, rows []Row, from int64) int {
	n := 0
	for n < len(rows) && milli(rows[n]) < from {
		n++
	}
	t, v := make([]int64, n), make([]float64, n)
	for i, r := range rows[:n] {
		t[i], v[i] = milli(r), r.Value
	}
	s.Learn(t, v, from, nil)
	return n
}

// unscored is the result of a row that was skimmed.
func unscored(r Row) baseline.Score {
	nan := math.NaN()
	return baseline.Score{Time: milli(r), Value: r.Value, Expected: nan, Lower: nan, Upper: nan}
}

func milli(r Row) int64 { return int64(math.Round(r.Time * 1000)) }

// Header is the first line of a result.
const Header = "timestamp,value,score,expected,lower,upper,raw\n"

// Append formats one result row.
func Append(b []byte, r Row, s baseline.Score) []byte {
	b = strconv.AppendFloat(b, r.Time, 'f', -1, 64)
	b = append(b, ',')
	if math.Float64bits(r.Value) == math.Float64bits(baseline.Torn()) {
		b = append(b, torn...)
	} else {
		b = strconv.AppendFloat(b, r.Value, 'g', -1, 64)
	}
	for i, x := range [...]float64{s.Alarm, s.Expected, s.Lower, s.Upper, s.Raw} {
		b = append(b, ',')
		if x != x {
			if i == 0 || i == 4 {
				b = append(b, '0')
			}
			continue
		}
		b = strconv.AppendFloat(b, x, 'g', 7, 64)
	}
	return append(b, '\n')
}

// Options of a run.
type Options struct {
	In, Out  string
	Config   baseline.Config
	Window   time.Duration      // how far each value looks back, see baseline.SeriesOptions
	History  time.Duration      // from the first row of each file on: what a live process would have found at its start
	Siblings bool               // the files of a folder are compared with each other
	Workers  int                // at least 1; the results do not depend on it
	Progress func(done, of int) // called from any goroutine, one at a time; may be nil
	New      func() (*baseline.Engine, error)
}

// Run scores every CSV under In and writes the results under Out, at the same paths.
func Run(ctx context.Context, o Options) (*Summary, error) {
	files, err := Files(o.In)
	if err != nil {
		return nil, err
	}
	if o.New == nil {
		o.New = func() (*baseline.Engine, error) { return baseline.NewEngine(o.Config, nil) }
	}
	sum := &Summary{Series: make([]SeriesSummary, len(files))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, o.Workers))
	var mu sync.Mutex
	done := 0
	jobs := make([][]int, len(files))
	for i := range files {
		jobs[i] = []int{i}
	}
	score := func(of []int) error {
		i := of[0]
		if err := o.file(files[i], &sum.Series[i]); err != nil {
			return fmt.Errorf("backtest %s: %w", files[i], err)
		}
		return nil
	}
	if o.Siblings {
		jobs = byFolder(files)
		score = func(of []int) error { return o.folder(files, of, sum.Series) }
	}
	for _, of := range jobs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := score(of); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			done += len(of)
			if o.Progress != nil {
				o.Progress(done, len(files))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return sum, nil
}

// file scores one file on an engine of its own: files are strangers to each other.
func (o *Options) file(rel string, sum *SeriesSummary) error {
	rows, err := o.read(rel)
	if err != nil {
		return err
	}
	engine, err := o.New()
	if err != nil {
		return err
	}
	return o.write(rel, sum, func(put func(Row, baseline.Score)) {
		score(engine, rel, o.Window, o.History, rows, put)
	})
}

func (o *Options) read(rel string) ([]Row, error) {
	in, err := os.Open(filepath.Join(o.In, rel))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Read(in)
}

// write writes the result of a file: what fill puts, in this order.
func (o *Options) write(rel string, sum *SeriesSummary, fill func(put func(Row, baseline.Score))) (err error) {
	out := filepath.Join(o.Out, rel)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	if _, err := w.WriteString(Header); err != nil {
		return err
	}
	sum.File = rel
	var buf []byte
	fill(func(r Row, s baseline.Score) {
		sum.add(s)
		buf = Append(buf[:0], r, s)
		_, _ = w.Write(buf) // the error stays in w and Flush returns it
	})
	return w.Flush()
}
