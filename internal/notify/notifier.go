package notify

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
)

// Names of Tidemark's own alerts: the receiver drops them when they come back.
const (
	IncidentAlertName  = "TidemarkIncident"
	HeartbeatAlertName = "TidemarkAlive"
)

// The times of the contract with Alertmanager. An alert lives four re-sends, so that three may fail; the
// heartbeat's life is how long raw alerts stay inhibited after Tidemark died.
const (
	resendEvery    = 60 * time.Second
	alertLife      = 4 * time.Minute
	resendResolved = 5 * time.Minute
	beatEvery      = 30 * time.Second
	beatRetry      = 3 * time.Second // after a heartbeat that could not be delivered
	beatLife       = 120 * time.Second
	stuckAfter     = 60 * time.Second // posts fail that long: the heartbeat is withheld from this peer
	retryMin       = time.Second
	retryMax       = 30 * time.Second
	batchSize      = 256
)

// Options are the settings of a Notifier.
type Options struct {
	Alertmanagers []Config
	// Healthy says nil when all stages work. Otherwise the heartbeat is withheld, and after its life raw
	// alerts page as if Tidemark were not there.
	Healthy func() error
	// HeartbeatLabels are added to the heartbeat, to tell several Tidemarks apart.
	HeartbeatLabels model.LabelSet
	// HTTPOptions are added to each client, such as another way to dial.
	HTTPOptions []commoncfg.HTTPClientOption
	Logger      *slog.Logger          // default: discards
	Registerer  prometheus.Registerer // default: none
	Clock       func() time.Time      // default time.Now
}

// Notifier keeps a set of alerts alive at every Alertmanager: it posts what changed at once, all of it
// every minute, and ended alerts for five minutes more. Each peer has its own loop, so that a dead one
// does not hold up the others. Set, Resolve, State and Restore are safe for concurrent use and never
// wait for the network.
type Notifier struct {
	set     *set
	peers   []*peer
	healthy func() error
	beat    model.LabelSet
	log     *slog.Logger
	m       *metrics
	clock   func() time.Time
}

// New makes a Notifier. Without Alertmanagers it keeps the set and posts nothing.
func New(opts Options) (*Notifier, error) {
	if opts.Healthy == nil {
		return nil, errors.New("notifier: Healthy is missing: a heartbeat that cannot be withheld would hide alerts")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	n := &Notifier{set: newSet(), healthy: opts.Healthy, log: opts.Logger, m: newMetrics(opts.Registerer), clock: opts.Clock}
	n.beat = maps.Clone(opts.HeartbeatLabels)
	if n.beat == nil {
		n.beat = model.LabelSet{}
	}
	n.beat[model.AlertNameLabel] = HeartbeatAlertName
	for _, c := range opts.Alertmanagers {
		cl, err := newClient(c, opts.HTTPOptions)
		if err != nil {
			return nil, err
		}
		p := &peer{n: n, client: cl, wake: make(chan struct{}, 1)}
		n.peers = append(n.peers, p)
	}
	return n, nil
}

// Set announces an alert or changes it. The labels must not contain RevisionLabel. When the annotation
// "cause" or the labels differ from the last call with this key, the alert is announced again as the next
// revision and the last one ends; other annotations are replaced in place, which notifies nobody.
func (n *Notifier) Set(key string, a Alert) {
	if n.set.put(key, a, n.clock()) {
		n.m.revised.Inc()
	}
	n.changed()
}

// Resolve ends an alert. A key that is not known is no error.
func (n *Notifier) Resolve(key string) {
	if n.set.end(key, n.clock()) {
		n.changed()
	}
}

// State gives all alerts with their revisions, ended ones included as long as they are posted.
func (n *Notifier) State() []Saved {
	saved, _ := n.set.since(0)
	return saved
}

// Restore takes back what State gave before a restart, so that the same alerts are kept alive.
func (n *Notifier) Restore(saved []Saved) {
	n.set.restore(saved)
	n.changed()
}

func (n *Notifier) changed() {
	firing, ended := n.set.counts()
	n.m.alerts.WithLabelValues("firing").Set(float64(firing))
	n.m.alerts.WithLabelValues("resolved").Set(float64(ended))
	for _, p := range n.peers {
		select {
		case p.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// Run posts until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	defer n.Close()
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range n.peers {
		g.Go(func() error { p.sendLoop(ctx); return nil })
		g.Go(func() error { p.beatLoop(ctx); return nil })
	}
	g.Go(func() error { <-ctx.Done(); return nil })
	_ = g.Wait()
	return nil
}

// Close frees the connections to the Alertmanagers.
func (n *Notifier) Close() {
	for _, p := range n.peers {
		p.client.http.CloseIdleConnections()
	}
}

// backoff doubles from retryMin to retryMax with full jitter.
func backoff(failures int) time.Duration {
	d := retryMax
	if failures < 6 {
		d = min(retryMax, retryMin<<failures)
	}
	return retryMin/2 + rand.N(d)
}
