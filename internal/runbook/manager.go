package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// actor is who stands in the audit log for what Tidemark does by itself.
const actor = "tidemark"

// Bounds of what is kept.
const (
	maxProposals = 10_000
	keepEnded    = 30 * 24 * time.Hour
	// gone is how long an incident may stay unheard of before what waits for it expires.
	gone = time.Hour
)

// Store keeps proposals over restarts. A Put or Delete that returned nil is on disk; Each calls fn
// for every value, which belongs to fn during the call only.
type Store interface {
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
	Each(fn func(key string, value []byte) error) error
}

// Audit takes the record of every step; *audit.Log is one. An Append that returned nil is on disk.
type Audit interface {
	Append(e audit.Event) (audit.Record, error)
	Snapshot(w io.Writer) (audit.Head, error)
}

// Verifier says whether an incident's anomalies are back inside their bands, and why it says so.
// An error means that it cannot be told now. It must be safe for concurrent use.
type Verifier interface {
	Recovered(ctx context.Context, i Incident) (ok bool, why string, err error)
}

// ExprVerifier is a Verifier that can also evaluate the PromQL condition of verify.expr: it holds
// while it returns at least one sample.
type ExprVerifier interface {
	Holds(ctx context.Context, expr string) (ok bool, why string, err error)
}

// Deps is what a Manager needs. Store, Audit and Verifier are required.
type Deps struct {
	Store      Store
	Audit      Audit
	Verifier   Verifier
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
	// Roles returns the roles of a user, for runbooks that list some.
	Roles func(user string) []string
	// StaleAfter is how old the data of an incident may be for an action: 3 evaluation intervals.
	// Default 3 minutes.
	StaleAfter time.Duration
	// Interval is how often waiting calls and verifications are looked at. Default 5 seconds.
	Interval time.Duration
}

