// Package app wires the rooms of Tidemark in flow order and runs them: read, learn, score, export;
// receive, correlate, explain, post, act.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/model"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
	"github.com/tidemark/tidemark/internal/state"
	"github.com/tidemark/tidemark/receiver"
)

// Options are what is fixed while Tidemark runs; the rest stands in the configuration file.
type Options struct {
	// ConfigFile, or PrometheusURL and AlertmanagerURLs for a start without a file.
	ConfigFile       string
	PrometheusURL    string
	AlertmanagerURLs []string
	// AutoReload is how often the file is looked at for changes; zero turns that off.
	AutoReload time.Duration

	// Shard is the share of the series that this process watches.
	Shard admit.Shard
	// ShardPeers are the addresses of the other shards, whose anomalies the first one reads.
	ShardPeers []string
	// RemoteWriteReceiver takes samples by remote write.
	RemoteWriteReceiver bool

	StoragePath string
	Retention   model.Duration

	Web             *web.FlagConfig
	ExternalURL     *url.URL
	RoutePrefix     string
	EnableLifecycle bool
	MaxConnections  int
	ReadTimeout     time.Duration

	// Terminal is where a bar shows how far the history is learned, if it is a terminal; nil shows none.
	Terminal io.Writer
	Logger   *slog.Logger
	Now      func() time.Time // Default time.Now.
}

func (o *Options) validate() error {
	switch {
	case o.ConfigFile == "" && o.PrometheusURL == "":
		return errors.New("neither --config.file nor --prometheus.url is given: one of them must say which Prometheus to read")
	case o.ConfigFile != "" && (o.PrometheusURL != "" || len(o.AlertmanagerURLs) > 0):
		return errors.New("--config.file and --prometheus.url or --alertmanager.url are both given: with a file, the addresses stand in it")
	case o.Web == nil:
		return errors.New("the web options are missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ExternalURL == nil {
		o.ExternalURL = &url.URL{}
	}
	return nil
}

// App is a running Tidemark.
//
//	New ─▶ Run ─▶ (Reload: build the new session, stop the old one, carry its state over) … ─▶ stop
type App struct {
	opts   Options
	logger *slog.Logger
	now    func() time.Time
	since  time.Time

	registry *prometheus.Registry
	reload   reloadMetrics
	stages   *stages
	log      *state.Log
	store    *state.Store
	receiver *receiver.Receiver
	audit    *audit.Log
	runbooks *runbook.Manager
	memory   *correlate.Memory
	server   *server

	generation atomic.Uint64 // Of what is wanted of remote write; see feed.New.

	// session is what depends on the configuration; nil only while one replaces the other.
	session atomic.Pointer[session]
	run     context.Context // The context of Run, that sessions live in.

	reloading sync.Mutex
	loaded    time.Time
	lastErr   atomic.Pointer[string]
	fileSum   uint64
	quit      chan struct{}
	quitOnce  sync.Once
}

type reloadMetrics struct {
	ok, at prometheus.Gauge
}

// New opens everything that can fail: configuration, storage, listeners. Nothing runs yet.
func New(opts Options) (_ *App, err error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	a := &App{
		opts: opts, logger: opts.Logger, now: opts.Now, since: opts.Now(),
		registry: prometheus.NewRegistry(), quit: make(chan struct{}),
	}
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		versioncollector.NewCollector("tidemark"),
	)
	a.stages = newStages(a.now, a.registry)
	a.reload = reloadMetrics{
		ok: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_config_last_reload_successful", Help: "1 when the last reload of the configuration succeeded."}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidemark_config_last_reload_success_timestamp_seconds", Help: "When the configuration was last reloaded successfully."}),
	}
	a.registry.MustRegister(a.reload.ok, a.reload.at)

	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	if err := a.openStorage(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.closeStorage())
		}
	}()
	if a.memory, err = correlate.OpenMemory(memoryStore{a.store}, 0); err != nil {
		return nil, err
	}
	a.receiver, err = receiver.New(receiver.Options{
		Config: cfg.Receiver, Log: a.log, Sinks: a.sinks(), Logger: a.logger.With("component", "receive"),
		Registerer: a.registry, Clock: a.now,
	})
	if err != nil {
		return nil, err
	}
	if err := a.openRunbooks(cfg); err != nil {
		return nil, err
	}
	s, err := a.newSession(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.restore(nil); err != nil {
		return nil, err
	}
	a.session.Store(s)
	if err := a.replay(); err != nil {
		return nil, err
	}
	a.server, err = newServer(opts, withPrefix(routePrefix(opts), http.HandlerFunc(a.serve)), a.logger.With("component", "web"))
	if err != nil {
		return nil, err
	}
	a.noteReload(nil)
	return a, nil
}

// Addr is the first address that Tidemark listens on.
func (a *App) Addr() string { return a.server.Addr() }

// load reads the configuration from the file or the flags, and makes it that of this shard.
func (a *App) load() (*config.Config, error) {
	cfg, err := a.read()
	if err == nil {
		shardConfig(cfg, a.opts.Shard)
	}
	return cfg, err
}

func (a *App) read() (*config.Config, error) {
	if a.opts.ConfigFile == "" {
		return config.ZeroConfig(a.opts.PrometheusURL, a.opts.AlertmanagerURLs)
	}
	sum, err := fileSum(a.opts.ConfigFile)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	a.fileSum = sum
	return config.LoadFile(a.opts.ConfigFile)
}

func (a *App) openStorage() error {
	dir := a.opts.StoragePath
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the storage folder: %w", err)
	}
	logger := a.logger.With("component", "storage")
	log, err := state.OpenLog(state.LogOptions{Dir: filepath.Join(dir, "wal"), Logger: logger, Registerer: a.registry})
	if err != nil {
		return err
	}
	store, aside, err := state.OpenStore(state.StoreOptions{Path: filepath.Join(dir, "tidemark.db"), Logger: logger, Registerer: a.registry})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if aside != "" {
		logger.Warn("The store was damaged and is set aside; a new one is begun", "set_aside", aside)
	}
	a.log, a.store = log, store
	return nil
}

func (a *App) closeStorage() error {
	errs := []error{a.log.Close(), a.store.Close()}
	if a.audit != nil {
		errs = append(errs, a.audit.Close())
	}
	return errors.Join(errs...)
}

// Run runs until ctx ends, POST /-/quit, or something fails that must not.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.quit:
			a.logger.Info("Stopping as asked by POST /-/quit")
			cancel()
		case <-ctx.Done():
		}
	}()
	a.reloading.Lock()
	a.run = ctx
	a.session.Load().start(ctx)
	a.reloading.Unlock()
	a.logger.Info("Listening", "address", a.Addr())

	var loops sync.WaitGroup
	var acting error
	loops.Go(func() { a.watchFile(ctx) })
	loops.Go(func() { collectMore(ctx) })
	loops.Go(func() { acting = a.runbooks.Run(ctx) })
	err := errors.Join(a.server.Run(ctx), acting)
	cancel()
	loops.Wait()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	s := a.session.Load()
	return errors.Join(err, s.stop(), s.save(), a.closeStorage())
}

// current is the session that works now; nil while a reload swaps sessions.
func (a *App) current() *session { return a.session.Load() }
