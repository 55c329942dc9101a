package promread

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type pacedKey struct{}

// Paced marks the reads of ctx as reads of history: they may wait, and are spaced so that Prometheus is kept busy for a
// part of the time only.
func Paced(ctx context.Context) context.Context { return context.WithValue(ctx, pacedKey{}, true) }

func isPaced(ctx context.Context) bool { return ctx.Value(pacedKey{}) != nil }

// Bounds of pacing.
const (
	// leastDuty is the share that is left when Prometheus is in trouble: learning goes on, slowly. That it is slow is a
	// weaker sign than that it says so: slowDuty is left then.
	leastDuty = 0.02
	slowDuty  = 0.1
	// raise is added to the share after each read that went well, as a part of the configured one.
	raise = 0.1
	// slower says how many times its usual cost a read may have; noticed is from where a read is judged at all.
	slower  = 3
	noticed = 200 * time.Millisecond
	// judged is from how many bytes on our own work is compared with its usual time.
	judged = 1 << 20
	// drift is the step by which the usual cost, a running median, follows a server that has become slower for good.
	drift = 1.1
	// longestPause bounds the time between two reads.
	longestPause = 30 * time.Second
)

// pacer spaces the reads of history. What counts is the time for which Prometheus makes us wait: while we compute,
// it rests. After a read it is left alone for so long that it is busy for us for a share of the time, unless our own
// work on the read took as long. The share is
// halved when a read costs three times the usual per MiB, or when Prometheus answers 429 or 5xx, and rises slowly
// when all is well (additive increase, multiplicative decrease, as in TCP: Chiu and Jain 1989).
//
// On a busy machine everything is slow, we too, and waiting says little of Prometheus: a read is judged by how much
// more its cost has grown than that of our own work on what it brought.
type pacer struct {
	most float64

	mu    sync.Mutex
	duty  float64
	usual float64 // seconds of waiting per MiB
	work  float64 // seconds of our own work per MiB, the usual ones
	next  time.Time

	paused prometheus.Counter
}

func newPacer(most float64, reg prometheus.Registerer) *pacer {
	p := &pacer{most: most, duty: most}
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_prometheus_learning_duty_ratio", Help: "Share of the time in which Prometheus may be kept busy by the reading of history.",
	}, p.share)
	p.paused = f.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_prometheus_learning_paused_seconds_total", Help: "Time for which the reading of history left Prometheus alone.",
	})
	return p
}

func (p *pacer) share() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.duty
}

// wait lets the pause after the last read pass.
func (p *pacer) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		left := time.Until(p.next)
		p.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// done notes a read: how long Prometheus made us wait, how long we worked on what came, for how many bytes, and
// whether it was too much for Prometheus.
func (p *pacer) done(waited, worked time.Duration, bytes int64, overloaded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 1 + float64(bytes)/(1<<20)
	cost, work := waited.Seconds()/size, worked.Seconds()/size
	busy := 1.0 // How many times its usual time our own work takes: the machine is busy, or the series are dear ones.
	if p.work > 0 && bytes >= judged {
		busy = max(1, work/p.work)
	}
	switch {
	case overloaded:
		p.duty = max(leastDuty, p.duty/2)
	case p.usual > 0 && cost > slower*busy*p.usual && waited > noticed:
		p.duty = max(min(p.duty, slowDuty), p.duty/2)
	default:
		p.duty = min(p.most, p.duty+raise*p.most)
	}
	if !overloaded {
		p.usual = towards(p.usual, cost)
		if bytes >= judged {
			p.work = towards(p.work, work)
		}
	}
	pause := max(0, min(time.Duration(waited.Seconds()*(1/p.duty-1)*float64(time.Second))-worked, longestPause)) // It has rested while we worked.
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(pause)
	p.paused.Add(pause.Seconds())
}

// towards moves an estimate of a median one step to where a value lies, in the logarithm; it begins with the first.
func towards(median, x float64) float64 {
	switch {
	case median == 0:
		return x
	case x > median:
		return min(x, median*drift)
	}
	return max(x, median/drift)
}
