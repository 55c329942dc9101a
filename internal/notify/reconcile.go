package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

const (
	reconcileEvery = 30 * time.Second
	// goneAfter is how long an alert must be missing everywhere. An Alertmanager that was just started knows
	// nothing until Prometheus re-sends, each minute or evaluation interval.
	goneAfter = 3 * time.Minute
)

// ReconcilerOptions are the settings of a Reconciler.
type ReconcilerOptions struct {
	Alertmanagers []Config
	// Filter are matchers for GET /api/v2/alerts, such as path="correlate". Without them every alert counts.
	Filter []string
	// Receiver is a regular expression of receiver names; empty means all.
	Receiver string
	// Known gives the fingerprints that are believed to fire.
	Known func() []model.Fingerprint
	// Sink takes what was found: the alerts that fire, silenced and inhibited ones included, and those known
	// fingerprints that no peer has had for three minutes.
	Sink func(ctx context.Context, active []*model.Alert, gone []model.Fingerprint)
	// Silenced is told of each silence of people on an alert, Tidemark's incidents included, once. Nil: nobody asks.
	Silenced    func(Silence)
	HTTPOptions []commoncfg.HTTPClientOption // added to each client
	Logger      *slog.Logger                 // default: discards
	Registerer  prometheus.Registerer        // default: none
	Clock       func() time.Time             // default time.Now
}

// Silence is one that people made, on an alert of these labels.
type Silence struct {
	Labels      model.LabelSet
	By, Comment string
}

// Reconciler asks the Alertmanagers which alerts fire. A webhook never says that a silenced member of its
// group has ended, and leaves members out above max_alerts.
type Reconciler struct {
	opts    ReconcilerOptions
	clients []*client
	wake    chan struct{}
	missing map[model.Fingerprint]time.Time // since when; used by Run alone
	told    map[silenced]bool               // silences, used by Run alone
	polls   *prometheus.CounterVec
	gone    prometheus.Counter
}

// NewReconciler makes a Reconciler.
func NewReconciler(opts ReconcilerOptions) (*Reconciler, error) {
	if opts.Known == nil || opts.Sink == nil {
		return nil, errors.New("reconciler: Known and Sink are needed")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	f := promauto.With(opts.Registerer)
	r := &Reconciler{
		opts: opts, wake: make(chan struct{}, 1), missing: map[model.Fingerprint]time.Time{},
		polls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "tidemark_reconcile_polls_total", Help: "Questions for the active alerts, by result.",
		}, []string{"alertmanager", "result"}),
		gone: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_reconcile_gone_total", Help: "Alerts ended because no Alertmanager had them any more.",
		}),
	}
	for _, c := range opts.Alertmanagers {
		cl, err := newClient(c, opts.HTTPOptions)
		if err != nil {
			return nil, err
		}
		q := url.Values{"active": {"true"}, "silenced": {"true"}, "inhibited": {"true"}, "unprocessed": {"true"}, "filter": opts.Filter}
		if opts.Receiver != "" {
			q.Set("receiver", opts.Receiver)
		}
		cl.query = "?" + q.Encode()
		r.clients = append(r.clients, cl)
	}
	return r, nil
}

// Trigger asks soon instead of at the next interval. It never waits.
func (r *Reconciler) Trigger() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run asks every 30 s until ctx ends.
func (r *Reconciler) Run(ctx context.Context) error {
	defer r.Close()
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := r.Once(ctx); err != nil && ctx.Err() == nil {
			r.opts.Logger.Warn("Active alerts could not be read", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.wake:
		}
	}
}

// Once asks all peers at once and hands the union of their answers to the sink. It fails when no peer
// answered; then nothing is said to be gone. Not safe for concurrent use with itself or Run.
func (r *Reconciler) Once(ctx context.Context) error {
	if len(r.clients) == 0 {
		return nil
	}
	answers, errs := make([][]gettable, len(r.clients)), make([]error, len(r.clients))
	var wg sync.WaitGroup
	for i, c := range r.clients {
		wg.Go(func() { answers[i], errs[i] = c.active(ctx) })
	}
	wg.Wait()
	live := 0
	for i, c := range r.clients {
		result := "ok"
		if errs[i] != nil {
			result = "failed"
			r.opts.Logger.Debug("Active alerts could not be read", "alertmanager", c.host, "err", errs[i])
		} else {
			live++
		}
		r.polls.WithLabelValues(c.host, result).Inc()
	}
	if live == 0 {
		return fmt.Errorf("no Alertmanager answered: %w", errors.Join(errs...))
	}
	r.tellSilences(ctx, answers)
	active := r.union(answers)
	r.opts.Sink(ctx, active, r.lost(active))
	return nil
}

