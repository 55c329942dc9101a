package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/sync/errgroup"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/internal/access"
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/feed"
	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/promread"
	"github.com/tidemark/tidemark/internal/pushed"
	"github.com/tidemark/tidemark/internal/web"
	"github.com/tidemark/tidemark/rules"
)

// session is everything that depends on the configuration, from its loading to the next. Its parts
// stand in flow order.
type session struct {
	app      *App
	cfg      *config.Config
	logger   *slog.Logger
	registry *prometheus.Registry

	prom       *promread.Client
	engine     *baseline.Engine
	feed       *feed.Feed // Nil when remote write is not enabled.
	scorer     *scorer
	learning   *learning
	exporter   *export.Exporter
	graph      *topology.Graph
	sources    []topology.Source
	holds      atomic.Pointer[rules.Durations]
	external   atomic.Pointer[labels.Labels] // That Prometheus does not know in its own queries.
	ruleless   sync.Once                     // To say that the server tells no rules.
	changes    *changeWatch
	lines      *pushed.Lines
	spans      *pushed.Spans
	incidents  *incidents
	notifier   *notify.Notifier
	reconciler *notify.Reconciler
	access     *access.Table
	handler    http.Handler

	// archive is given the incidents that the correlation forgets; nil: nobody asks.
	archive func(correlate.Incident)

	cancel context.CancelFunc
	done   chan error
	once   sync.Once
}

// newSession builds all parts of a configuration; it starts nothing and changes nothing that runs.
func (a *App) newSession(cfg *config.Config) (*session, error) {
	s := &session{app: a, cfg: cfg, logger: a.logger, registry: prometheus.NewRegistry(), done: make(chan error, 1)}
	var err error
	if s.prom, err = promread.New(cfg.Prometheus, a.logger.With("component", "read"), s.registry); err != nil {
		return nil, err
	}
	verified, err := access.VerifiedUsers(*a.opts.Web.WebConfigFile)
	if err != nil {
		return nil, err
	}
	if s.access, err = access.New(cfg.Roles, verified); err != nil {
		return nil, err
	}
	if s.engine, err = baseline.NewEngine(cfg.Baseline, a.logger.With("component", "baseline")); err != nil {
		return nil, err
	}
	s.graph = topology.NewGraph(cfg.Topology.Options())
	s.sources = cfg.Topology.Sources()
	s.registry.MustRegister(topology.NewCollector(s.graph, a.now))
	counting := pushed.Options{Every: time.Duration(cfg.Receiver.CountEvery), Now: a.now}
	s.lines, s.spans = pushed.NewLines(s.registry, counting), pushed.NewSpans(s.registry, counting)
	s.scorer = newScorer(a.logger, s.registry, promread.Scrapes{Client: s.prom}, s.engine, time.Duration(cfg.Baseline.History), s.discover, a.now, a.stages,
		func(now time.Time, e *entry) { s.incidents.anomaly(now, e) })
	if s.incidents, err = newIncidents(s); err != nil {
		return nil, err
	}
	if s.notifier, err = notify.New(notify.Options{
		Alertmanagers: cfg.Alertmanagers, Healthy: a.stages.Healthy,
		Logger: a.logger.With("component", "notify"), Registerer: s.registry, Clock: a.now,
	}); err != nil {
		return nil, err
	}
	if s.reconciler, err = notify.NewReconciler(notify.ReconcilerOptions{
		Alertmanagers: cfg.Alertmanagers, Known: s.incidents.known, Sink: s.incidents.reconciled, Silenced: s.incidents.silenced,
		Logger: a.logger.With("component", "reconcile"), Registerer: s.registry, Clock: a.now,
	}); err != nil {
		return nil, err
	}
	s.changes = &changeWatch{
		logger: a.logger.With("component", "changes"), query: s.prom, now: a.now,
		tell: s.incidents.change, window: 2 * changeInterval, seen: map[string]time.Time{},
	}
	if a.opts.RemoteWriteReceiver {
		s.feed = feed.New(a.now, func() uint64 { return a.generation.Add(1) })
	}
	s.scorer.gate = admit.New(cfg.Limits, a.opts.Shard, a.logger.With("component", "limits"), s.registry, a.now)
	s.scorer.live.enable(s.feed, s.prom.Live, func(w rules.Watch, ls labels.Labels) bool { return s.scorer.gate.Owns(w.Name, w.GroupBy, ls) })
	s.scorer.raw = s.prom
	s.scorer.recall = newRecall(promread.Scrapes{Client: s.prom})
	s.learning = newLearning(s.registry, s.scorer)
	s.learning.terminal = a.opts.Terminal
	s.exporter = export.New(cfg.Export, s.scorer)
	s.registry.MustRegister(s.exporter)
	s.handler, err = s.routes()
	return s, err
}

