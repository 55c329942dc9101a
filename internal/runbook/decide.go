package runbook

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Propose takes the newest view of an incident and returns its proposals in the order of the
// configuration. Call it at every change and at least every StaleAfter while the incident lasts,
// and once with Resolved. The same view twice changes nothing.
func (m *Manager) Propose(i Incident) []Proposal {
	now := m.deps.Now()
	m.mu.Lock()
	if len(m.incidents) >= maxProposals {
		m.forget(now)
	}
	m.incidents[i.ID] = known{Incident: i, seen: now}
	order := slices.Clone(m.order)
	m.mu.Unlock()

	set := i.MatchLabels()
	var out []Proposal
	for _, name := range order {
		if p, ok := m.proposeOne(i, name, m.runner(name), m.matches(name, set)); ok {
			out = append(out, p)
		}
	}
	if i.Resolved {
		m.interrupt(func(p Proposal) bool { return p.Incident.ID == i.ID }, errResolved)
	}
	m.nudge()
	return out
}

func (m *Manager) matches(name string, set model.LabelSet) bool {
	r := m.runner(name)
	return r != nil && r.cfg.Matchers.matches(set)
}

// forget drops the views of incidents that were not heard of lately. The caller holds mu.
func (m *Manager) forget(now time.Time) {
	for id, k := range m.incidents {
		if k.Resolved || now.Sub(k.seen) > gone {
			delete(m.incidents, id)
		}
	}
}

// proposeOne brings the proposal of one runbook in line with the incident.
func (m *Manager) proposeOne(i Incident, name string, r *runner, matches bool) (Proposal, bool) {
	id, key := proposalID(i.ID, name)
	old, err := m.Get(id)
	switch {
	case err != nil && matches && !i.Resolved:
		return m.suggest(i, r, id, key)
	case err != nil:
		return Proposal{}, false
	case old.State == StateSuggested || old.State == StateApproved:
		return m.follow(i, r, old, matches), true
	case old.State == StateExpired && old.ApprovedAt.IsZero() && matches && !i.Resolved:
		return m.change(id, "suggested", func(p *Proposal) error {
			p.State, p.EndedAt, p.Reason = StateSuggested, time.Time{}, ""
			p.fill(i, r)
			return nil
		}), true
	}
	return old, true
}

// suggest makes a new proposal.
func (m *Manager) suggest(i Incident, r *runner, id, key string) (Proposal, bool) {
	p := Proposal{ID: id, Key: key, Runbook: r.cfg.Name, State: StateSuggested, SuggestedAt: m.deps.Now()}
	p.fill(i, r)
	m.write.Lock()
	defer m.write.Unlock()
	if old, err := m.Get(id); err == nil {
		return old, true // Another caller was first.
	}
	m.mu.RLock()
	full := len(m.proposals) >= maxProposals
	m.mu.RUnlock()
	if full {
		m.log.Warn("Too many runbook proposals, this one is left out", "runbook", r.cfg.Name, "incident", i.ID)
		return Proposal{}, false
	}
	if err := m.commit(context.Background(), "suggested", actor, p); err != nil {
		m.log.Error("Runbook proposal could not be kept", "runbook", r.cfg.Name, "incident", i.ID, "err", err)
		return Proposal{}, false
	}
	return p, true
}

// fill takes over what is sent, and whether it can be.
func (p *Proposal) fill(i Incident, r *runner) {
	p.Incident, p.Mode, p.Digest, p.Problem = i, r.cfg.Mode, r.digest, ""
	body, err := r.cfg.body.render(i)
	if err != nil {
		p.Body, p.Problem = nil, err.Error()
		return
	}
	p.Body = body
}

// follow expires what lost its ground and renders suggestions anew. An approved call keeps its body:
// what is sent is what was approved.
func (m *Manager) follow(i Incident, r *runner, old Proposal, matches bool) Proposal {
	switch {
	case i.Resolved:
		return m.change(old.ID, "expired", m.expire("the incident is resolved"))
	case !matches:
		return m.change(old.ID, "expired", m.expire("the runbook no longer matches the incident"))
	case old.State == StateApproved:
		return old
	}
	fresh := old
	fresh.fill(i, r)
	if bytes.Equal(fresh.Body, old.Body) && fresh.Problem == old.Problem && fresh.Digest == old.Digest {
		return old
	}
	return m.change(old.ID, "suggested", func(p *Proposal) error {
		if p.State != StateSuggested {
			return refuse("proposal %s is %s", p.ID, p.State)
		}
		p.fill(i, r)
		return nil
	})
}

// expire ends a proposal that has not been called. One whose outcome is uncertain asks a person.
func (m *Manager) expire(reason string) func(p *Proposal) error {
	return func(p *Proposal) error {
		switch {
		case p.State != StateSuggested && p.State != StateApproved && p.State != StateCalling:
			return refuse("proposal %s is %s", p.ID, p.State)
		case p.Uncertain:
			p.State, p.Verdict, p.InFlight = StateUnknown, VerdictUnknown, false
			p.Reason = reason + "; an attempt before may have taken effect, look and then approve again or reject"
		default:
			p.end(StateExpired, "", reason, m.deps.Now())
		}
		return nil
	}
}

