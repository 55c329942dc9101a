package runbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// Run carries out what was approved and verifies what was called, until ctx ends. It then waits for
// attempts under way, at most the longest timeout, so that their results are known.
func (m *Manager) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { m.verifyLoop(ctx) })
	tick := time.NewTicker(m.deps.Interval)
	defer tick.Stop()
	for {
		m.dispatch(ctx, &wg)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.wake:
		}
	}
}

// inState returns the proposals in one of the states, the oldest approval first.
func (m *Manager) inState(states ...State) []Proposal {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Proposal
	for _, p := range m.proposals {
		if slices.Contains(states, p.State) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(a.ApprovedAt.Compare(b.ApprovedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// dispatch looks at everything that waits.
func (m *Manager) dispatch(ctx context.Context, wg *sync.WaitGroup) {
	for _, p := range m.inState(StateCalling) {
		m.adopt(p)
	}
	for _, p := range m.inState(StateApproved) {
		if ctx.Err() != nil {
			return
		}
		m.start(ctx, p, wg)
	}
	m.tidy(ctx)
}

// adopt takes up a call that has no goroutine: the process was stopped in the middle of it, or its
// last step could not be recorded. With an attempt in flight its effect is not known: an idempotent
// runbook is called again with the same key, for another a person is asked.
func (m *Manager) adopt(p Proposal) {
	m.mu.RLock()
	_, runs := m.running[p.ID]
	m.mu.RUnlock()
	if runs {
		return
	}
	r := m.runner(p.Runbook)
	m.change(p.ID, "call.adopted", func(p *Proposal) error {
		if p.State != StateCalling {
			return refuse("proposal %s is %s", p.ID, p.State)
		}
		p.Uncertain = p.Uncertain || p.InFlight
		p.InFlight = false
		if p.Uncertain && (r == nil || !r.cfg.Idempotent) {
			m.unknown(p, "Tidemark stopped while the call was under way")
			return nil
		}
		p.State, p.Reason = StateApproved, "taken up again after an interruption"
		return nil
	})
}

// unknown asks a person.
func (m *Manager) unknown(p *Proposal, reason string) {
	p.State, p.Verdict, p.InFlight = StateUnknown, VerdictUnknown, false
	p.Reason = reason + ": whether it took effect is not known; look, then approve to call again with the same key, or reject"
}

// start begins an approved call unless something stands against it. What may pass is shown and
// looked at again; what may not ends the proposal.
func (m *Manager) start(ctx context.Context, p Proposal, wg *sync.WaitGroup) {
	r := m.runner(p.Runbook)
	waiting := ""
	switch {
	case r == nil:
		m.stop(p.ID, "the runbook is no longer configured")
		return
	case p.Digest != r.digest || r.cfg.Mode != ModeApprove:
		m.changedSince(p, r)
		return
	case !m.deps.Now().Before(p.ApprovedAt.Add(time.Duration(r.cfg.TTL))):
		m.stop(p.ID, fmt.Sprintf("the approval is older than ttl (%s)", r.cfg.TTL))
		return
	case p.Attempts >= r.cfg.Attempts:
		m.stop(p.ID, fmt.Sprintf("all %d attempts were made", r.cfg.Attempts))
		return
	}
	if k, ok := m.incident(p.Incident.ID); ok && k.Resolved {
		m.stop(p.ID, "the incident is resolved")
		return
	}
	switch {
	case m.Paused().Paused:
		waiting = "actions are paused"
	case r.breaker.IsOpen() && r.breaker.RemainingDelay() > 0:
		waiting = fmt.Sprintf("the endpoint failed %d times in a row, it is left alone for a minute", breakerFailures)
	default:
		waiting = cmp.Or(m.ground(p.Incident.ID), m.overLimit(p, r))
	}
	if waiting == "" && !r.slots.TryAcquirePermit() {
		waiting = fmt.Sprintf("limits.concurrent: %d calls are under way", r.cfg.Limits.Concurrent)
	}
	if waiting != "" {
		m.show(p.ID, func(p *Proposal) { p.Waiting = waiting })
		return
	}
	m.begin(ctx, p, r, wg)
}

// begin moves the proposal to calling and gives it a goroutine. It holds a slot of the runner.
func (m *Manager) begin(ctx context.Context, p Proposal, r *runner, wg *sync.WaitGroup) {
	callCtx, cancel := context.WithCancelCause(ctx)
	m.mu.Lock()
	m.running[p.ID] = cancel
	m.mu.Unlock()
	done := func() {
		cancel(nil)
		r.slots.ReleasePermit()
		m.mu.Lock()
		delete(m.running, p.ID)
		m.mu.Unlock()
	}
	_, err := m.step(ctx, p.ID, "call.started", actor, func(p *Proposal) error {
		if p.State != StateApproved {
			return refuse("proposal %s is %s", p.ID, p.State)
		}
		p.State = StateCalling
		if p.FirstCallAt.IsZero() {
			p.FirstCallAt = m.deps.Now()
			k, _ := m.incident(p.Incident.ID)
			p.Anomalies = k.Anomalies
		}
		return nil
	})
	if err != nil {
		m.log.Warn("Runbook call could not begin", "proposal", p.ID, "err", err)
		done()
		return
	}
	wg.Go(func() {
		m.call(callCtx, p.ID, r)
		done()
		// Its slot is free for what waits. Not after a failure above: that is tried at the next tick.
		if p, err := m.Get(p.ID); err == nil && p.State != StateCalling {
			m.nudge()
		}
	})
}

// stop ends an approved call that may not be made (any more).
func (m *Manager) stop(id, reason string) {
	m.change(id, "stopped", func(p *Proposal) error {
		switch {
		case p.State != StateApproved && p.State != StateCalling:
			return refuse("proposal %s is %s", p.ID, p.State)
		case p.Uncertain:
			m.unknown(p, reason)
		case p.Attempts > 0:
			p.end(StateFailed, VerdictFailed, reason+"; the last attempt: "+p.Reason, m.deps.Now())
		default:
			p.end(StateExpired, "", reason, m.deps.Now())
		}
		return nil
	})
}

// changedSince asks for a new approval when the runbook is no longer the one that was approved.
func (m *Manager) changedSince(p Proposal, r *runner) {
	if p.Attempts > 0 {
		m.stop(p.ID, "the runbook was changed while it was being called")
		return
	}
	m.change(p.ID, "suggested", func(p *Proposal) error {
		i := p.Incident
		if k, ok := m.incident(i.ID); ok {
			i = k.Incident
		}
		p.fill(i, r)
		p.State, p.ApprovedAt, p.ApprovedBy = StateSuggested, time.Time{}, ""
		p.Reason = "the runbook was changed after the approval: approve it anew"
		return nil
	})
}

// errRecord ends a call whose next step could not be recorded.
var errRecord = errors.New("the step could not be recorded")

// call makes the attempts of one action: each is on disk before it is made, its result after.
func (m *Manager) call(ctx context.Context, id string, r *runner) {
	p, err := m.Get(id)
	if err != nil {
		return
	}
	left := p.ApprovedAt.Add(time.Duration(r.cfg.TTL)).Sub(m.deps.Now())
	ctx, cancel := context.WithTimeoutCause(ctx, left, errTTL)
	defer cancel()
	retry := retrypolicy.NewBuilder[answer]().
		HandleIf(func(a answer, err error) bool { return err == nil && a.again(r.cfg.Idempotent) }).
		WithMaxAttempts(r.cfg.Attempts - p.Attempts).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[answer]) time.Duration {
			return r.delay(e.Attempts(), e.LastResult())
		}).
		ReturnLastFailure().Build()
	_, err = failsafe.With(retry).WithContext(ctx).GetWithExecution(func(failsafe.Execution[answer]) (answer, error) {
		return m.attempt(ctx, id, r)
	})
	m.conclude(context.Cause(ctx), id, r, err)
}

// attempt records the intent, makes one call and records its result.
func (m *Manager) attempt(ctx context.Context, id string, r *runner) (answer, error) {
	if err := r.admit(ctx); err != nil {
		return answer{}, err
	}
	p, err := m.step(ctx, id, "call.intent", actor, func(p *Proposal) error {
		if m.Paused().Paused {
			return ErrPaused
		}
		if reason := m.ground(p.Incident.ID); reason != "" {
			return refuse("%s", reason)
		}
		p.State, p.InFlight = StateCalling, true
		p.Attempts++
		return nil
	})
	if err != nil {
		r.notAsked()
		return answer{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	// The attempt outlives a stop or a pause: a call that was sent gets its result.
	a := r.attempt(context.WithoutCancel(ctx), p, m.deps.Now())
	r.note(a)
	m.metrics.attempts.WithLabelValues(r.cfg.Name, string(a.outcome)).Inc()
	return a, m.insist(ctx, id, "call.result", func(p *Proposal) error {
		m.take(p, r, a)
		return nil
	})
}

// take brings the result of an attempt into the proposal. What follows is decided in the same step,
// so that a crash behind it cannot decide otherwise.
func (m *Manager) take(p *Proposal, r *runner, a answer) {
	p.InFlight, p.Status, p.Reason = false, a.status, a.reason
	p.Uncertain = p.Uncertain || a.outcome == outcomeUncertain
	last := p.Attempts >= r.cfg.Attempts || !a.again(r.cfg.Idempotent)
	switch {
	case a.outcome == outcomeDone:
		p.State, p.CalledAt, p.Uncertain = StateCalled, m.deps.Now(), false
	case last && p.Uncertain:
		m.unknown(p, attemptsMade(p, a))
	case last:
		p.end(StateFailed, VerdictFailed, attemptsMade(p, a), m.deps.Now())
	}
}

func attemptsMade(p *Proposal, a answer) string {
	if p.Attempts == 1 {
		return "after 1 attempt: " + a.reason
	}
	return fmt.Sprintf("after %d attempts: %s", p.Attempts, a.reason)
}

// insist repeats a step whose content is already a fact until it is recorded or ctx ends.
func (m *Manager) insist(ctx context.Context, id, action string, edit func(p *Proposal) error) error {
	for {
		_, err := m.step(context.WithoutCancel(ctx), id, action, actor, edit)
		if err == nil {
			return nil
		}
		m.log.Error("Result of a runbook call could not be recorded, trying again", "proposal", id, "err", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errRecord, err)
		case <-time.After(time.Second):
		}
	}
}

// conclude puts a call that was interrupted before its end where it belongs.
func (m *Manager) conclude(cause error, id string, r *runner, err error) {
	p, getErr := m.Get(id)
	switch {
	case getErr != nil || p.State != StateCalling:
		// The result of the last attempt decided.
	case errors.Is(err, errRecord):
		// Left as it is; the next look takes it up when the disk is well again.
	case errors.Is(cause, errTTL):
		m.stop(id, fmt.Sprintf("the approval is older than ttl (%s)", r.cfg.TTL))
	case errors.Is(cause, errResolved):
		m.stop(id, "the incident is resolved")
	default: // A pause or the end of the process: taken up later.
		m.change(id, "call.interrupted", func(p *Proposal) error {
			p.State = StateApproved
			return nil
		})
	}
}

// tidy expires what waits for an incident that is gone and drops what ended long ago.
func (m *Manager) tidy(ctx context.Context) {
	now := m.deps.Now()
	for _, p := range m.inState(StateSuggested) {
		seen := m.started
		if k, ok := m.incident(p.Incident.ID); ok {
			seen = k.seen
		}
		if now.Sub(seen) > gone {
			m.change(p.ID, "expired", m.expire("the incident has not been heard of for "+gone.String()))
		}
	}
	for _, p := range m.inState(StateVerified, StateFailed, StateExpired, StateRejected) {
		if now.Sub(p.EndedAt) > keepEnded {
			m.drop(ctx, p.ID)
		}
	}
}

func (m *Manager) drop(ctx context.Context, id string) {
	m.write.Lock()
	defer m.write.Unlock()
	if err := m.deps.Store.Delete(ctx, proposalPrefix+id); err != nil {
		m.log.Warn("Old runbook proposal could not be removed", "proposal", id, "err", err)
		return
	}
	m.mu.Lock()
	delete(m.proposals, id)
	m.mu.Unlock()
}