// Intervals of the loops that look at Prometheus.
const (
	changeInterval = 30 * time.Second
	probeInterval  = 15 * time.Second
	saveInterval   = time.Minute
)

// restore takes over the state of the session before, or of the last run when old is nil.
func (s *session) restore(old *session) error {
	if old != nil && reflect.DeepEqual(old.cfg.Baseline, s.cfg.Baseline) {
		s.engine, s.scorer.engine = old.engine, old.engine
		s.scorer.adopt(old.scorer)
	} else {
		s.openArchive()
		if old == nil {
			s.loadBaselines()
		}
	}
	if old != nil {
		s.lines.Adopt(old.lines)
		s.spans.Adopt(old.spans)
		s.notifier.Restore(old.notifier.State())
		data, err := old.incidents.engine.Snapshot()
		if err != nil {
			return err
		}
		s.incidents.removed = old.incidents.removed
		if err := s.incidents.engine.Restore(data); err != nil {
			return err
		}
		// A snapshot does not hold what is shown of incidents that merged into others.
		s.incidents.engine.Adopt(s.app.now(), old.incidents.engine.Incidents())
		return nil
	}
	return s.loadIncidents()
}

// start runs every loop of the session until stop.
func (s *session) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.done = make(chan error, 1)
	s.once = sync.Once{}
	s.app.stages.expect("correlate", time.Minute)
	s.app.stages.expect("storage", time.Minute)
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range s.loops() {
		g.Go(func() error { return run(ctx) })
	}
	done := s.done
	go func() { done <- g.Wait() }()
}

// loops are what runs for the whole session, in flow order. What only alerts need is left to the first shard.
func (s *session) loops() []func(context.Context) error {
	loops := []func(context.Context) error{
		s.scorer.Run,
		s.incidents.Run,
		s.incidents.evidence.Run,
		s.notifier.Run,
		s.reconciler.Run,
		s.every(probeInterval, "storage", func(ctx context.Context) error {
			err := s.app.log.Probe(ctx)
			s.app.stages.done("storage", err)
			return err
		}),
		s.every(saveInterval, "save", func(ctx context.Context) error {
			return errors.Join(s.app.checkpoint(ctx, s), s.app.forgetOld(ctx, s))
		}),
		s.keepBaselines,
		s.learning.Run,
		s.remoteWrite,
	}
	if !s.app.opts.Shard.First() {
		return loops
	}
	return append(loops,
		s.every(time.Duration(s.cfg.Topology.Refresh), "topology", s.refreshTopology),
		s.every(changeInterval, "changes", s.changes.look),
		s.until("alert history", s.readAlertHistory),
		s.every(peerInterval, "shards", s.readPeers),
	)
}

// stop ends every loop and waits for it.
func (s *session) stop() error {
	var err error
	s.once.Do(func() {
		if s.cancel == nil {
			return
		}
		s.cancel()
		err = <-s.done
		s.app.stages.forget("score", "correlate", "storage")
		s.prom.Close()
		s.notifier.Close()
	})
	return err
}

// every runs fn at once and then at each interval; a failure is logged and the next round tries
// again.
func (s *session) every(interval time.Duration, what string, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				s.logger.Warn("A round failed, the next one tries again", "round", what, "err", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

// remoteWrite pushes the exported samples when the configuration says where to.
func (s *session) remoteWrite(ctx context.Context) error {
	if s.cfg.Export.RemoteWrite == nil {
		<-ctx.Done()
		return nil
	}
	w, err := export.NewRemoteWriter(*s.cfg.Export.RemoteWrite, s.exporter, s.logger.With("component", "remote_write"), s.registry)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func (s *session) baselineFile() string {
	return filepath.Join(s.app.opts.StoragePath, "baselines.bin")
}

// save keeps everything at a clean stop: first what is of the moment and quickly written, then the baselines, which of a
// million series take a minute of processor time. Whoever does not wait for them finds the ones before at the next start.
func (s *session) save() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(s.app.checkpoint(ctx, s), s.saveBaselines(context.Background()))
}

// routes builds the HTTP side of the session: metrics, endpoints, pages.
func (s *session) routes() (http.Handler, error) {
	a := s.app
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.exporter.Handler(prometheus.Gatherers{a.registry, s.registry}, s.logger))
	a.receive(mux)
	mux.HandleFunc("GET /api/v1/anomalies", s.serveAnomalies)
	a.runbookRoutes(mux, s)
	ui, err := web.New(web.Options{
		Logger: s.logger.With("component", "web"), Data: &pages{s}, Access: func() *access.Table { return s.access },
		ExternalURL: a.externalURL(), Prefix: routePrefix(a.opts), Now: a.now,
	})
	if err != nil {
		return nil, fmt.Errorf("build the pages: %w", err)
	}
	ui.Register(mux)
	a.lifecycle(mux, s)
	return mux, nil
}