// change is step for what Tidemark does by itself: an error is logged, and the proposal returned as
// it stands.
func (m *Manager) change(id, action string, edit func(p *Proposal) error) Proposal {
	p, err := m.step(context.Background(), id, action, actor, edit)
	if err != nil {
		m.log.Warn("Runbook proposal could not be changed", "action", action, "proposal", id, "err", err)
		p, _ = m.Get(id)
	}
	return p
}

// Approve lets a suggested call be made, by the named person. It is also the answer to an unknown
// outcome: the call is then made again with the same key. Errors: ErrNotFound, ErrPaused,
// ErrNotYours, *RefusedActionError.
func (m *Manager) Approve(ctx context.Context, id, by string) (Proposal, error) {
	if by == "" {
		return Proposal{}, fmt.Errorf("an approval needs a name: %w", ErrNotYours)
	}
	p, err := m.step(ctx, id, "approved", by, func(p *Proposal) error {
		if p.State != StateSuggested && p.State != StateUnknown {
			return refuse("proposal %s is %s: only a suggested one, or one of unknown outcome, can be approved", id, p.State)
		}
		if err := m.mayStart(p, by); err != nil {
			return err
		}
		p.State, p.ApprovedAt, p.ApprovedBy, p.Reason, p.Verdict = StateApproved, m.deps.Now(), by, "", ""
		p.Attempts, p.Uncertain, p.Status = 0, false, 0
		return nil
	})
	if err == nil {
		m.nudge()
	}
	return p, err
}

// mayStart checks everything that can forbid an approval.
func (m *Manager) mayStart(p *Proposal, by string) error {
	r := m.runner(p.Runbook)
	switch {
	case r == nil:
		return refuse("runbook %q is no longer configured", p.Runbook)
	case !m.mayApprove(r, by):
		return fmt.Errorf("runbook %q: %w, want one of %v", p.Runbook, ErrNotYours, r.cfg.Roles)
	case r.cfg.Mode != ModeApprove:
		return refuse("runbook %q has mode %s, Tidemark does not call it (mode: approve would let it)", p.Runbook, r.cfg.Mode)
	case p.Digest != r.digest:
		return refuse("runbook %q was changed after it was suggested: wait for the new suggestion", p.Runbook)
	case p.Problem != "":
		return refuse("there is nothing sound to send: %s", p.Problem)
	case m.Paused().Paused:
		return ErrPaused
	}
	if reason := m.ground(p.Incident.ID); reason != "" {
		return refuse("%s", reason)
	}
	if reason := m.overLimit(*p, r); reason != "" {
		return refuse("%s", reason)
	}
	return nil
}

func (m *Manager) mayApprove(r *runner, by string) bool {
	if len(r.cfg.Roles) == 0 || slices.Contains(r.cfg.Roles, by) {
		return true
	}
	for _, role := range m.deps.Roles(by) {
		if slices.Contains(r.cfg.Roles, role) {
			return true
		}
	}
	return false
}

// ground says why an incident is no ground for an action now; empty when it is.
func (m *Manager) ground(incident string) string {
	k, ok := m.incident(incident)
	now := m.deps.Now()
	switch {
	case !ok:
		return "the incident has not been seen since Tidemark started: wait until it is"
	case k.Resolved:
		return "the incident is resolved"
	case now.Sub(k.DataTime) > m.deps.StaleAfter:
		return fmt.Sprintf("the incident stands on data %s old, at most %s is acted upon",
			now.Sub(k.DataTime).Round(time.Second), m.deps.StaleAfter)
	}
	return ""
}

// overLimit says which limit forbids one more call now; empty when none does.
func (m *Manager) overLimit(p Proposal, r *runner) string {
	since := m.deps.Now().Add(-time.Hour)
	total, target := 0, 0
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, other := range m.proposals {
		if other.ID == p.ID || other.Runbook != p.Runbook || !other.FirstCallAt.After(since) {
			continue
		}
		total++
		if other.Incident.target() == p.Incident.target() {
			target++
		}
	}
	switch {
	case target >= r.cfg.Limits.PerTarget:
		return fmt.Sprintf("limits.per_target: runbook %q was called %d times for %q within an hour, at most %d are allowed",
			p.Runbook, target, p.Incident.target(), r.cfg.Limits.PerTarget)
	case total >= r.cfg.Limits.PerHour:
		return fmt.Sprintf("limits.per_hour: runbook %q was called %d times within an hour, at most %d are allowed",
			p.Runbook, total, r.cfg.Limits.PerHour)
	}
	return ""
}

// Reject closes a proposal that is not being called, by the named person.
func (m *Manager) Reject(ctx context.Context, id, by string) (Proposal, error) {
	if by == "" {
		return Proposal{}, fmt.Errorf("a rejection needs a name: %w", ErrNotYours)
	}
	return m.step(ctx, id, "rejected", by, func(p *Proposal) error {
		switch p.State {
		case StateSuggested, StateApproved, StateUnknown:
			p.end(StateRejected, p.Verdict, "rejected by "+by, m.deps.Now())
			return nil
		}
		return refuse("proposal %s is %s: it cannot be rejected any more", id, p.State)
	})
}
