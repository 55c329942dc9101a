package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidemark/tidemark/demo/failover"
	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/shop"
)

// Options say what a stack is made of. Root is required.
type Options struct {
	// Root is the folder of the Tidemark repository: examples/ is below it.
	Root string
	// Bin is the folder with tidemark and tidetool.
	Bin string
	// Tools is the folder with prometheus and alertmanager.
	Tools string
	// Dir is where everything is written; it is removed by Close unless Keep is set.
	Dir  string
	Keep bool
	// History is the length of the simulated past; 0 means none.
	History time.Duration
	// EditTidemark changes the decoded configuration of Tidemark before it is written.
	EditTidemark func(map[string]any)
}

// Spacing of samples: of the simulated past, and of scrapes and rule evaluations now. The last part
// of the past is as fine as the present, because rate() misjudges a window in which the spacing
// changes: no rule shall look at one, and what the baselines say of it shall be over.
const (
	historyStep    = 30 * time.Second
	scrapeInterval = 5 * time.Second
	fineHistory    = 5 * time.Hour
)

// Stack is the shop with everything around it. Its servers are started by the caller, in the order
// he wants.
type Stack struct {
	Shop         *shop.Shop
	Pager        *pager.Pager
	FailOver     *failover.Endpoint
	Prometheus   *Prometheus
	Alertmanager *Alertmanager
	Tidemark     *Tidemark
	Began        time.Time

	opts   Options
	cancel context.CancelFunc
	wg     sync.WaitGroup

	past     *shop.Past
	pastEnds time.Time
}

// New starts the shop, the pager and the fail-over endpoint, chooses addresses and writes all
// configuration. No server runs yet.
func New(opts Options) (*Stack, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Stack{opts: opts, Began: time.Now()}
	if err := s.build(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) build() error {
	rhythm := shop.RhythmAt(s.Began)
	var err error
	if s.Shop, err = shop.New(rhythm, s.started()); err != nil {
		return err
	}
	if s.Pager, err = pager.New(); err != nil {
		return err
	}
	if s.FailOver, err = failover.New(s.Shop.FailOver); err != nil {
		return err
	}
	prom, am, tide, err := s.addresses()
	if err != nil {
		return err
	}
	w := writer{
		dir: s.opts.Dir, root: s.opts.Root, prometheus: prom, alertmanager: am, tidemark: tide,
		rhythm: rhythm, edit: s.opts.EditTidemark,
	}
	if err := w.write(s.Shop.Addresses(), s.Pager.URL(), s.FailOver); err != nil {
		return err
	}
	s.Prometheus = newPrometheus(filepath.Join(s.opts.Tools, "prometheus"), s.opts.Dir, prom)
	s.Alertmanager = newAlertmanager(filepath.Join(s.opts.Tools, "alertmanager"), s.opts.Dir, am)
	s.Tidemark = newTidemark(s.opts.Bin, s.opts.Dir, tide)

	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { _ = s.Shop.Run(ctx) })
	return nil
}

// started is since when the shop's processes claim to run: before the history begins.
func (s *Stack) started() time.Time { return s.Began.Add(-s.opts.History - 3*24*time.Hour) }

func (s *Stack) addresses() (prom, am, tide string, err error) {
	var out [3]string
	for i := range out {
		if out[i], err = freeAddress(); err != nil {
			return "", "", "", err
		}
	}
	return out[0], out[1], out[2], nil
}

// callsToMeasure is over how many calls the shop's own overhead is taken before it goes into the
// simulated past.
const callsToMeasure = 500

// WriteHistory simulates the past, up to some seconds from now, into Prometheus' storage; Prometheus must not
// run. Resume lets the running shop continue from its end.
func (s *Stack) WriteHistory(ctx context.Context) (history.Stats, error) {
	err := Until(ctx, "the shop answers", func(context.Context) (bool, error) {
		_, calls := s.Shop.Overhead()
		return calls >= callsToMeasure, nil
	})
	if err != nil {
		return history.Stats{}, err
	}
	overhead, _ := s.Shop.Overhead()
	past := shop.NewPast(shop.RhythmAt(s.Began), s.started(), overhead)
	change := s.Began.Add(-fineHistory).Truncate(historyStep)
	stats, err := history.Write(ctx, s.Prometheus.DataDir(), past, history.Options{
		From: change.Add(fineHistory - s.opts.History), To: change, Step: historyStep, Block: 7 * 24 * time.Hour,
	})
	if err != nil {
		return stats, fmt.Errorf("write history: %w", err)
	}
	// Writing takes its time, so what has passed meanwhile is written after it, and a moment more: Prometheus
	// refuses scrapes until then and starts meanwhile. rate() would misjudge a gap before the first scrape.
	for from, n := change, 0; n < 2; n++ {
		to := time.Now().Add(time.Duration(n) * startTime).Truncate(scrapeInterval)
		fine, err := history.Write(ctx, s.Prometheus.DataDir(), past, history.Options{
			From: from, To: to, Step: scrapeInterval, Block: 2 * fineHistory,
		})
		if err != nil {
			return stats, fmt.Errorf("write history: %w", err)
		}
		stats.Samples, stats.Blocks, stats.Took = stats.Samples+fine.Samples, stats.Blocks+fine.Blocks, stats.Took+fine.Took
		from, s.pastEnds = to, to
	}
	s.past = past
	return stats, nil
}

// startTime is how long Prometheus takes to start, at most.
const startTime = 8 * time.Second

// Resume waits for the end of the written past and lets the running shop continue from there. Prometheus is
// started before it.
func (s *Stack) Resume(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(s.pastEnds.Add(-scrapeInterval - 300*time.Millisecond))): // Scrapes after the last sample are taken.
		return s.Shop.Continue(s.past)
	}
}

// stopPatience is how long a server may take to stop.
const stopPatience = 10 * time.Second

// Close stops everything, last started first, and removes the folder.
func (s *Stack) Close() error {
	var errs []error
	if s.Tidemark != nil {
		for _, p := range []*Process{s.Tidemark.Process, s.Alertmanager.Process, s.Prometheus.Process} {
			errs = append(errs, p.Stop(stopPatience))
		}
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.wg.Wait()
	if s.FailOver != nil {
		errs = append(errs, s.FailOver.Close())
	}
	if s.Pager != nil {
		errs = append(errs, s.Pager.Close())
	}
	if s.Shop != nil {
		errs = append(errs, s.Shop.Close())
	}
	if !s.opts.Keep {
		errs = append(errs, os.RemoveAll(s.opts.Dir))
	}
	return errors.Join(errs...)
}