// silenced is a silence on one alert.
type silenced struct {
	alert model.Fingerprint
	by    string
}

// maxSilences bounds how many silences are read in one round.
const maxSilences = 20

// tellSilences tells of the silences that were not there before.
func (r *Reconciler) tellSilences(ctx context.Context, answers [][]gettable) {
	if r.opts.Silenced == nil {
		return
	}
	now := map[silenced]bool{}
	read := map[string]Silence{}
	for i, alerts := range answers {
		for _, g := range alerts {
			ls := labelSet(g.Labels)
			if len(ls) == 0 || ls[model.AlertNameLabel] == HeartbeatAlertName {
				continue
			}
			for _, id := range g.Status.SilencedBy {
				k := silenced{ls.Fingerprint(), id}
				if now[k] {
					continue
				}
				now[k] = r.told[k]
				s, known := read[id]
				if now[k] || !known && len(read) >= maxSilences {
					continue
				}
				if !known {
					var err error
					if s.By, s.Comment, err = r.clients[i].silence(ctx, id); err != nil {
						r.opts.Logger.Debug("A silence could not be read", "silence", id, "err", err)
						continue
					}
					read[id] = s
				}
				s.Labels = ls
				now[k] = true
				r.opts.Silenced(s)
			}
		}
	}
	r.told = now
}

// union joins the answers by fingerprint and leaves Tidemark's own alerts out.
func (r *Reconciler) union(answers [][]gettable) []*model.Alert {
	now := r.opts.Clock()
	found := map[model.Fingerprint]*model.Alert{}
	for _, alerts := range answers {
		for _, g := range alerts {
			name := g.Labels[model.AlertNameLabel]
			if len(g.Labels) == 0 || name == IncidentAlertName || name == HeartbeatAlertName || !g.EndsAt.IsZero() && g.EndsAt.Before(now) {
				continue
			}
			a := &model.Alert{
				Labels: labelSet(g.Labels), Annotations: labelSet(g.Annotations),
				StartsAt: g.StartsAt, GeneratorURL: g.GeneratorURL,
			}
			found[a.Fingerprint()] = a
		}
	}
	active := make([]*model.Alert, 0, len(found))
	for _, a := range found {
		active = append(active, a)
	}
	slices.SortFunc(active, func(a, b *model.Alert) int {
		if c := a.StartsAt.Compare(b.StartsAt); c != 0 {
			return c
		}
		if a.Fingerprint() < b.Fingerprint() {
			return -1
		}
		return 1
	})
	return active
}

// lost gives the known fingerprints that have been missing long enough.
func (r *Reconciler) lost(active []*model.Alert) []model.Fingerprint {
	now := r.opts.Clock()
	here := make(map[model.Fingerprint]bool, len(active))
	for _, a := range active {
		here[a.Fingerprint()] = true
	}
	still := map[model.Fingerprint]time.Time{}
	var gone []model.Fingerprint
	for _, fp := range r.opts.Known() {
		if here[fp] {
			continue
		}
		since, ok := r.missing[fp]
		if !ok {
			since = now
		}
		if now.Sub(since) >= goneAfter {
			gone = append(gone, fp)
			continue
		}
		still[fp] = since
	}
	r.missing = still
	slices.Sort(gone)
	r.gone.Add(float64(len(gone)))
	return gone
}

func labelSet(m map[string]string) model.LabelSet {
	ls := make(model.LabelSet, len(m))
	for k, v := range m {
		ls[model.LabelName(k)] = model.LabelValue(v)
	}
	return ls
}

// Close frees the connections to the Alertmanagers.
func (r *Reconciler) Close() {
	for _, c := range r.clients {
		c.http.CloseIdleConnections()
	}
}
