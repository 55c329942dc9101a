package backtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/baseline/peers"
)

// RunPeer scores every CSV under in with a customary formula, as Run does with ours. The results
// have the columns timestamp, value and score. The step of a series is the median of its first
// hundred intervals: the formulas are given what they would be configured with.
func RunPeer(ctx context.Context, in, out string, m peers.Method) error {
	files, err := Files(in)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := peerFile(filepath.Join(in, f), filepath.Join(out, f), m); err != nil {
			return fmt.Errorf("backtest %s with %s: %w", f, m.Name, err)
		}
	}
	return nil
}

func peerFile(in, out string, m peers.Method) (err error) {
	src, err := os.Open(in)
	if err != nil {
		return err
	}
	defer src.Close()
	rows, err := Read(src)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	_, _ = w.WriteString("timestamp,value,score\n") // the error stays in w
	s := m.New(firstStep(rows))
	var b []byte
	for _, r := range rows {
		b = strconv.AppendFloat(b[:0], r.Time, 'f', -1, 64)
		b = strconv.AppendFloat(append(b, ','), r.Value, 'g', -1, 64)
		b = strconv.AppendFloat(append(b, ','), s.Score(int64(r.Time*1000), r.Value), 'g', 7, 64)
		_, _ = w.Write(append(b, '\n'))
	}
	return w.Flush()
}

func firstStep(rows []Row) time.Duration {
	var d []float64
	for i := 1; i < min(101, len(rows)); i++ {
		if x := rows[i].Time - rows[i-1].Time; x > 0 {
			d = append(d, x)
		}
	}
	if len(d) == 0 {
		return time.Minute
	}
	slices.Sort(d)
	return time.Duration(d[len(d)/2] * float64(time.Second))
}
