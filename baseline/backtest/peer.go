package backtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark/tidemark/baseline/peers"
)

// PeerSummary is what a customary formula found on the same files.
type PeerSummary struct {
	Name   string
	Alarms int
	At     map[string][]int64 // by file: the times of the alarms, unix milliseconds
}

// peerEpisode is how long a formula must have been silent before it alarms again: as ours, whose episodes
// end after about as long, so that the counts compare.
const peerEpisode = 5 * time.Hour

// RunPeer scores every CSV under in with a customary formula, as Run does with ours. The results
// have the columns timestamp, value and score. The step of a series is the median of its first
// hundred intervals: the formulas are given what they would be configured with.
func RunPeer(ctx context.Context, in, out string, m peers.Method) (PeerSummary, error) {
	sum := PeerSummary{Name: m.Name, At: map[string][]int64{}}
	files, err := Files(in)
	if err != nil {
		return sum, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		alarms, err := peerFile(filepath.Join(in, f), filepath.Join(out, f), m)
		if err != nil {
			return sum, fmt.Errorf("backtest %s with %s: %w", f, m.Name, err)
		}
		sum.Alarms += len(alarms)
		sum.At[f] = alarms
	}
	return sum, nil
}

func peerFile(in, out string, m peers.Method) (alarms []int64, err error) {
	src, err := os.Open(in)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	rows, err := Read(src)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	_, _ = w.WriteString("timestamp,value,score\n") // the error stays in w
	s := m.New(firstStep(rows))
	var b []byte
	last := int64(math.MinInt64 / 2)
	for _, r := range rows {
		t := int64(r.Time * 1000)
		score := s.Score(t, r.Value)
		if score > 1 {
			if t-last > peerEpisode.Milliseconds() {
				alarms = append(alarms, t)
			}
			last = t
		}
		b = strconv.AppendFloat(b[:0], r.Time, 'f', -1, 64)
		b = strconv.AppendFloat(append(b, ','), r.Value, 'g', -1, 64)
		b = strconv.AppendFloat(append(b, ','), score, 'g', 7, 64)
		_, _ = w.Write(append(b, '\n'))
	}
	return alarms, w.Flush()
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
