package runbook

import (
	"context"
	"fmt"
	"time"
)

// verifyTimeout bounds one look at the system.
const verifyTimeout = 30 * time.Second

// verifyLoop looks after every call whether the system is well, until ctx ends.
func (m *Manager) verifyLoop(ctx context.Context) {
	tick := time.NewTicker(m.deps.Interval)
	defer tick.Stop()
	for {
		for _, p := range m.inState(StateCalled) {
			m.change(p.ID, "verifying", func(p *Proposal) error {
				p.State = StateVerifying
				return nil
			})
		}
		for _, p := range m.inState(StateVerifying) {
			if ctx.Err() != nil {
				return
			}
			m.verify(ctx, p)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// verify takes one look. The system must be well without a break for verify.for; a look that fails
// breaks it too, because nobody saw that it was well.
func (m *Manager) verify(ctx context.Context, p Proposal) {
	cfg := DefaultRunbook().Verify
	if r := m.runner(p.Runbook); r != nil {
		cfg = r.cfg.Verify
	}
	ok, why, err := m.look(ctx, p, cfg)
	if ctx.Err() != nil {
		return
	}
	now := m.deps.Now()
	if err != nil {
		ok, why = false, fmt.Sprintf("it cannot be told: %v", err)
	}
	since, well := m.wellSince[p.ID]
	switch {
	case !ok:
		delete(m.wellSince, p.ID)
	case !well:
		m.wellSince[p.ID], since = now, now
	}
	if ok && now.Sub(since) >= time.Duration(cfg.For) {
		m.ended(p.ID, StateVerified, VerdictVerified, fmt.Sprintf("recovered for %s: %s", cfg.For, why))
		return
	}
	// After a restart there is time for one whole look again.
	deadline := p.CalledAt.Add(time.Duration(cfg.Timeout))
	if again := m.started.Add(time.Duration(cfg.For) + 2*m.deps.Interval); again.After(deadline) && m.started.After(p.CalledAt) {
		deadline = again
	}
	if now.Before(deadline) || (ok && now.Before(since.Add(time.Duration(cfg.For)))) {
		m.show(p.ID, func(p *Proposal) { p.Waiting = why })
		return
	}
	verdict := VerdictNotVerified
	reason := fmt.Sprintf("no recovery within %s after the call: %s", cfg.Timeout, why)
	if k, known := m.incident(p.Incident.ID); known && k.Anomalies > p.Anomalies {
		verdict = VerdictHarmful
		reason += fmt.Sprintf("; %d series are out of their band, %d were when it was called", k.Anomalies, p.Anomalies)
	}
	m.ended(p.ID, StateFailed, verdict, reason)
}

// look asks the verifier, with the newest view of the incident.
func (m *Manager) look(ctx context.Context, p Proposal, cfg Verify) (bool, string, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	if cfg.Expr != "" {
		if v, ok := m.deps.Verifier.(ExprVerifier); ok {
			return v.Holds(ctx, cfg.Expr)
		}
	}
	i := p.Incident
	if k, ok := m.incident(i.ID); ok {
		i = k.Incident
	}
	return m.deps.Verifier.Recovered(ctx, i)
}

func (m *Manager) ended(id string, s State, v Verdict, reason string) {
	m.change(id, "verdict", func(p *Proposal) error {
		if p.State != StateVerifying {
			return refuse("proposal %s is %s", p.ID, p.State)
		}
		p.end(s, v, reason, m.deps.Now())
		return nil
	})
	delete(m.wellSince, id)
}
