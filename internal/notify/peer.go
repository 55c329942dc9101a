package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// peer is one Alertmanager and what it knows.
type peer struct {
	n      *Notifier
	client *client
	wake   chan struct{}

	mu           sync.Mutex
	failing      time.Time // since when posts fail; zero when the last one stood
	failures     int
	acknowledged uint64
}

// sendLoop posts what changed at once and everything each minute. After a failure everything is posted
// again, with back-off: the peer may have restarted, and Alertmanager does not store alerts.
func (p *peer) sendLoop(ctx context.Context) {
	resend := time.NewTicker(resendEvery)
	defer resend.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-resend.C:
			p.n.set.forget(p.n.clock().Add(-resendResolved))
			p.acknowledged = 0
		case <-p.wake:
			if p.isFailing() {
				continue // the retry timer runs; a flood of changes must not become a flood of posts
			}
		case <-retry.C:
		}
		if err := p.send(ctx); err != nil && ctx.Err() == nil {
			retry.Reset(p.note(err))
		}
	}
}

// send posts the alerts that the peer does not know yet.
func (p *peer) send(ctx context.Context) error {
	alerts, seq := p.n.set.since(p.acknowledged)
	for len(alerts) > 0 {
		n := min(len(alerts), batchSize)
		batch := make([]wireAlert, n)
		now := p.n.clock()
		for i, a := range alerts[:n] {
			batch[i] = a.wire(alertLife, now)
		}
		err := p.client.post(ctx, batch)
		p.n.m.seconds.WithLabelValues(p.client.host).Observe(p.n.clock().Sub(now).Seconds())
		if err != nil {
			p.acknowledged = 0
			p.n.m.failed.WithLabelValues(p.client.host).Inc()
			return err
		}
		p.n.m.sent.WithLabelValues(p.client.host).Add(float64(n))
		alerts = alerts[n:]
	}
	p.acknowledged = seq
	p.recovered()
	return nil
}

// note remembers a failure and gives the time until the next attempt. A refusal that will not change by
// itself waits for the next re-send.
func (p *peer) note(err error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing.IsZero() {
		p.failing = p.n.clock()
		p.n.log.Warn("Alertmanager does not take incidents", "alertmanager", p.client.host, "err", err)
	} else {
		p.n.log.Debug("Alertmanager still does not take incidents", "alertmanager", p.client.host, "failures", p.failures, "err", err)
	}
	p.failures++
	var refused *peerError
	if errors.As(err, &refused) && refused.final() {
		return resendEvery
	}
	return backoff(p.failures - 1)
}

func (p *peer) recovered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.failing.IsZero() {
		p.n.log.Info("Alertmanager takes incidents again", "alertmanager", p.client.host,
			"failing_for", p.n.clock().Sub(p.failing).String())
	}
	p.failing, p.failures = time.Time{}, 0
}

func (p *peer) isFailing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.failing.IsZero()
}

// beatLoop posts the heartbeat. It has its own loop: a Healthy that hangs stops the heartbeat and nothing
// else. A peer that cannot be reached is tried sooner: it may be restarting, and knows no heartbeat then.
func (p *peer) beatLoop(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	beating := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		wait := beatEvery
		err := p.beat(ctx)
		var unreachable *peerError
		if errors.As(err, &unreachable) {
			wait = beatRetry
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && beating:
			p.n.log.Warn("No heartbeat: raw alerts will page", "alertmanager", p.client.host, "err", err)
		case err == nil && !beating:
			p.n.log.Info("Heartbeat again: incidents page in place of raw alerts", "alertmanager", p.client.host)
		}
		beating = err == nil
		next.Reset(wait)
	}
}

func (p *peer) beat(ctx context.Context) error {
	err := p.n.healthy()
	if err == nil {
		err = p.stuck()
	}
	if err != nil {
		p.n.m.withheld.WithLabelValues(p.client.host).Inc()
		return fmt.Errorf("withheld: %w", err)
	}
	now := p.n.clock()
	w := Saved{Alert: Alert{Labels: p.n.beat, StartsAt: now, Annotations: beatText()}, Revision: 1}.wire(beatLife, now)
	if err := p.client.post(ctx, []wireAlert{w}); err != nil {
		return err
	}
	p.n.m.beats.WithLabelValues(p.client.host).Inc()
	p.n.m.beatAt.WithLabelValues(p.client.host).Set(float64(p.n.clock().UnixMilli()) / 1000)
	return nil
}

// stuck withholds the heartbeat from a peer that takes heartbeats but no incidents: raw alerts would be
// inhibited and nothing would page in their place.
func (p *peer) stuck() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing.IsZero() || p.n.clock().Sub(p.failing) < stuckAfter {
		return nil
	}
	return fmt.Errorf("incidents were not taken since %s", p.failing.UTC().Format(time.RFC3339))
}

func beatText() model.LabelSet {
	return model.LabelSet{"summary": "Tidemark works: incidents page in place of raw alerts."}
}
