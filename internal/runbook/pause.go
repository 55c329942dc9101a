package runbook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark/tidemark/internal/runbook/audit"
)

// Pause is the switch that stops all actions. It survives a restart.
type Pause struct {
	Paused bool      `json:"paused"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Causes for which a call that waits for its next attempt is interrupted.
var (
	errPaused   = errors.New("actions were paused")
	errResolved = errors.New("the incident is resolved")
	errTTL      = errors.New("the approval is too old")
)

// Paused returns the state of the switch.
func (m *Manager) Paused() Pause {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.pause
}

// Pause stops all actions at once: nothing is approved, no call begins, no further attempt of a call
// is made. An attempt under way is not cut, so that its result is known.
func (m *Manager) Pause(ctx context.Context, by, reason string) error {
	// In force before it is on disk: a full disk must not keep the switch from working.
	m.setPause(Pause{Paused: true, By: by, Reason: reason, At: m.deps.Now()})
	m.interrupt(func(Proposal) bool { return true }, errPaused)
	return m.storePause(ctx, "paused", by, reason)
}

// Resume ends a pause. It takes effect only when it is recorded.
func (m *Manager) Resume(ctx context.Context, by, reason string) error {
	old := m.Paused()
	m.write.Lock()
	if _, err := m.deps.Audit.Append(audit.Event{Action: "resumed", Actor: by, Detail: map[string]string{"reason": reason}}); err != nil {
		m.write.Unlock()
		return fmt.Errorf("record resume: %w", err)
	}
	err := m.putPause(ctx, Pause{By: by, Reason: reason, At: m.deps.Now()})
	m.write.Unlock()
	if err != nil {
		m.setPause(old)
		return fmt.Errorf("store resume: %w", err)
	}
	m.setPause(Pause{By: by, Reason: reason, At: m.deps.Now()})
	m.log.Info("Actions resumed", "by", by, "reason", reason)
	m.nudge()
	return nil
}

func (m *Manager) setPause(p Pause) {
	m.mu.Lock()
	m.pause = p
	m.mu.Unlock()
}

func (m *Manager) storePause(ctx context.Context, action, by, reason string) error {
	m.write.Lock()
	defer m.write.Unlock()
	_, err := m.deps.Audit.Append(audit.Event{Action: action, Actor: by, Detail: map[string]string{"reason": reason}})
	err = errors.Join(err, m.putPause(ctx, m.Paused()))
	m.log.Warn("Actions paused", "by", by, "reason", reason, "err", err)
	if err != nil {
		return fmt.Errorf("actions are paused, but not over a restart: %w", err)
	}
	return nil
}

func (m *Manager) putPause(ctx context.Context, p Pause) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode pause: %w", err)
	}
	return m.deps.Store.Put(ctx, pauseKey, data)
}

// interrupt ends the waiting of calls under way.
func (m *Manager) interrupt(which func(p Proposal) bool, cause error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for id, cancel := range m.running {
		if which(m.proposals[id]) {
			cancel(cause)
		}
	}
}
