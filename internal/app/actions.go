package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
	"github.com/tidemark/tidemark/internal/state"
	"github.com/tidemark/tidemark/receiver"
)

// sinks are where the receiver's messages go: to the session that works now. A reload holds the
// receiver's barrier while it swaps sessions, so there always is one.
func (a *App) sinks() receiver.Sinks {
	sinks := receiver.Sinks{
		Alerts: func(_ context.Context, as []*model.Alert) { a.current().incidents.alerts(as) },
		Changes: func(_ context.Context, cs []receiver.Change) {
			for _, c := range cs {
				a.current().incidents.change(a.now(), changeOf(c))
			}
		},
		Lines: func(_ context.Context, ls labels.Labels, entries []push.Entry) { a.current().lines.Add(ls, entries) },
		Spans: func(_ context.Context, resources []*tracepb.ResourceSpans) { a.current().spans.Add(resources) },
		Reconcile: func(_ context.Context, reason string) {
			s := a.current()
			s.logger.Info("Asking Alertmanager for all alerts", "reason", reason)
			s.reconciler.Trigger()
		},
	}
	if a.opts.RemoteWriteReceiver {
		sinks.Samples = func() receiver.SampleSink {
			if s := a.current(); s != nil {
				return s.feed
			}
			return nil
		}
	}
	return sinks
}

// changeOf is a pushed change event as the correlation takes it.
func changeOf(c receiver.Change) correlate.Change {
	ls := model.LabelSet{}
	for k, v := range c.Labels {
		ls[model.LabelName(k)] = model.LabelValue(v)
	}
	return correlate.Change{Time: c.Time, Entity: correlate.Entity{Name: c.Entity}, Labels: ls, Kind: c.Kind, Text: c.Text, Source: c.Source}
}

// openRunbooks opens the audit log and the runbooks that the configuration lists.
func (a *App) openRunbooks(cfg *config.Config) error {
	log, recovery, err := audit.Open(filepath.Join(a.opts.StoragePath, "audit.jsonl"), a.now)
	if err != nil {
		return err
	}
	a.audit = log
	if recovery.Damage != nil || recovery.TornBytes > 0 {
		a.logger.Warn("The audit log was damaged; what could be read is kept", "torn_bytes", recovery.TornBytes, "set_aside", recovery.Quarantined, "err", recovery.Damage)
	}
	a.runbooks, err = runbook.New(cfg.Runbooks, runbook.Deps{
		Store: runbookStore{a.store}, Audit: log, Verifier: verifier{a},
		Logger: a.logger.With("component", "runbook"), Registerer: a.registry, Now: a.now,
		Roles:      a.rolesOf,
		StaleAfter: 3 * time.Duration(max(cfg.Discover.Interval, model.Duration(time.Minute))),
	})
	return err
}

// rolesOf are the roles of a person by the configuration that works now.
func (a *App) rolesOf(user string) []string {
	s := a.current()
	if s == nil {
		return nil
	}
	return s.access.RolesOf(user)
}

// runbookStore is the bucket of runbook calls.
type runbookStore struct{ store *state.Store }

func (r runbookStore) Put(ctx context.Context, key string, value []byte) error {
	return r.store.Put(ctx, state.RunbookCalls, key, value)
}

func (r runbookStore) Delete(ctx context.Context, key string) error {
	return r.store.Delete(ctx, state.RunbookCalls, key)
}

func (r runbookStore) Each(fn func(key string, value []byte) error) error {
	return r.store.Each(state.RunbookCalls, fn)
}

// verifier tells from the baselines whether an incident's trouble is over.
type verifier struct{ a *App }

// Recovered implements runbook.Verifier: every series that was anomalous in the incident is back
// inside its band.
func (v verifier) Recovered(_ context.Context, i runbook.Incident) (ok bool, why string, err error) {
	s := v.a.current()
	inc, known := s.incidents.one(i.ID)
	if !known {
		return false, "", fmt.Errorf("incident %s is not known any more", i.ID)
	}
	if len(inc.Anomalies) == 0 {
		return s.alertsEnded(&inc)
	}
	for _, a := range inc.Anomalies {
		e, found := s.scorer.find(a.Watch, a.Labels.String())
		if !found {
			continue
		}
		sc := e.series.Last()
		// Inside the band is recovered, though a level that moved may count as strange for longer; a value
		// that does not exist, as a share of nothing, is not outside.
		if sc.Raw > 1 && (sc.Value < sc.Lower || sc.Value > sc.Upper) {
			return false, fmt.Sprintf("%s %s is still outside its band: %.4g, expected %.4g to %.4g", a.Watch, a.Labels, sc.Value, sc.Lower, sc.Upper), nil
		}
	}
	return true, fmt.Sprintf("all %d anomalous series are back inside their bands", len(inc.Anomalies)), nil
}

// alertsEnded is the answer for an incident that no watched series showed.
func (s *session) alertsEnded(inc *correlate.Incident) (bool, string, error) {
	firing := 0
	for _, m := range inc.Alerts {
		if m.Status == correlate.StateFiring {
			firing++
		}
	}
	if firing > 0 {
		return false, fmt.Sprintf("%d of %d alerts still fire, and no watched series belongs to the incident", firing, len(inc.Alerts)), nil
	}
	return true, "all alerts ended", nil
}

// Holds implements runbook.ExprVerifier.
func (v verifier) Holds(ctx context.Context, expr string) (ok bool, why string, err error) {
	vector, err := v.a.current().prom.Query(ctx, expr, v.a.now())
	if err != nil {
		return false, "", err
	}
	if len(vector) == 0 {
		return false, "the condition returns no sample", nil
	}
	return true, fmt.Sprintf("the condition returns %d samples", len(vector)), nil
}

// actionOf is what to do about an incident in one sentence, from the runbooks that match it.
func (a *App) actionOf(incident string) string {
	for _, p := range a.runbooks.List() {
		if p.Incident.ID != incident || p.State.Ended() {
			continue
		}
		if p.Mode == runbook.ModeApprove {
			return fmt.Sprintf("Runbook %s waits for approval: tidetool runbook approve %s", p.Runbook, p.ID)
		}
		return fmt.Sprintf("Runbook %s is suggested", p.Runbook)
	}
	return ""
}