func (d *Deps) complete() error {
	switch {
	case d.Store == nil:
		return errors.New("runbook: no store: actions must survive a restart")
	case d.Audit == nil:
		return errors.New("runbook: no audit log: nothing is done that is not recorded")
	case d.Verifier == nil:
		return errors.New("runbook: no verifier: a call must be checked by the baseline")
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Roles == nil {
		d.Roles = func(string) []string { return nil }
	}
	if d.StaleAfter <= 0 {
		d.StaleAfter = 3 * time.Minute
	}
	if d.Interval <= 0 {
		d.Interval = 5 * time.Second
	}
	return nil
}

// Errors of Approve, Reject, Pause and Resume.
var (
	ErrNotFound = errors.New("no such proposal")
	ErrPaused   = errors.New("actions are paused: resume them first")
	ErrNotYours = errors.New("you may not approve this runbook")
)

// RefusedActionError says why a proposal cannot be approved or rejected as it stands.
type RefusedActionError struct{ Reason string }

// Error returns the reason.
func (e *RefusedActionError) Error() string { return e.Reason }

func refuse(format string, args ...any) error {
	return &RefusedActionError{Reason: fmt.Sprintf(format, args...)}
}

// Manager holds the proposals and carries out those that were approved. All methods are safe for
// concurrent use; Run must be called once.
type Manager struct {
	deps    Deps
	metrics *metrics
	log     *slog.Logger
	wake    chan struct{}
	options clientOptions

	// write is held over a whole step (check, audit, store, memory), so that two steps of one
	// proposal never cross; mu only while memory is read or swapped, so that List never waits for a
	// disk.
	write sync.Mutex
	mu    sync.RWMutex

	runners   map[string]*runner
	order     []string
	proposals map[string]Proposal
	incidents map[string]known
	pause     Pause
	running   map[string]context.CancelCauseFunc // Calls that have a goroutine.
	wellSince map[string]time.Time               // Since when the verification of a call holds.
	started   time.Time
}

// known is the newest view of an incident.
type known struct {
	Incident
	seen time.Time
}

// New returns a Manager with what the store remembers. The configuration must be validated. Values
// of the store that cannot be read are left alone and never acted upon.
func New(cfg Config, deps Deps) (*Manager, error) {
	return newManager(cfg, deps, clientOptions{jitter: rand.Float64})
}

func newManager(cfg Config, deps Deps, options clientOptions) (*Manager, error) {
	if err := deps.complete(); err != nil {
		return nil, err
	}
	m := &Manager{
		deps: deps, log: deps.Logger, options: options, wake: make(chan struct{}, 1),
		runners: map[string]*runner{}, proposals: map[string]Proposal{}, incidents: map[string]known{},
		running: map[string]context.CancelCauseFunc{}, wellSince: map[string]time.Time{}, started: deps.Now(),
	}
	m.metrics = newMetrics(deps.Registerer, m)
	if err := m.load(); err != nil {
		return nil, fmt.Errorf("load runbook proposals: %w", err)
	}
	if err := m.ApplyConfig(cfg); err != nil {
		return nil, err
	}
	return m, nil
}

// ApplyConfig takes a new configuration. On an error the old one stays. Calls under way end as they
// began; what was approved but not yet called, and is configured differently now, is suggested anew.
func (m *Manager) ApplyConfig(cfg Config) error {
	runners, order, err := m.buildRunners(cfg)
	if err != nil {
		return err
	}
	m.mu.Lock()
	for name, r := range runners {
		if old, ok := m.runners[name]; ok {
			r.breaker, r.slots = old.breaker, pickSlots(old, r)
		}
	}
	m.runners, m.order = runners, order
	m.mu.Unlock()
	m.metrics.prepare(cfg)
	m.nudge()
	return nil
}

func (m *Manager) buildRunners(cfg Config) (map[string]*runner, []string, error) {
	runners, order := map[string]*runner{}, make([]string, 0, len(cfg))
	for i := range cfg {
		rb := cfg[i]
		if rb.body == nil || rb.guard == nil {
			return nil, nil, fmt.Errorf("runbook %q: the configuration was not validated", rb.Name)
		}
		if _, ok := m.deps.Verifier.(ExprVerifier); rb.Verify.Expr != "" && !ok {
			return nil, nil, fmt.Errorf("runbook %q: verify.expr cannot be evaluated here", rb.Name)
		}
		r, err := newRunner(rb, m.options)
		if err != nil {
			return nil, nil, err
		}
		runners[rb.Name] = r
		order = append(order, rb.Name)
	}
	return runners, order, nil
}

// nudge wakes Run.
func (m *Manager) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// List returns all proposals, the newest suggestion first.
func (m *Manager) List() []Proposal {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]Proposal, 0, len(m.proposals))
	for _, p := range m.proposals {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		if c := b.SuggestedAt.Compare(a.SuggestedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Get returns one proposal.
func (m *Manager) Get(id string) (Proposal, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p, ok := m.proposals[id]
	if !ok {
		return Proposal{}, fmt.Errorf("proposal %q: %w", id, ErrNotFound)
	}
	return p, nil
}

// runner returns the runbook a proposal is of, nil when it is no longer configured.
func (m *Manager) runner(name string) *runner {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.runners[name]
}

// incident returns the newest view of an incident.
func (m *Manager) incident(id string) (known, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, ok := m.incidents[id]
	return k, ok
}

// step changes one proposal: edit decides on a copy, then the change is recorded, made durable and
// only then seen. Without audit record or without store there is no change.
func (m *Manager) step(ctx context.Context, id, action, who string, edit func(p *Proposal) error) (Proposal, error) {
	m.write.Lock()
	defer m.write.Unlock()
	old, err := m.Get(id)
	if err != nil {
		return Proposal{}, err
	}
	p := old
	p.Waiting = ""
	if err := edit(&p); err != nil {
		return old, err
	}
	if !old.State.canBecome(p.State) {
		return old, refuse("proposal %s is %s: it cannot become %s", id, old.State, p.State)
	}
	if err := m.commit(ctx, action, who, p); err != nil {
		return old, err
	}
	if p.Verdict != "" && p.Verdict != old.Verdict {
		m.metrics.calls.WithLabelValues(p.Runbook, string(p.Mode), string(p.Verdict)).Inc()
	}
	return p, nil
}

// commit records, stores and shows p. The caller holds write.
func (m *Manager) commit(ctx context.Context, action, who string, p Proposal) error {
	rec, err := m.deps.Audit.Append(event(action, who, p))
	if err != nil {
		m.metrics.storeFailures.Inc()
		return fmt.Errorf("record %s of proposal %s: %w", action, p.ID, err)
	}
	if err := m.put(ctx, p); err != nil {
		m.metrics.storeFailures.Inc()
		return fmt.Errorf("store %s of proposal %s: %w", action, p.ID, err)
	}
	m.mu.Lock()
	m.proposals[p.ID] = p
	m.mu.Unlock()
	// The head in the process log is a witness outside the file: what is cut off later is missed.
	m.log.Info("Runbook proposal changed", "action", action, "by", who, "runbook", p.Runbook,
		"incident", p.Incident.ID, "proposal", p.ID, "state", string(p.State), "reason", p.Reason,
		"audit_seq", rec.Seq, "audit_hash", rec.Hash)
	return nil
}

// event is the audit record of a step.
func event(action, who string, p Proposal) audit.Event {
	detail := map[string]string{"state": string(p.State), "key": p.Key, "runbook_digest": p.Digest}
	for name, value := range map[string]string{
		"reason": p.Reason, "verdict": string(p.Verdict), "resource": p.Incident.Resource, "cause": p.Incident.Cause,
	} {
		if value != "" {
			detail[name] = value
		}
	}
	if p.Attempts > 0 {
		detail["attempt"] = fmt.Sprint(p.Attempts)
	}
	if p.Status > 0 {
		detail["status"] = fmt.Sprint(p.Status)
	}
	if action == "suggested" || action == "approved" || action == "call.intent" {
		detail["body"] = string(p.Body)
	}
	return audit.Event{Action: action, Actor: who, Runbook: p.Runbook, Incident: p.Incident.ID, Proposal: p.ID, Detail: detail}
}

// show changes what is only shown, such as what a call waits for.
func (m *Manager) show(id string, edit func(p *Proposal)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.proposals[id]; ok {
		edit(&p)
		m.proposals[id] = p
	}
}

const (
	proposalPrefix = "proposal/"
	pauseKey       = "pause"
	recordVersion  = 1
)

// record is how a proposal stands in the store.
type record struct {
	Version int `json:"v"`
	Proposal
}

func (m *Manager) put(ctx context.Context, p Proposal) error {
	data, err := json.Marshal(record{Version: recordVersion, Proposal: p})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return m.deps.Store.Put(ctx, proposalPrefix+p.ID, data)
}

// load reads what an earlier process left.
func (m *Manager) load() error {
	return m.deps.Store.Each(func(key string, value []byte) error {
		if key == pauseKey {
			if err := json.Unmarshal(value, &m.pause); err != nil {
				// What cannot be read may have been a pause: stay on the safe side.
				m.pause = Pause{Paused: true, By: actor, Reason: "the stored state of the switch cannot be read", At: m.deps.Now()}
			}
			return nil
		}
		id, ok := strings.CutPrefix(key, proposalPrefix)
		if !ok {
			return nil
		}
		var r record
		if err := json.Unmarshal(value, &r); err != nil || r.Version != recordVersion || r.ID != id {
			m.log.Warn("Stored runbook proposal cannot be used, it is left alone", "key", key, "version", r.Version, "err", err)
			m.metrics.unreadable.Inc()
			return nil
		}
		m.proposals[id] = r.Proposal
		return nil
	})
}
